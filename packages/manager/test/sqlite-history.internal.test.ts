/**
 * SQLite finds old versions in its change log and, once they have left it, in a table of their own. Whatever happens, it
 * must tell the same history as the reference. SEED=n runs one seed again.
 */

import type { DatabaseSync as Database, StatementSync as Statement } from "node:sqlite";
import { isDeepStrictEqual } from "node:util";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../src/clock.ts";
import type { Engine, EngineOptions, Transaction, Write } from "../src/engine.ts";
import { encodeEntry } from "../src/codec.ts";
import { MemoryEngine } from "../src/engines/memory.ts";
import { openSqlite } from "../src/engines/sqlite.ts";
import { Archive } from "../src/engines/sqlite/archive.ts";
import { Contexts } from "../src/engines/sqlite/contexts.ts";
import { initial } from "../src/engines/sqlite/migrations/0001-initial.ts";
import { historyInTheLog } from "../src/engines/sqlite/migrations/0002-history-in-the-log.ts";
import { SQL } from "../src/engines/sqlite/statements.ts";
import type { Entry } from "../src/entry.ts";
import { openManager } from "../src/index.ts";
import {
  clearing,
  content,
  creates,
  deletes,
  entryOf,
  nextOf,
  replaces,
  transactionOf,
} from "../src/testing/entries.ts";
import { type Random, randomFrom } from "../src/testing/random.ts";
import { hasSqlite, type Scratch, scratch } from "./engines/support.ts";

const isThere = await hasSqlite();
if (!isThere) console.info("sqlite-history.internal.test.ts: skipped: this Node has no node:sqlite that is new enough");

const IDS = ["a", "b", "c"];
/** The contexts are brought up to date every 256. */
const COMMITS = 1_200;
const runs = Math.max(4, Number(process.env["SHARED_CONTEXT_SEEDS"] ?? 0) / 20);
const replayed = process.env["SEED"];
const seeds =
  replayed === undefined ? Array.from({ length: runs }, () => Math.floor(Math.random() * 2 ** 32)) : [Number(replayed)];

let directory: Scratch;

beforeEach(() => {
  directory = scratch();
});

afterEach(() => {
  vi.restoreAllMocks();
  directory.remove();
});

/** One write of some kind to a context, as a manager would make it. */
function randomWrite(random: Random, id: string, present: Entry | undefined): Write {
  if (present === undefined) return creates(entryOf(id, { note: `${random.below(100)}` }));
  const { revision } = present;
  const lock = { owner: "ann", token: -1, sinceMs: 1, expiresAtMs: 9, deadlineMs: random.below(100) };
  const kind = random.below(20);
  if (kind === 0) return deletes(id, revision);
  if (kind === 1) return { id, expect: revision, next: entryOf(id), keeps: null };
  if (kind < 6) return replaces({ ...present, lock: kind < 4 ? lock : null, revision: -1 }, revision, false);
  return replaces(nextOf(present), revision);
}

/** What is there, and what was there before. */
async function everythingOf(engine: Engine, id: string): Promise<unknown[]> {
  const { entries } = await engine.load(IDS);
  return [...entries.map((entry) => entry && content(entry)), ...(await engine.history(id)).map(content)];
}

/** Where SQLite and the reference tell different histories; `undefined` where they never do. */
async function difference(random: Random, options: EngineOptions): Promise<unknown> {
  const reference = new MemoryEngine(systemClock, options);
  const open = (): Promise<Engine> =>
    openSqlite(directory.file("x.db"), new URLSearchParams("synchronous=normal"), options);
  const engines = [await open(), await open()];
  try {
    for (let turn = 0; turn < COMMITS; turn++) {
      const ids = random.below(8) === 0 ? IDS.slice(0, 2) : [random.pick(IDS)];
      const { entries } = await reference.load(ids);
      const writes = ids.map((id, index) => {
        const isRead = index > 0 && random.below(3) === 0;
        const expect = entries[index]?.revision ?? 0;
        return isRead ? { id, expect, next: undefined, keeps: false } : randomWrite(random, id, entries[index]);
      });
      const isSilent = random.below(10) === 0;
      const clears = random.below(200) === 0;
      const transaction = (): Transaction => {
        if (clears) return clearing();
        const made = transactionOf(...structuredClone(writes));
        return isSilent ? { ...made, changes: [] } : made;
      };
      const engine = random.pick(engines);
      const [outcome] = await engine.commit([transaction()]);
      const [right] = await reference.commit([transaction()]);
      const id = random.pick(IDS);
      const told = await everythingOf(random.pick(engines), id);
      const was = await everythingOf(reference, id);
      if (!isDeepStrictEqual([outcome, told], [right, was])) return { turn, id, options, outcome, right, told, was };
    }
    return undefined;
  } finally {
    for (const engine of engines) await engine.close();
  }
}

/** One statement does nothing. */
async function leaveOut(sql: string): Promise<void> {
  const { StatementSync } = await import("node:sqlite");
  // oxlint-disable-next-line typescript/unbound-method -- it is called on the statement that it was called on
  const { run } = StatementSync.prototype;
  vi.spyOn(StatementSync.prototype, "run").mockImplementation(function (this: Statement, ...values) {
    return this.sourceSQL === sql ? { changes: 0, lastInsertRowid: 0 } : run.apply(this, values);
  });
}

/** One statement is another. */
async function change(sql: string, from: string, to: string): Promise<void> {
  const { DatabaseSync } = await import("node:sqlite");
  // oxlint-disable-next-line typescript/unbound-method -- it is called on the database that it was called on
  const { prepare } = DatabaseSync.prototype;
  vi.spyOn(DatabaseSync.prototype, "prepare").mockImplementation(function (this: Database, text) {
    return prepare.call(this, text === sql ? text.replace(from, to) : text);
  });
}

describe.skipIf(!isThere)("the history of SQLite", () => {
  it.each(seeds)("is that of the reference, whatever is trimmed meanwhile: seed %i", async (seed) => {
    const random = randomFrom(seed);
    const historyLimit = random.pick([0, 1, 5, 40, Infinity]);
    const changeLogLimit = random.pick([1, 10, 200, Infinity]);
    expect(await difference(random, { historyLimit, changeLogLimit })).toBeUndefined();
  });

  it.each<[string, () => unknown]>([
    ["what leaves the log is not archived", () => vi.spyOn(Archive.prototype, "add").mockReturnValue()],
    ["what is replaced and not in the log is not archived", () => leaveOut(SQL.archivePresent)],
    ["versions that are needed are swept away", () => change(SQL.sweep, "- ?3", "- 0 * ?3")],
    ["history is not forgotten", () => vi.spyOn(Contexts.prototype, "clear").mockReturnValue()],
    ["the commits of others are not heard of", () => vi.spyOn(Contexts.prototype, "hear").mockReturnValue()],
    ["the contexts are not brought up to date", () => leaveOut(SQL.fold)],
  ])("would be another if %s", async (_wrong, mutate) => {
    await mutate();
    expect(await difference(randomFrom(1), { historyLimit: 40, changeLogLimit: 1 })).toBeDefined();
  });

  it("takes at most twice the place of the versions that are kept: the others are swept away", async () => {
    const options = { historyLimit: 5, changeLogLimit: 1 };
    const engine = await openSqlite(directory.file("x.db"), new URLSearchParams("synchronous=normal"), options);
    const ids = Array.from({ length: 200 }, (_, index) => `id-${index}`);
    const present = new Map<string, Entry>();
    for (let round = 0; round < 30; round++) {
      for (const id of ids) {
        const before = present.get(id);
        const write = before === undefined ? creates(entryOf(id)) : replaces(nextOf(before), before.revision);
        await engine.commit([transactionOf(write)]);
        present.set(id, write.next!);
      }
    }
    const history = await engine.history("id-7");
    expect(history.map(({ version }) => version)).toEqual(["25", "26", "27", "28", "29"]);
    await engine.close();
    const { DatabaseSync } = await import("node:sqlite");
    const file = new DatabaseSync(directory.file("x.db"));
    const { rows } = file.prepare("SELECT count(*) AS rows FROM archive").get() as { rows: number };
    file.close();
    expect([rows > 900, rows < 2_000]).toEqual([true, true]);
  });

  it("goes on in a file that was written before the log had it", async () => {
    const { DatabaseSync } = await import("node:sqlite");
    const file = directory.file("old.db");
    const old: Database = new DatabaseSync(file);
    old.exec(initial);
    old.exec("INSERT INTO namespaces (ns, name) VALUES (1, '')");
    const entry = (version: number, revision: number): string =>
      encodeEntry(
        entryOf("a", { version: String(version), data: { step: version }, updatedBy: "ann", revision, incarnation: 1 }),
      );
    const keep = old.prepare("INSERT INTO versions (ns, id, revision, entry) VALUES (1, 'a', ?, ?)");
    for (const version of [1, 2]) keep.run(version, entry(version, version));
    old.prepare("INSERT INTO contexts (ns, id, revision, entry) VALUES (1, 'a', 3, ?)").run(entry(3, 3));
    const change = { kind: "updated", contextId: "a", agentId: "ann", note: null };
    old
      .prepare("INSERT INTO log (revision, ns, op, changes) VALUES (3, 1, 'x', ?)")
      .run(`[${JSON.stringify(change).slice(0, -1)},"entry":${entry(3, 3)}}]`);
    old.exec("PRAGMA application_id = 1396919601; PRAGMA user_version = 1");
    old.close();

    await using manager = await openManager(`sqlite:${file}`, { historyLimit: 3 });
    const steps = async (): Promise<unknown[]> => (await manager.history("a")).map(({ data }) => data["step"]);
    expect(await steps()).toEqual([1, 2, 3]);
    for (const step of [4, 5]) await manager.update("a", { step }, String(step - 1));
    expect(await steps()).toEqual([2, 3, 4, 5]);
    expect((await manager.watch("a", { after: 2 }).next()).value).toMatchObject({ revision: 3, kind: "updated" });
  });

  it("goes on in a file whose updates are in two places, and who has that open with an older version gets errors", async () => {
    const { DatabaseSync } = await import("node:sqlite");
    const file = directory.file("old.db");
    const old: Database = new DatabaseSync(file);
    old.exec(initial);
    old.exec(historyInTheLog);
    old.exec("INSERT INTO namespaces (ns, name) VALUES (1, '')");
    const log = old.prepare(
      "INSERT INTO log (revision, ns, op, changes, id, version, incarnation, past) VALUES (?, 1, 'x', ?, 'a', ?, 1, ?)",
    );
    const add = old.prepare(
      "INSERT OR REPLACE INTO contexts (ns, id, revision, entry, version, incarnation, logged, past) VALUES (1, 'a', ?, ?, ?, 1, ?, ?)",
    );
    for (const at of [1, 2, 3]) {
      const entry = encodeEntry(
        entryOf("a", { version: String(at), data: { step: at }, revision: at, incarnation: 1 }),
      );
      const change = { kind: at === 1 ? "created" : "updated", contextId: "a", agentId: null, note: null };
      log.run(at, `[${JSON.stringify(change).slice(0, -1)},"entry":${entry}}]`, at, at - 1);
      add.run(at, entry, at, at, at - 1);
    }
    const read = old.prepare("SELECT entry, logged, past FROM contexts WHERE ns = ? AND id = ?");
    old.exec("PRAGMA application_id = 1396919601; PRAGMA user_version = 2");
    expect(read.get(1, "a")).toMatchObject({ logged: 3, past: 2 });

    await using manager = await openManager(`sqlite:${file}`, { historyLimit: 3 });
    await manager.update("a", { step: 4 }, "3");
    expect((await manager.history("a")).map(({ data }) => data["step"])).toEqual([1, 2, 3, 4]);
    const changes = manager.watch("a", { after: 0 });
    for (const step of [1, 2, 3, 4]) {
      expect((await changes.next()).value).toMatchObject({ revision: step, context: { data: { step } } });
    }
    expect(() => read.get(1, "a")).toThrow("no such column");
    expect(() => log.run(5, "[]", 5, 4)).toThrow("NOT NULL");
    old.close();
  });
});
