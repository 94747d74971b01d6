/** A file that an older version of this package has written goes on, and who has it open with that gets errors. */

import type { DatabaseSync as Database } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeEntry } from "../src/codec.ts";
import { initial } from "../src/engines/sqlite/migrations/0001-initial.ts";
import { historyInTheLog } from "../src/engines/sqlite/migrations/0002-history-in-the-log.ts";
import { updatesInTheLogAlone } from "../src/engines/sqlite/migrations/0003-updates-in-the-log-alone.ts";
import { archive } from "../src/engines/sqlite/migrations/0004-archive.ts";
import type { Entry } from "../src/entry.ts";
import { openManager } from "../src/index.ts";
import { entryOf } from "../src/testing/entries.ts";
import { hasSqlite, type Scratch, scratch } from "./engines/support.ts";

const isThere = await hasSqlite();
if (!isThere) console.info("sqlite-layouts.internal.test.ts: skipped: this Node has no node:sqlite that is new enough");

let directory: Scratch;

beforeEach(() => {
  directory = scratch();
});

afterEach(() => {
  directory.remove();
});

describe.skipIf(!isThere)("SQLite", () => {
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
    expect(() => log.run(5, "[]", 5, 4)).toThrow("no column named op");
    old.close();
  });

  it("goes on in a file that has versions in three places", async () => {
    const { DatabaseSync } = await import("node:sqlite");
    const file = directory.file("old.db");
    const old: Database = new DatabaseSync(file);
    for (const migration of [initial, historyInTheLog, updatesInTheLogAlone, archive]) old.exec(migration);
    old.exec("INSERT INTO namespaces (ns, name) VALUES (1, '')");
    const entry = (id: string, version: number, revision: number, parts: Partial<Entry> = {}): string =>
      encodeEntry(
        entryOf(id, { version: String(version), data: { step: version }, revision, incarnation: 1, ...parts }),
      );
    const keep = old.prepare(
      "INSERT INTO archive (revision, ns, id, version, incarnation, past, entry) VALUES (?, 1, 'a', ?, 1, ?, ?)",
    );
    keep.run(1, 1, 0, entry("a", 1, 1));
    keep.run(-1, 2, 1, entry("a", 2, 5)); // had no row alone
    const add = old.prepare(
      "INSERT INTO contexts (ns, id, revision, version, incarnation, in_log, past, entry) VALUES (1, ?, ?, ?, 1, ?, ?, ?)",
    );
    const lock = { owner: "ann", token: 9, sinceMs: 1, expiresAtMs: null, deadlineMs: null };
    const locked = entry("c", 1, 9, { lock });
    add.run("d", 6, 1, 0, 0, entry("d", 1, 6)); // made together with others
    add.run("c", 9, 1, 0, 0, locked);
    add.run("b", 2, 1, 1, 0, entry("b", 1, 2)); // has left the log
    add.run("a", 10, 3, 1, -1, entry("a", 3, 10)); // is newer in the log
    const log = old.prepare(
      `INSERT INTO log (revision, ns, folded, oldest, id, ids, version, incarnation, past, op, changes, entry)
        VALUES (?, 1, ?, 9, ?, ?, ?, ?, ?, 'x', ?, ?)`,
    );
    const change = { kind: "locked", contextId: "c", agentId: "ann", note: null };
    const told = `[${JSON.stringify(change).slice(0, -1)},"entry":${locked}}]`;
    log.run(9, 8, null, '["c"]', null, null, null, told, null);
    log.run(10, 10, "a", null, 3, 1, -1, "updated", entry("a", 3, 10));
    log.run(11, 10, "a", null, 4, 1, 10, "updated", entry("a", 4, 11));
    const read = old.prepare("SELECT entry FROM contexts WHERE ns = ? AND id = ?");
    old.exec("PRAGMA application_id = 1396919601; PRAGMA user_version = 4");
    expect(read.get(1, "b")).toBeDefined();

    await using manager = await openManager(`sqlite:${file}`, { historyLimit: 8 });
    expect(await manager.listContexts()).toEqual(["d", "c", "b", "a"]);
    const steps = async (id: string): Promise<unknown[]> => (await manager.history(id)).map(({ data }) => data["step"]);
    expect(await steps("a")).toEqual([1, 2, 3, 4]);
    expect(await manager.get("c")).toMatchObject({ lockedBy: "ann", lock: { token: 9 } });
    for (const id of ["b", "d"]) await manager.update(id, { step: 2 }, "1");
    expect(await manager.unlock("c", "ann")).toBe(true);
    // So many that everything is brought up to date and swept.
    for (let step = 5; step <= 600; step++) await manager.update("a", { step }, String(step - 1));
    for (const id of ["b", "d"]) expect(await steps(id)).toEqual([1, 2]);
    expect(await steps("c")).toEqual([1]);
    expect((await steps("a")).at(0)).toBe(592);
    const changes = manager.watch(undefined, { after: 8 });
    for (const kind of ["locked", "updated", "updated", "updated", "updated", "unlocked"]) {
      expect((await changes.next()).value).toMatchObject({ kind });
    }
    expect(old.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    expect(() => read.get(1, "b")).toThrow("no such column");
    expect(() => log.run(700, 0, "a", null, 5, 1, 11, "updated", null)).toThrow("no column named op");
    old.close();
  });
});
