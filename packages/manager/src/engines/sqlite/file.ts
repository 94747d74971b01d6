/// <reference types="node" />
/** The driver, and a file that is a store of this package in its newest layout. */

import { accessSync, constants, existsSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { ContextError } from "../../errors.ts";
import { translated } from "./busy.ts";
import { initial } from "./migrations/0001-initial.ts";
import { historyInTheLog } from "./migrations/0002-history-in-the-log.ts";
import { updatesInTheLogAlone } from "./migrations/0003-updates-in-the-log-alone.ts";
import { archive } from "./migrations/0004-archive.ts";
import { aVersionInOnePlace } from "./migrations/0005-a-version-in-one-place.ts";
import { SQL } from "./statements.ts";

const MIGRATIONS = [initial, historyInTheLog, updatesInTheLogAlone, archive, aVersionInOnePlace];
/** Marks a file as one of ours. */
const APPLICATION_ID = 0x53434d31;
/** A bug in the write-ahead log of earlier ones can corrupt a file that several processes write. */
const OLDEST_SQLITE = "3.51.3";
/** The log before the file may grow to so many: 16 MB. Each time it is emptied, it is synchronised twice. */
const CHECKPOINT_PAGES = 4_000;
/** Of what has been read. SQLite's own choice, 2 MB, is less than the inner pages of a million contexts. */
const CACHED_KB = 8_000;

export async function loadDriver(): Promise<{ readonly DatabaseSync: typeof DatabaseSync }> {
  try {
    return await import("node:sqlite");
  } catch {
    throw new ContextError("UNSUPPORTED", {
      feature: "sqlite:",
      expected: "Node 22.13 or newer, which has node:sqlite",
      received: typeof process === "undefined" ? "a runtime without it" : `Node ${process.version}`,
    });
  }
}

/** SQLite would open such a file, and leave others beside it that nobody may write once this one may be written again. */
export function checkWritable(path: string): void {
  if (!existsSync(path)) return;
  try {
    accessSync(path, constants.W_OK);
  } catch (error) {
    const reason = "SQLite: this process may not write the file, which every process must that opens it";
    const failure = new ContextError("UNAVAILABLE", { reason });
    failure.cause = error;
    throw failure;
  }
}

/** The driver says that it is unable to open a file, and not which one. */
export function openFile(Database: typeof DatabaseSync, path: string): DatabaseSync {
  try {
    // The driver would take what begins with file: for a URL, whose parameters could make something else of it.
    return new Database(path.startsWith("file:") ? `./${path}` : path, { timeout: 0 });
  } catch (error) {
    throw translated(error, ` at ${path}`);
  }
}

export function checkVersion(database: DatabaseSync): void {
  const { version } = database.prepare(SQL.sqliteVersion).get() as { version: string };
  const isOlder = version.localeCompare(OLDEST_SQLITE, "en", { numeric: true }) < 0;
  if (!isOlder) return;
  throw new ContextError("UNSUPPORTED", {
    feature: "sqlite:",
    expected: `SQLite ${OLDEST_SQLITE} or newer: earlier ones have a bug that can corrupt a file with several writers`,
    received: `SQLite ${version}; a newer Node has it`,
  });
}

export function prepareFile(database: DatabaseSync, isFile: boolean, synchronous: "full" | "normal"): void {
  const { journal_mode: journal } = database.prepare("PRAGMA journal_mode = WAL").get() as { journal_mode: string };
  // Not granted is no error to SQLite, and no other journal lets others read while one writes.
  if (isFile && journal !== "wal") {
    throw new ContextError("UNSUPPORTED", {
      feature: "this file",
      expected:
        "one on a disk of this machine, where SQLite can have a write-ahead log (WAL); network shares have none",
      received: `one with the journal mode ${journal}`,
    });
  }
  database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  database.exec(`PRAGMA cache_size = -${CACHED_KB}`);
  database.exec(`PRAGMA synchronous = ${synchronous.toUpperCase()}`);
  if (layoutOf(database) === MIGRATIONS.length) return;
  inTransaction(database, () => {
    const layout = layoutOf(database);
    if (layout > MIGRATIONS.length) {
      throw new ContextError("UNSUPPORTED", {
        feature: "this store",
        expected: `a newer version of this package: the store has layout ${layout}`,
        received: `one that knows layouts up to ${MIGRATIONS.length}`,
      });
    }
    for (const migration of MIGRATIONS.slice(layout)) database.exec(migration);
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length}`);
  });
}

/** How many migrations the file has seen. */
function layoutOf(database: DatabaseSync): number {
  const { user_version: layout } = database.prepare(SQL.userVersion).get() as { user_version: number };
  const { application_id: id } = database.prepare("PRAGMA application_id").get() as { application_id: number };
  if (id === APPLICATION_ID) return layout;
  const { tables } = database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get() as { tables: number };
  if (tables === 0) return 0;
  const received = "a database of another program";
  throw new ContextError("UNSUPPORTED", { feature: "this file", expected: "a store of this package", received });
}

export function namespaceOf(database: DatabaseSync, name: string): number {
  const find = (): number | undefined => (database.prepare(SQL.namespace).get(name) as { ns: number } | undefined)?.ns;
  return (
    find() ??
    inTransaction(database, () => find() ?? Number(database.prepare(SQL.addNamespace).run(name).lastInsertRowid))
  );
}

export function inTransaction<Result>(database: DatabaseSync, run: () => Result): Result {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = run();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
