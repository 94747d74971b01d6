/** What only SQLite can do wrong: files of others, old and new versions, full disks, two connections, clocks. */

import { spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import type { DatabaseSync as Database, StatementSync as Statement } from "node:sqlite";
import { basename, dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Engine } from "../src/engine.ts";
import { openSqlite } from "../src/engines/sqlite.ts";
import { currentBase, uptimeMs } from "../src/engines/sqlite/lease-clock.ts";
import { type AsyncSharedContextManager, managerOver, openManager } from "../src/index.ts";
import { commitOne, creates, entryOf, nextOf, replaces, transactionOf } from "../src/testing/entries.ts";
import { hasSqlite, type Scratch, scratch } from "./engines/support.ts";
import { refusalOf } from "./support.ts";

const isThere = await hasSqlite();
if (!isThere) console.info("sqlite.internal.test.ts: skipped: this Node has no node:sqlite that is new enough");
const { DatabaseSync, StatementSync } = isThere ? await import("node:sqlite") : {};

let directory: Scratch;
let file: string;
const opened: { close(): unknown }[] = [];

beforeEach(() => {
  directory = scratch();
  file = directory.file("contexts.db");
});

afterEach(async () => {
  vi.restoreAllMocks();
  for (const one of opened.splice(0).toReversed()) await one.close();
  directory.remove();
});

function closing<One extends { close(): unknown }>(one: One): One {
  opened.push(one);
  return one;
}

/** The connection of the engine that was opened last. */
let connection: Database;

async function openEngine(options = {}): Promise<Engine> {
  const limits = { historyLimit: 64, changeLogLimit: 10_000, ...options };
  const prepare = vi.spyOn(DatabaseSync!.prototype, "prepare");
  const engine = closing(await openSqlite(file, new URLSearchParams("synchronous=normal"), limits));
  connection = prepare.mock.contexts[0] as Database;
  prepare.mockRestore();
  return engine;
}

async function open(parameters = "synchronous=normal"): Promise<AsyncSharedContextManager> {
  return closing(await openManager(`sqlite:${file}?${parameters}`));
}

/** Another connection to the file, past the engine. */
function raw(): Database {
  if (DatabaseSync === undefined) throw new Error("no node:sqlite");
  return closing(new DatabaseSync(file));
}

/** Does something else in place of every statement that ends a commit, or around it. */
function interceptCommit(instead: (commit: () => void) => void): void {
  // oxlint-disable-next-line typescript/unbound-method -- it is called on the statement that it was called on
  const { run } = StatementSync!.prototype;
  vi.spyOn(StatementSync!.prototype, "run").mockImplementation(function (this: Statement, ...values) {
    if (this.sourceSQL !== "COMMIT") return run.apply(this, values);
    instead(() => run.apply(this, values));
    return { changes: 0, lastInsertRowid: 0 };
  });
}

/** The next commit fails as the driver says, and nothing else does. */
function failOnce(error: Error): void {
  let hasFailed = false;
  interceptCommit((commit) => {
    if (hasFailed) return commit();
    hasFailed = true;
    throw error;
  });
}

describe.skipIf(!isThere)("opening", () => {
  it("refuses an SQLite that may corrupt a file", async () => {
    const prepare = vi.spyOn(DatabaseSync!.prototype, "prepare");
    prepare.mockReturnValueOnce({ get: () => ({ version: "3.51.2" }) } as never);
    const { details } = await refusalOf("UNSUPPORTED", open());
    expect(details).toMatchObject({
      expected: expect.stringContaining("3.51.3"),
      received: expect.stringContaining("3.51.2"),
    });
  });

  it.each(["3.51.3", "3.100.0", "4.0.0"])("takes SQLite %s for new enough", async (version) => {
    vi.spyOn(DatabaseSync!.prototype, "prepare").mockReturnValueOnce({ get: () => ({ version }) } as never);
    await expect(open()).resolves.toBeDefined();
  });

  it("refuses a store that a newer version has written, and leaves it as it is", async () => {
    await (await open()).close();
    const database = raw();
    database.exec("PRAGMA user_version = 99");
    const { details } = await refusalOf("UNSUPPORTED", open());
    expect(details).toMatchObject({ feature: "this store", expected: expect.stringContaining("layout 99") });
    expect(database.prepare("PRAGMA user_version").get()).toEqual({ user_version: 99 });
  });

  it("refuses a database of another program, and leaves it as it is", async () => {
    const database = raw();
    database.exec("CREATE TABLE theirs (text TEXT); INSERT INTO theirs VALUES ('kept')");
    expect((await refusalOf("UNSUPPORTED", open())).details).toMatchObject({ feature: "this file" });
    expect(database.prepare("SELECT text FROM theirs").all()).toEqual([{ text: "kept" }]);
    expect(database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get()).toEqual({ tables: 1 });
  });

  it("refuses a file that is no database: CORRUPT, and the file is as it was", async () => {
    const text = "no database at all, but long enough to be one: ".repeat(50);
    writeFileSync(file, text);
    await refusalOf("CORRUPT", open());
    expect(readFileSync(file, "utf8")).toBe(text);
  });

  it("makes a new store of an empty file, once, whoever else opens it", async () => {
    writeFileSync(file, "");
    const managers = await Promise.all([open(), open(), open("namespace=other")]);
    await managers[0]?.create("a", {});
    expect(await Promise.all(managers.map((manager) => manager.size()))).toEqual([1, 1, 0]);
    expect(raw().prepare("PRAGMA user_version").get()).toEqual({ user_version: 5 });
  });

  it("keeps what is there when the layout is up to date", async () => {
    const first = await open();
    await first.create("a", { step: 1 });
    await first.close();
    expect((await (await open()).get("a"))?.data).toEqual({ step: 1 });
  });

  it("waits for another process that is writing", async () => {
    await (await open()).close();
    const database = raw();
    database.exec("BEGIN IMMEDIATE");
    const opening = open();
    await new Promise(setImmediate);
    database.exec("COMMIT");
    await expect(opening).resolves.toBeDefined();
  });

  it.each(["sqlite:", "sqlite:x?synchronous=off"])("refuses %s", async (url) => {
    expect((await refusalOf("INVALID", openManager(url))).details.argument).toBe("url");
  });

  it("of a directory that is not there is UNAVAILABLE", async () => {
    file = directory.file("nowhere/contexts.db");
    expect((await refusalOf("UNAVAILABLE", open())).cause).toBeInstanceOf(Error);
  });

  it("refuses a file system that grants no write-ahead log, as one without memory to share", async () => {
    // oxlint-disable-next-line typescript/unbound-method -- it is called on the connection that it was called on
    const { prepare } = DatabaseSync!.prototype;
    vi.spyOn(DatabaseSync!.prototype, "prepare").mockImplementation(function (this: Database, sql) {
      return prepare.call(this, sql.replace("journal_mode = WAL", "journal_mode = DELETE"));
    });
    const { message } = await refusalOf("UNSUPPORTED", openManager(`sqlite:${file}`));
    expect(message).toContain("WAL");
    expect(message).toContain("delete");
  });

  it("takes a path that begins with file: for a path, and for nothing in memory", async () => {
    const before = process.cwd();
    process.chdir(dirname(file));
    try {
      const manager = closing(await openManager("sqlite:file::memory:"));
      await manager.create("a", {});
      expect(manager.supports).toMatchObject({ durable: true, shared: true });
      expect(existsSync(directory.file("file::memory:"))).toBe(true);
    } finally {
      process.chdir(before);
    }
  });

  it("sets synchronous as it was told to: full without being told", async () => {
    const exec = vi.spyOn(DatabaseSync!.prototype, "exec");
    await open("");
    await open("synchronous=normal");
    const settings = exec.mock.calls.map(([sql]) => sql).filter((sql) => sql.includes("synchronous"));
    expect(settings).toEqual(["PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"]);
  });
});

describe.skipIf(!isThere)("namespaces", () => {
  it("have contexts, history and changes of their own, and one row of revisions", async () => {
    const [one, other] = [await open("namespace=one"), await open("namespace=other")];
    const first = await one.create("a", { of: "one" });
    const second = await other.create("a", { of: "other" });
    expect(second.revision).toBeGreaterThan(first.revision ?? 0);
    await one.clear();
    expect([await one.size(), await other.size()]).toEqual([0, 1]);
    const stream = other.watch(undefined, { after: 0 });
    expect((await stream.next()).value).toMatchObject({ kind: "created", context: { data: { of: "other" } } });
    await stream.return?.();
  });
});

describe.skipIf(!isThere)("two connections", () => {
  it("never see what is out of date, whatever each has read before", async () => {
    const [one, other] = [await openEngine(), await openEngine()];
    let entry = entryOf("a");
    let revision = await commitOne(one, creates(entry));
    for (let turn = 0; turn < 20; turn++) {
      const [writer, reader] = turn % 2 === 0 ? [one, other] : [other, one];
      await reader.load(["a", "none"], true);
      entry = nextOf(entry);
      revision = await commitOne(writer, replaces(entry, revision));
      if (turn % 3 === 0) {
        const page = await reader.list({ prefix: "", after: undefined, limit: 10 });
        expect([page.entries[0]?.revision, page.head]).toEqual([revision, revision]);
      }
      const { entries, head } = await reader.load(["a"]);
      expect([entries[0]?.version, entries[0]?.revision, head]).toEqual([entry.version, revision, revision]);
    }
  });

  it.each([1, 10_000])("see what is new however long they have slept, with a log of %i", async (changeLogLimit) => {
    const [one, other] = [await openEngine({ changeLogLimit }), await openEngine({ changeLogLimit })];
    const ids = ["a", "b", "c"];
    const revisions: number[] = [];
    for (const id of ids) revisions.push(await commitOne(other, creates(entryOf(id))));
    let [entry, revision] = [entryOf("a"), revisions[0]!];
    for (const commits of [1, 255, 300, 600, 1_200]) {
      await one.load(ids);
      for (let commit = 0; commit < commits; commit++) {
        entry = nextOf(entry);
        revision = await commitOne(other, replaces(entry, revision));
      }
      const { entries, head } = await one.load(ids);
      expect([...entries.map((found) => found?.revision), head]).toEqual([
        revision,
        revisions[1],
        revisions[2],
        revision,
      ]);
    }
  });

  it("understand rows that the driver gives as objects, as before Node 22.16", async () => {
    vi.spyOn(StatementSync!.prototype, "setReturnArrays").mockReturnValue();
    const [one, other] = [await open(), await open()];
    await one.create("a", { step: 1 });
    expect((await other.get("a"))?.version).toBe("1");
    await one.update("a", { step: 2 }, "1");
    expect((await other.get("a"))?.data).toEqual({ step: 2 });
    await one.delete("a");
    expect(await other.get("a")).toBeUndefined();
  });

  it("hear of several contexts in one commit, of deletions, and of all being cleared", async () => {
    const [one, other] = [await open(), await open()];
    const agent = other.agent("ann");
    for (const id of ["a", "b", "c"]) await other.create(id, { step: 0 });
    const steps = async (): Promise<unknown[]> =>
      Promise.all(["a", "b", "c"].map(async (id) => (await one.get(id))?.data["step"]));
    for (const id of ["a", "b"]) await other.update(id, { step: 1 }, "1");
    expect(await steps()).toEqual([1, 1, 0]);
    await agent.transact(async (tx) => {
      await tx.patch("a", { step: 2 });
      await tx.patch("b", { step: 2 });
    });
    expect(await steps()).toEqual([2, 2, 0]);
    const lease = await agent.acquire(["a", "b"], { ttlMs: 60_000 });
    await lease.renew();
    expect((await one.get("a"))?.lock?.expiresAt).toEqual((await other.get("a"))?.lock?.expiresAt);
    await lease.update("a", { step: 3 }, "3");
    await other.delete("c");
    expect(await steps()).toEqual([3, 2, undefined]);
    await other.clear();
    expect(await steps()).toEqual([undefined, undefined, undefined]);
  });

  it("do not build on what was in the file before it was put back from a copy", async () => {
    const engine = await openEngine();
    const entry = entryOf("a");
    const first = await commitOne(engine, creates(entry));
    const second = await commitOne(engine, replaces(nextOf(entry), first));
    raw().prepare("DELETE FROM log WHERE revision = ?").run(second);
    const next = { ...nextOf(nextOf(entry)), revision: -1 };
    expect(await engine.commit([transactionOf(replaces(next, second))])).toEqual([{ kind: "mismatch" }]);
    expect((await engine.load(["a"])).entries[0]?.version).toBe("1");
  });

  it("do not keep what was rolled back", async () => {
    const [one, other] = [await openEngine(), await openEngine()];
    const entry = entryOf("a");
    const revision = await commitOne(one, creates(entry));
    const full = Object.assign(new Error("database or disk is full"), { errcode: 13 });
    failOnce(full);
    const attempt = one.commit([transactionOf(replaces(nextOf(entry), revision), creates(entryOf("b")))]);
    expect((await refusalOf("UNAVAILABLE", attempt)).cause).toBe(full);
    for (const reader of [one, other]) {
      const { entries, head } = await reader.load(["a", "b"]);
      expect([entries[0]?.version, entries[1], head]).toEqual(["1", undefined, revision]);
    }
    expect(await commitOne(one, creates(entryOf("b")))).toBeGreaterThan(revision);
  });

  it("get revisions of their own when a commit is tried again, in what is told as in what is stored", async () => {
    const [one, other] = [await openEngine(), await openEngine()];
    const entry = entryOf("a");
    const first = await commitOne(one, creates(entry));
    failOnce(Object.assign(new Error("database is locked"), { errcode: 5 }));
    // oxlint-disable-next-line typescript/unbound-method -- it is called on the connection that it was called on
    const { exec } = DatabaseSync!.prototype;
    let between: Promise<number> | undefined;
    vi.spyOn(DatabaseSync!.prototype, "exec").mockImplementation(function (this: Database, sql) {
      exec.call(this, sql);
      if (sql === "ROLLBACK") between ??= commitOne(other, creates(entryOf("b")));
    });
    const next = {
      ...nextOf(entry),
      lock: { owner: "ann", token: -1, sinceMs: 0, expiresAtMs: null, deadlineMs: null },
    };
    const created = entryOf("c", {}, 1);
    const outcomes = await one.commit([transactionOf(replaces(next, first)), transactionOf(creates(created))]);
    expect(await between).toBe(first + 1);
    expect(outcomes).toEqual([2, 3].map((n) => ({ kind: "ok", revision: first + n })));
    expect([next.revision, next.incarnation, next.lock.token]).toEqual([first + 2, first, first + 2]);
    expect([created.revision, created.incarnation]).toEqual([first + 3, first + 3]);
    const { entries } = await other.load(["a", "c"]);
    expect(entries.map((stored) => stored?.revision)).toEqual([first + 2, first + 3]);
    expect(entries[0]?.lock?.token).toBe(first + 2);
    const { changes } = await other.changes({ after: first + 1, limit: 10 });
    expect(changes.map((change) => change.entry?.revision)).toEqual([first + 2, first + 3]);
  });

  it("find out in the log what became of a commit that has ended in an error", async () => {
    const engine = await openEngine();
    const failure = new Error("cut off");
    const failAfter = (end: "COMMIT" | "ROLLBACK"): void => {
      interceptCommit(() => {
        connection.exec(end);
        throw failure;
      });
    };
    failAfter("COMMIT");
    expect(await engine.commit([transactionOf(creates(entryOf("a")))])).toEqual([{ kind: "ok", revision: 1 }]);
    vi.restoreAllMocks();
    failAfter("ROLLBACK");
    const attempt = engine.commit([transactionOf(creates(entryOf("b")))]);
    expect((await refusalOf("UNAVAILABLE", attempt)).cause).toBe(failure);
    vi.restoreAllMocks();
    expect((await engine.load(["a", "b"])).entries.map((entry) => entry?.revision)).toEqual([1, undefined]);
  });

  it("say that an outcome is not known when the log cannot be read either", async () => {
    const engine = await openEngine();
    const failure = new Error("cut off");
    interceptCommit((commit) => {
      commit();
      vi.spyOn(StatementSync!.prototype, "get").mockImplementationOnce(() => {
        throw failure;
      });
      throw failure;
    });
    const outcomes = await engine.commit([transactionOf(creates(entryOf("a")))]);
    expect(outcomes).toEqual([{ kind: "indeterminate", cause: failure }]);
  });

  it.each([
    ["let nobody write between what a commit reads and what it writes", "BEGIN IMMEDIATE", ["database is locked"]],
    ["would, if a commit took the write lock only when it writes", "BEGIN DEFERRED", ["written"]],
  ])("%s", async (_name, begin, expected) => {
    // oxlint-disable-next-line typescript/unbound-method -- it is called on the connection that it was called on
    const { prepare } = DatabaseSync!.prototype;
    vi.spyOn(DatabaseSync!.prototype, "prepare").mockImplementation(function (this: Database, sql) {
      return prepare.call(this, sql === "BEGIN IMMEDIATE" ? begin : sql);
    });
    const engine = await openEngine();
    const other = raw();
    const tried: string[] = [];
    for (const method of ["get", "all"] as const) {
      const original = StatementSync!.prototype[method] as (...values: unknown[]) => never;
      vi.spyOn(StatementSync!.prototype, method).mockImplementation(function (this: Statement, ...values) {
        const read = original.apply(this, values);
        if (!connection.isTransaction || tried.length > 0) return read;
        try {
          other.exec("CREATE TABLE written (at)");
          tried.push("written");
        } catch (error) {
          tried.push((error as Error).message);
        }
        return read;
      });
    }
    expect((await engine.commit([transactionOf(creates(entryOf("a")))])).map(({ kind }) => kind)).toEqual(["ok"]);
    expect(tried).toEqual(expected);
  });

  it("leave no gap in the log when one trims what the other reads", async () => {
    const [one, other] = [await openEngine({ changeLogLimit: 1 }), await openEngine({ changeLogLimit: 1 })];
    let entry = entryOf("a");
    let revision = await commitOne(one, creates(entry));
    const seen: number[] = [revision];
    for (let turn = 0; turn < 300; turn++) {
      entry = nextOf(entry);
      revision = await commitOne(other, replaces(entry, revision));
      const after = seen.at(-1) ?? 0;
      const { changes, oldest } = await one.changes({ after, limit: 10 });
      expect(oldest <= after + 1).toBe(true);
      seen.push(...changes.map((change) => change.revision));
    }
    expect(seen.length).toBe(301);
  });

  it("leave no gap when the log is trimmed between the reading of its ends and of its rows", async () => {
    const [one, other] = [await openEngine(), await openEngine({ changeLogLimit: 1 })];
    const entry = entryOf("a");
    const first = await commitOne(one, creates(entry));
    await commitOne(one, replaces(nextOf(entry), first));
    // oxlint-disable-next-line typescript/unbound-method -- it is called on the statement that it was called on
    const { get } = StatementSync!.prototype;
    vi.spyOn(StatementSync!.prototype, "get").mockImplementation(function (this: Statement, ...values) {
      const row = get.apply(this, values);
      if (this.sourceSQL.includes("AS head")) trim();
      return row;
    });
    // What the first commit of an engine does: it drops what is too old.
    const trim = (): void => raw().exec("DELETE FROM log WHERE revision < 2; UPDATE log SET oldest = 2");
    const { changes, oldest } = await one.changes({ after: 0, limit: 10 });
    vi.restoreAllMocks();
    expect([oldest, changes.map(({ revision }) => revision)]).toEqual([1, [1, 2]]);
    expect((await other.changes({ after: 0, limit: 10 })).oldest).toBe(2);
  });

  it("load several contexts as of one moment, whoever commits between the reading of one and the next", async () => {
    const other = await openEngine();
    const entries = [entryOf("a"), entryOf("b")];
    const first = await commitOne(other, ...entries.map(creates));
    const one = await openEngine();
    // oxlint-disable-next-line typescript/unbound-method -- it is called on the statement that it was called on
    const { get } = StatementSync!.prototype;
    let between: Promise<number> | undefined;
    vi.spyOn(StatementSync!.prototype, "get").mockImplementation(function (this: Statement, ...values) {
      const row = get.apply(this, values);
      if (values.includes("a")) between ??= commitOne(other, ...entries.map((entry) => replaces(nextOf(entry), first)));
      return row;
    });
    const loaded = await one.load(["a", "b"]);
    expect(await between).toBe(first + 1);
    expect([loaded.head, loaded.entries.map((entry) => entry?.revision)]).toEqual([first, [first, first]]);
    expect((await one.load(["a", "b"])).entries.map((entry) => entry?.revision)).toEqual([first + 1, first + 1]);
  });

  it("wait for a lock of the file and go on when it is free", async () => {
    const engine = await openEngine();
    const database = raw();
    database.exec("BEGIN IMMEDIATE");
    const committing = commitOne(engine, creates(entryOf("a")));
    let turns = 0;
    while (turns < 5) {
      await new Promise(setImmediate); // the event loop goes on meanwhile
      turns += 1;
    }
    database.exec("COMMIT");
    expect(await committing).toBe(1);
  });

  it("read again what is locked while another process opens or closes the file", async () => {
    const engine = await openEngine();
    const revision = await commitOne(engine, creates(entryOf("a")));
    await commitOne(engine, { ...replaces(nextOf(entryOf("a")), revision), keeps: true });
    const reads: [string, () => Promise<unknown>][] = [
      ["load", () => engine.load(["a"], true)],
      ["list", () => engine.list({ prefix: "", after: undefined, limit: 10 })],
      ["changes", () => engine.changes({ after: 0, limit: 10 })],
      ["history", () => engine.history("a")],
    ];
    for (const [name, read] of reads) {
      const { time: _, ...before } = (await read()) as Record<string, unknown>;
      let refusals = 0;
      for (const method of ["get", "all"] as const) {
        const original = StatementSync!.prototype[method] as (...values: unknown[]) => never;
        vi.spyOn(StatementSync!.prototype, method).mockImplementation(function (this: Statement, ...values) {
          if (refusals++ < 3) throw Object.assign(new Error("database is locked"), { errcode: 261 });
          return original.apply(this, values);
        });
      }
      const { time: _later, ...after } = (await read()) as Record<string, unknown>;
      vi.restoreAllMocks();
      expect([name, after, refusals > 3]).toEqual([name, before, true]);
    }
  });
});

describe.skipIf(!isThere)("what is damaged", () => {
  it.each([
    ["no JSON", "{"],
    ["no object", "[]"],
    ["without data", '{"version":"1"}'],
    [
      "with a version that is none",
      '{"version":1,"data":{},"createdAtMs":1,"updatedAtMs":1,"revision":1,"incarnation":1}',
    ],
    ["without a revision", '{"version":"1","data":{},"createdAtMs":1,"updatedAtMs":1,"incarnation":1}'],
  ])("an entry that is %s is CORRUPT, and the others are as good as ever", async (_what, text) => {
    const other = await open();
    for (const id of ["a", "b"]) await other.create(id, {});
    raw().prepare("UPDATE log SET entry = ? WHERE id = 'a'").run(text);
    const manager = await open();
    expect((await refusalOf("CORRUPT", manager.get("a"))).details.where).toContain('"a"');
    await refusalOf("CORRUPT", manager.agent("ann").patch("a", {}));
    expect((await manager.agent("ann").patch("b", { step: 1 })).version).toBe("2");
    expect(await manager.delete("b")).toBe(true);
  });

  it("an update that is damaged is CORRUPT, and stays so when the contexts are brought up to date", async () => {
    const other = await open();
    for (const id of ["a", "b"]) await other.create(id, { step: 0 });
    await other.update("a", { step: 1 }, "1");
    raw().exec("UPDATE log SET entry = '{' WHERE id = 'a'");
    const manager = await open();
    await refusalOf("CORRUPT", manager.get("a"));
    for (let step = 1; step <= 300; step++) await manager.update("b", { step }, String(step));
    await refusalOf("CORRUPT", manager.get("a"));
    await refusalOf("CORRUPT", (await open()).get("a"));
    expect((await (await open()).get("b"))?.version).toBe("301");
  });

  it("a row of the change log that is no JSON is CORRUPT", async () => {
    const manager = await open();
    await manager.create("a", {});
    raw().exec("UPDATE log SET changes = '{'");
    await refusalOf("CORRUPT", manager.watch(undefined, { after: 0 }).next());
    expect((await manager.get("a"))?.version).toBe("1");
  });
});

/** Runs a script in a process of its own: files that it may not write, or not so long. */
function run(limits: string, script: string): { status: number | null; stdout: string; stderr: string } {
  const command = `${limits} exec "$0" --no-warnings --input-type=module -e "$1"`;
  return spawnSync("sh", ["-c", command, process.execPath, script], { encoding: "utf8", timeout: 20_000 });
}

/** Plain Node runs the sources where it strips types; only then can a test start a process of its own with them. */
const stripsTypes = (process.features as { typescript?: unknown }).typescript === "strip";
if (isThere && !stripsTypes)
  console.info("sqlite.internal.test.ts: skipped the full disk: this Node cannot load the sources");

describe.skipIf(!isThere || !stripsTypes)("a full disk", () => {
  it("is UNAVAILABLE, changes nothing, and the store is good afterwards", async () => {
    const manager = await open("synchronous=full");
    await manager.create("a", { step: 1 });
    await manager.close();
    const index = new URL("../src/index.ts", import.meta.url).href;
    const { stdout, stderr } = run(
      "ulimit -f 600; trap '' XFSZ;",
      `import { openManager } from ${JSON.stringify(index)};
       const manager = await openManager(${JSON.stringify(`sqlite:${file}`)});
       const written = [];
       let code = "none";
       for (let index = 0; index < 60 && code === "none"; index++) {
         const id = "id-" + index;
         await manager.create(id, { text: "x".repeat(20000) }).then(() => written.push(id), (error) => { code = error.code; });
       }
       const read = (await manager.get("a"))?.data.step;
       const there = (await manager.listContexts()).length;
       await manager.close();
       console.log(JSON.stringify({ code, read, written, there }));`,
    );
    const told = JSON.parse(stdout || JSON.stringify({ stderr })) as { code: string; written: string[]; there: number };
    expect(told).toMatchObject({ code: "UNAVAILABLE", read: 1, there: told.written?.length + 1 });
    const again = await open();
    expect(await again.listContexts()).toEqual(["a", ...told.written]);
    expect((await again.agent("ann").patch("a", { step: 2 })).version).toBe("2");
    expect(raw().prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  });
});

describe.skipIf(!isThere)("a file that cannot be opened", () => {
  it("is UNAVAILABLE, by its path: its folder may be missing, or it may be one", async () => {
    for (const path of [directory.file("none/contexts.db"), dirname(file)]) {
      const { message } = await refusalOf("UNAVAILABLE", openManager(`sqlite:${path}`));
      expect(message).toContain(`SQLite at ${path}: unable to open`);
    }
  });
});

describe.skipIf(!isThere || !stripsTypes)("a file that its mode keeps a process from writing", () => {
  it("is UNAVAILABLE to open, and as good as before when it may be written again", () => {
    const source = (path: string): string => JSON.stringify(new URL(`../src/${path}`, import.meta.url).href);
    const nobody = 65_534;
    // Root may write whatever the mode says.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) chownSync(dirname(file), nobody, nobody);
    const { stdout, stderr } = run(
      "",
      `import { chmodSync, readdirSync } from "node:fs";
       import { dirname } from "node:path";
       import { openManager } from ${source("index.ts")};
       import ${source("engines/sqlite.ts")};
       if (${isRoot}) (process.setgroups([]), process.setgid(${nobody}), process.setuid(${nobody}));
       const file = ${JSON.stringify(file)};
       const open = () => openManager("sqlite:" + file);
       const first = await open();
       await first.create("a", {});
       await first.close();
       chmodSync(file, 0o444);
       const refused = await open().then(() => "opened", (error) => error.code + " " + error.message);
       const left = readdirSync(dirname(file));
       chmodSync(file, 0o644);
       const again = await open();
       const { version } = await again.update("a", { step: 1 }, "1");
       await again.close();
       console.log(JSON.stringify({ refused, left, version }));`,
    );
    const told = JSON.parse(stdout || JSON.stringify({ stderr })) as object;
    expect(told).toEqual({
      refused: expect.stringMatching(/^UNAVAILABLE .*may not write the file/) as string,
      left: [basename(file)],
      version: "2",
    });
  });
});

describe.skipIf(!isThere || !stripsTypes)("a process that is killed", () => {
  it("takes nothing with it that was acknowledged, and leaves at most the write that was under way", async () => {
    await (await open()).close();
    const index = new URL("../src/index.ts", import.meta.url).href;
    const script = `import { openManager } from ${JSON.stringify(index)};
      const manager = await openManager(${JSON.stringify(`sqlite:${file}`)});
      const from = await manager.size();
      for (let id = from; ; id++) {
        await manager.create(String(id), {});
        process.stdout.write(id + "\\n");
      }`;
    for (let kill = 1; kill <= 2; kill++) {
      const acknowledged = await killedAfter(script, 10);
      const there = await (await open()).size();
      expect([0, 1]).toContain(there - 1 - acknowledged);
    }
  });
});

/** The last number that a process has printed before it was killed in the middle of its work. */
async function killedAfter(script: string, lines: number): Promise<number> {
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", script]);
  let printed = "";
  child.stdout.on("data", (text: Buffer) => {
    printed += text.toString();
    if (printed.split("\n").length > lines) child.kill("SIGKILL");
  });
  await new Promise((resolve) => {
    child.on("close", resolve);
  });
  return Number(/(\d+)\n[^\n]*$/.exec(printed)?.[1]);
}

describe.skipIf(!isThere)("a file that cannot be written", () => {
  it("is UNAVAILABLE, and good when it can be written again", async () => {
    const manager = await open();
    const context = await manager.create("a", { step: 1 });
    const run = vi.spyOn(StatementSync!.prototype, "run");
    const readOnly = Object.assign(new Error("attempt to write a readonly database"), { errcode: 8 });
    run.mockImplementation(() => {
      throw readOnly;
    });
    const { details, cause } = await refusalOf("UNAVAILABLE", manager.update("a", { step: 2 }, context));
    expect([details.reason, cause]).toEqual([expect.stringContaining("readonly"), readOnly]);
    run.mockRestore();
    expect((await manager.get("a"))?.version).toBe("1");
    expect((await manager.update("a", { step: 2 }, context)).version).toBe("2");
  });
});

describe.skipIf(!isThere)("clocks", () => {
  it("a jump of the wall clock by an hour, either way, changes no outcome", async () => {
    const manager = await open();
    let context = await manager.create("a", { step: 0 });
    const lease = await manager.agent("ann").acquire("a", { ttlMs: 60_000, maxHoldMs: 0 });
    const now = Date.now();
    for (const jumpMs of [3_600_000, -3_600_000]) {
      vi.spyOn(Date, "now").mockReturnValue(now + jumpMs);
      expect(await manager.lock("a", "bob")).toBe(false);
      context = await lease.update("a", { step: jumpMs }, context);
      expect(context.updatedAt.getTime()).toBe(now + jumpMs);
    }
    await lease.release();
    expect(await manager.lock("a", "bob", { ttlMs: 1 })).toBe(true);
  });

  it("after a new start of the machine every lease has lapsed, and lease time has gone on", async () => {
    const manager = await open();
    await manager.create("a", {});
    const lease = await manager.agent("ann").acquire("a", { ttlMs: 3_600_000 });
    const engine = await openEngine();
    const { time: before } = await engine.load([]);
    await engine.close();
    raw().exec(`UPDATE meta SET value = json_set(value, '$.boot', 'another') WHERE name = 'lease_base'`);
    const after = await managerOver(closing(await openEngine()));
    opened.push(after);
    expect(await after.lock("a", "bob")).toBe(true);
    const { time } = await (await openEngine()).load([]);
    expect(time.leaseMs).toBeGreaterThan(before.leaseMs + 3_500_000);
    await refusalOf("LEASE_LOST", lease.patch("a", {}));
  });

  it("the base is kept within one start, and where nothing is known of starts, as long as time goes on", () => {
    const nowMs = uptimeMs();
    const kept = currentBase(undefined, () => 0);
    expect(currentBase({ ...kept, offsetMs: 7 }, () => Infinity)).toMatchObject({ boot: kept.boot, offsetMs: 7 });
    const unnamed = { boot: undefined, offsetMs: 7 };
    expect(currentBase({ ...unnamed, seenMs: nowMs }, () => Infinity).offsetMs).toBe(7);
    const later = currentBase({ ...unnamed, seenMs: nowMs + 3_600_000 }, () => nowMs + 9_000_000);
    expect(later.offsetMs).toBeGreaterThan(8_000_000);
  });
});

describe.skipIf(isThere)("without node:sqlite", () => {
  it("opening is UNSUPPORTED and says what is needed", async () => {
    expect(await refusalOf("UNSUPPORTED", open())).toMatchObject({
      details: { feature: "sqlite:", expected: expect.stringMatching(/22\.13|3\.51\.3/) },
    });
  });
});
