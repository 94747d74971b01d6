/**
 * SQLite keeps every version in its change log, and those that are still needed when that goes on without them. Whatever
 * happens, it must tell the same as the reference. SEED=n runs one seed again.
 */

import type { DatabaseSync as Database, StatementSync as Statement } from "node:sqlite";
import { isDeepStrictEqual } from "node:util";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../src/clock.ts";
import type { Engine, EngineOptions, Transaction, Write } from "../src/engine.ts";
import { MemoryEngine } from "../src/engines/memory.ts";
import { openSqlite } from "../src/engines/sqlite.ts";
import { Contexts } from "../src/engines/sqlite/contexts.ts";
import { SQL } from "../src/engines/sqlite/statements.ts";
import type { Entry } from "../src/entry.ts";
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
const runs = Math.max(2, Number(process.env["SHARED_CONTEXT_SEEDS"] ?? 0) / 20);
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

/** What is there, in which order, and what was there before. */
async function everythingOf(engine: Engine, id: string): Promise<unknown[]> {
  const { entries } = await engine.load(IDS);
  const page = await engine.list({ prefix: "", after: undefined, limit: 10 });
  return [entries, page.entries, await engine.history(id)].map((some) => some.map((entry) => entry && content(entry)));
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

/** So many versions of each, in turns. @returns the last revision. */
async function filled(engine: Engine, ids: readonly string[], versions: number): Promise<number> {
  const present = new Map<string, Entry>();
  for (let round = 0; round < versions; round++) {
    for (const id of ids) {
      const before = present.get(id);
      const write = before === undefined ? creates(entryOf(id)) : replaces(nextOf(before), before.revision);
      await engine.commit([transactionOf(write)]);
      present.set(id, write.next!);
    }
  }
  return ids.length * versions;
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
    ["versions go with the rest of the log", () => change(SQL.trimLog, " AND version IS NULL", "")],
    ["versions that are needed are swept away", () => change(SQL.sweep, "- ?3", "- 0 * ?3")],
    [
      "what is there is swept away",
      () => change(SQL.sweep, " AND log.revision <> iif(apart, apart, contexts.revision)", ""),
    ],
    [
      "what is there and has no row alone is swept away",
      () => change(SQL.sweep, "iif(apart, apart, contexts.revision)", "contexts.revision"),
    ],
    [
      "what has no row alone is looked for at its revision",
      () =>
        change(
          SQL.contextOf,
          "ON log.revision = iif(apart, apart, contexts.revision)",
          "ON log.revision = contexts.revision",
        ),
    ],
    ["an update does not say where it is", () => change(SQL.fold, ", apart = 0", "")],
    [
      "an update that a lock has followed is brought up to date once more",
      () => change(SQL.fold, " AND contexts.revision < log.revision", ""),
    ],
    ["history is not forgotten", () => vi.spyOn(Contexts.prototype, "clear").mockReturnValue()],
    ["the commits of others are not heard of", () => vi.spyOn(Contexts.prototype, "hear").mockReturnValue()],
    ["the contexts are not brought up to date", () => leaveOut(SQL.fold)],
  ])("would be another if %s", async (_wrong, mutate) => {
    await mutate();
    // What should be there and is not is CORRUPT.
    const found = difference(randomFrom(1), { historyLimit: 40, changeLogLimit: 1 }).catch((error: unknown) => error);
    expect(await found).toBeDefined();
  });

  it("tells no change that is older than its log, though the version is there", async () => {
    const options = { historyLimit: 64, changeLogLimit: 1 };
    const engine = await openSqlite(directory.file("x.db"), new URLSearchParams("synchronous=normal"), options);
    const head = await filled(engine, ["a"], 300);
    const { changes, oldest } = await engine.changes({ after: 0, limit: 1_000 });
    expect(oldest).toBeGreaterThan(200);
    expect(changes.map(({ revision }) => revision)).toEqual(
      Array.from({ length: head + 1 - oldest }, (_, index) => oldest + index),
    );
    expect(await engine.history("a")).toHaveLength(64);
    await engine.close();
  });

  it("is as it was when the contexts cannot be brought up to date, and goes on when they can", async () => {
    const engine = await openSqlite(directory.file("x.db"), new URLSearchParams(), {
      historyLimit: 64,
      changeLogLimit: 1,
    });
    const { DatabaseSync } = await import("node:sqlite");
    const file = new DatabaseSync(directory.file("x.db"));
    file.exec("CREATE UNIQUE INDEX stopping ON contexts (ns) WHERE version > 1");
    await expect(filled(engine, ["a", "b"], 200)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    const { entries, head } = await engine.load(["a", "b"]);
    expect([head, ...entries.map((entry) => entry?.revision)]).toEqual([256, 255, 256]);
    expect(file.prepare("SELECT max(version) AS newest, count(*) AS rows FROM contexts").get()).toEqual({
      newest: 1,
      rows: 2,
    });
    file.exec("DROP INDEX stopping");
    file.close();
    const [entry] = entries;
    await engine.commit([transactionOf(replaces(nextOf(entry!), entry!.revision))]);
    expect((await engine.history("a")).at(-1)?.revision).toBe(255);
    await engine.close();
  });

  it("ends where a version was swept away and a later one has its place", async () => {
    const options = { historyLimit: 10, changeLogLimit: 10 };
    const open = (): Promise<Engine> => openSqlite(directory.file("x.db"), new URLSearchParams(), options);
    const engine = await open();
    await filled(engine, ["a"], 4);
    await engine.close();
    const { DatabaseSync } = await import("node:sqlite");
    const file = new DatabaseSync(directory.file("x.db"));
    file.exec("UPDATE log SET past = 4 WHERE revision = 2");
    file.close();
    const again = await open();
    expect((await again.history("a")).map(({ version }) => version)).toEqual(["2", "3"]);
    await again.close();
  });

  it("takes at most twice the place of the versions that are kept: the others are swept away", async () => {
    const options = { historyLimit: 5, changeLogLimit: 1 };
    const engine = await openSqlite(directory.file("x.db"), new URLSearchParams("synchronous=normal"), options);
    const ids = Array.from({ length: 200 }, (_, index) => `id-${index}`);
    await filled(engine, ids, 30);
    const history = await engine.history("id-7");
    expect(history.map(({ version }) => version)).toEqual(["25", "26", "27", "28", "29"]);
    await engine.close();
    const { DatabaseSync } = await import("node:sqlite");
    const file = new DatabaseSync(directory.file("x.db"));
    const { rows } = file.prepare("SELECT count(*) AS rows FROM log").get() as { rows: number };
    file.close();
    expect([rows >= 1_200, rows < 2_400]).toEqual([true, true]);
  });
});
