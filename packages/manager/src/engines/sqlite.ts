/// <reference types="node" />
/**
 * One file for all processes of a machine, through SQLite and Node's own driver.
 *
 * Calls of the driver block, so each is short: one transaction for all that is committed together, and never a wait
 * for another process that is longer than a few milliseconds without letting the event loop run.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { decodeEntry, encodeEntry, entryFrom } from "../codec.ts";
import type {
  CommitOutcome,
  Engine,
  EngineChange,
  EngineChanges,
  EngineOptions,
  EnginePage,
  EngineSupports,
  Loaded,
  LoggedChange,
  Transaction,
  Write,
} from "../engine.ts";
import { pageStart, resolved, settle } from "../engine.ts";
import type { Entry } from "../entry.ts";
import { ContextError, invalid } from "../errors.ts";
import { currentBase, type LeaseBase, uptimeMs } from "./sqlite/lease-clock.ts";
import { initial } from "./sqlite/migrations/0001-initial.ts";
import { SQL } from "./sqlite/statements.ts";

const MIGRATIONS = [initial];
/** Marks a file as one of ours. */
const APPLICATION_ID = 0x53434d31;
/** A bug in the write-ahead log of earlier ones can corrupt a file that several processes write. */
const OLDEST_SQLITE = "3.51.3";
const POLL_MS = 4;
const BUSY_TIMEOUT_MS = 10_000;
/** How long a try for the write lock may block at most before the event loop gets its turn. */
const BLOCK_MS = 2;
const TRIM_EVERY = 1_024;
const CACHED_ENTRIES = 4_096;

interface LogPart {
  readonly oldest: number | null;
  readonly head: number | null;
  readonly rows: readonly { readonly revision: number; readonly op: string; readonly changes: string }[];
}

type Statements = { readonly [Name in keyof typeof SQL]: StatementSync };

export async function openSqlite(path: string, parameters: URLSearchParams, options: EngineOptions): Promise<Engine> {
  const { DatabaseSync: Database } = await loadDriver();
  const synchronous = parameters.get("synchronous") ?? "full";
  if (synchronous !== "full" && synchronous !== "normal") {
    throw invalid("url", "?synchronous", "full or normal", JSON.stringify(synchronous));
  }
  if (path === "") throw invalid("url", "", "a path, as in sqlite:contexts.db", "none");
  let database: DatabaseSync | undefined;
  try {
    database = new Database(path, { timeout: 0 });
    await whenFree(() => checkVersion(database as DatabaseSync));
    await whenFree(() => prepareFile(database as DatabaseSync, synchronous));
    const namespace = await whenFree(() => namespaceOf(database as DatabaseSync, parameters.get("namespace") ?? ""));
    const isFile = path !== ":memory:";
    return await whenFree(() => new SqliteEngine(database as DatabaseSync, namespace, isFile, options));
  } catch (error) {
    if (database?.isOpen === true) database.close();
    throw translated(error);
  }
}

async function loadDriver(): Promise<{ readonly DatabaseSync: typeof DatabaseSync }> {
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

function checkVersion(database: DatabaseSync): void {
  const { version } = database.prepare(SQL.sqliteVersion).get() as { version: string };
  const isOlder = version.localeCompare(OLDEST_SQLITE, "en", { numeric: true }) < 0;
  if (!isOlder) return;
  throw new ContextError("UNSUPPORTED", {
    feature: "sqlite:",
    expected: `SQLite ${OLDEST_SQLITE} or newer: earlier ones have a bug that can corrupt a file with several writers`,
    received: `SQLite ${version}; a newer Node has it`,
  });
}

function prepareFile(database: DatabaseSync, synchronous: "full" | "normal"): void {
  database.exec("PRAGMA journal_mode = WAL");
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

function namespaceOf(database: DatabaseSync, name: string): number {
  const find = (): number | undefined => (database.prepare(SQL.namespace).get(name) as { ns: number } | undefined)?.ns;
  return (
    find() ??
    inTransaction(database, () => find() ?? Number(database.prepare(SQL.addNamespace).run(name).lastInsertRowid))
  );
}

function inTransaction<Result>(database: DatabaseSync, run: () => Result): Result {
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

export class SqliteEngine implements Engine {
  readonly supports: Readonly<EngineSupports>;
  readonly #database: DatabaseSync;
  readonly #sql: Statements;
  readonly #ns: number;
  readonly #options: EngineOptions;
  readonly #base: LeaseBase;
  /** What has been read and not changed since; valid while nobody else has committed. */
  readonly #cache = new Map<string, Entry | undefined>();
  #cachedAt = -1;
  #cachedHead = 0;
  #commits = 0;
  readonly #listeners = new Set<() => void>();
  #poll: ReturnType<typeof setInterval> | undefined;
  #polledAt = -1;

  constructor(database: DatabaseSync, namespace: number, isFile: boolean, options: EngineOptions) {
    this.supports = Object.freeze({ durable: isFile, shared: isFile });
    this.#database = database;
    this.#ns = namespace;
    this.#options = options;
    this.#sql = Object.fromEntries(
      Object.entries(SQL).map(([name, text]) => [name, database.prepare(text)]),
    ) as Statements;
    this.#base = inTransaction(database, () => this.#leaseBase());
  }

  async load(ids: readonly string[], counts = false): Promise<Loaded> {
    return reading(() => {
      this.#dropStale();
      const entries = ids.map((id) => this.#entryOf(id));
      const contexts = counts ? (this.#sql.count.get(this.#ns) as { contexts: number }).contexts : undefined;
      const time = { wallMs: Date.now(), leaseMs: uptimeMs() + this.#base.offsetMs };
      return { entries, time, head: this.#cachedHead, contexts };
    });
  }

  async commit(transactions: readonly Transaction[]): Promise<CommitOutcome[]> {
    const outcomes = await whenFree(() => this.#commitNow(transactions));
    for (const listener of this.#listeners) listener();
    return outcomes;
  }

  async list({ prefix, after, limit }: Parameters<Engine["list"]>[0]): Promise<EnginePage> {
    return reading(() => {
      const { head } = this.#sql.head.get() as { head: number | null };
      const rows = this.#sql.page.all(this.#ns, pageStart(after), prefix, limit) as {
        seq: number;
        id: string;
        entry: string;
      }[];
      const next = rows.length < limit ? undefined : String(rows.at(-1)?.seq);
      return { entries: rows.map(({ id, entry }) => decodeEntry(id, entry)), next, head: head ?? 0 };
    });
  }

  async changes({ after, limit }: Parameters<Engine["changes"]>[0]): Promise<EngineChanges> {
    return reading(() => {
      const { oldest, head, rows } = this.#readLog(after, limit);
      const changes = rows.flatMap(({ revision, op, changes: text }) => decodeChanges(revision, op, text));
      return { changes, head: head ?? 0, oldest: oldest ?? 1 };
    });
  }

  async history(id: string): Promise<Entry[]> {
    return reading(() => {
      const rows = this.#sql.versions.all(this.#ns, id) as { entry: string }[];
      return rows.map(({ entry }) => decodeEntry(id, entry)).slice(-this.#options.historyLimit || rows.length);
    });
  }

  onWake(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#poll ??= setInterval(() => this.#lookForChanges(), POLL_MS);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#stopPolling();
    };
  }

  // oxlint-disable-next-line typescript/require-await -- what the driver throws is a rejection here
  async close(): Promise<void> {
    this.#stopPolling();
    this.#listeners.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #commitNow(transactions: readonly Transaction[]): CommitOutcome[] {
    this.#database.exec("BEGIN IMMEDIATE");
    let outcomes: CommitOutcome[] = [];
    let isEnding = false;
    try {
      this.#dropStale();
      const revisions: number[] = [];
      outcomes = transactions.map((transaction) => this.#apply(transaction, revisions));
      if (this.#commits % TRIM_EVERY === 0) this.#trimLog();
      this.#commits += 1;
      isEnding = true;
      this.#database.exec("COMMIT");
      return outcomes;
    } catch (error) {
      this.#cache.clear();
      this.#cachedAt = -1;
      const isOpen = this.#database.isTransaction;
      if (isOpen) this.#database.exec("ROLLBACK");
      // What could be rolled back has not happened; of what has ended in an error, the log knows.
      if (isEnding && !isOpen) return this.#ended(transactions, outcomes, error);
      throw error;
    }
  }

  /** What became of a COMMIT that has failed: on a full disk SQLite has rolled back by itself. */
  #ended(transactions: readonly Transaction[], outcomes: CommitOutcome[], cause: unknown): CommitOutcome[] {
    const index = outcomes.findIndex(({ kind }) => kind === "ok");
    const first = outcomes[index];
    if (first?.kind !== "ok") return outcomes;
    let row: { readonly op: string } | undefined;
    try {
      row = this.#sql.operationAt.get(first.revision) as typeof row;
    } catch {
      return transactions.map(() => ({ kind: "indeterminate", cause }));
    }
    if (row?.op === transactions[index]?.opId) return outcomes;
    throw cause;
  }

  #apply(transaction: Transaction, revisions: number[]): CommitOutcome {
    const { writes, clears = false } = transaction;
    for (const { id, expect } of writes) {
      if ((this.#entryOf(id)?.revision ?? 0) === resolved(expect, revisions)) continue;
      revisions.push(Number.NaN);
      return { kind: "mismatch" };
    }
    const revision = this.#cachedHead + 1;
    revisions.push(revision);
    if (clears) this.#clear();
    const texts = new Map<Entry, string>(); // the log has the same entries
    for (const write of writes) this.#write(write, revisions, texts);
    this.#sql.logAt.run(revision, this.#ns, transaction.opId, encodeChanges(transaction.changes, texts));
    this.#cachedHead = revision;
    return { kind: "ok", revision };
  }

  #write({ id, next, keeps }: Write, revisions: readonly number[], texts: Map<Entry, string>): void {
    if (next === undefined) return;
    const found = this.#entryOf(id);
    if (keeps === null && this.#options.historyLimit > 0) this.#sql.forget.run(this.#ns, id);
    if (keeps === true && this.#options.historyLimit > 0) this.#keep(id);
    if (found !== undefined && (next === null || keeps === null)) this.#sql.remove.run(this.#ns, id);
    this.#remember(id, next ?? undefined);
    if (next === null) return;
    settle(next, revisions);
    const text = encodeEntry(next);
    texts.set(next, text);
    if (found === undefined || keeps === null) this.#sql.add.run(this.#ns, id, next.revision, text);
    else this.#sql.replace.run(next.revision, text, this.#ns, id);
  }

  #keep(id: string): void {
    const { historyLimit } = this.#options;
    this.#sql.keep.run(this.#ns, id);
    if (historyLimit !== Infinity) this.#sql.trimVersions.run(this.#ns, id, historyLimit);
  }

  /** The last row stays, whatever the limit: it has the head. */
  #trimLog(): void {
    const { changeLogLimit } = this.#options;
    if (changeLogLimit !== Infinity) this.#sql.trimLog.run(this.#cachedHead - Math.max(changeLogLimit, 1));
  }

  #clear(): void {
    this.#sql.removeAll.run(this.#ns);
    this.#sql.forgetAll.run(this.#ns);
    this.#cache.clear();
  }

  #entryOf(id: string): Entry | undefined {
    if (this.#cache.has(id)) return this.#cache.get(id);
    const row = this.#sql.contextOf.get(this.#ns, id) as { entry: string } | undefined;
    const entry = row && decodeEntry(id, row.entry);
    this.#remember(id, entry);
    return entry;
  }

  #remember(id: string, entry: Entry | undefined): void {
    if (this.#cache.size >= CACHED_ENTRIES) this.#cache.clear();
    this.#cache.set(id, entry);
  }

  /** At one moment: whoever trims the log between the reading of its ends and of its rows would leave a gap unnoticed. */
  #readLog(after: number, limit: number): LogPart {
    this.#database.exec("BEGIN");
    try {
      const ends = this.#sql.ends.get() as Pick<LogPart, "oldest" | "head">;
      return { ...ends, rows: this.#sql.changes.all(after, this.#ns, limit) as unknown as LogPart["rows"] };
    } finally {
      this.#database.exec("COMMIT");
    }
  }

  /** Forgets what it has read if another connection has committed since. */
  #dropStale(): void {
    const version = this.#dataVersion();
    if (version === this.#cachedAt) return;
    this.#cache.clear();
    this.#cachedHead = (this.#sql.head.get() as { head: number | null }).head ?? 0;
    this.#cachedAt = version;
  }

  /** Changes when another connection has committed, and only then. */
  #dataVersion(): number {
    return (this.#sql.dataVersion.get() as { data_version: number }).data_version;
  }

  #lookForChanges(): void {
    let version: number;
    try {
      version = this.#dataVersion();
    } catch {
      return; // whoever reads or writes hears of it
    }
    if (version === this.#polledAt) return;
    this.#polledAt = version;
    for (const listener of this.#listeners) listener();
  }

  #stopPolling(): void {
    clearInterval(this.#poll);
    this.#poll = undefined;
  }

  #leaseBase(): LeaseBase {
    const row = this.#sql.meta.get("lease_base") as { value: string } | undefined;
    const base = currentBase(row && (JSON.parse(row.value) as LeaseBase), () => {
      const { deadline } = this.#sql.lastDeadline.get() as { deadline: number | null };
      return deadline ?? 0;
    });
    this.#sql.setMeta.run("lease_base", JSON.stringify(base));
    return base;
  }
}

function encodeChanges(changes: readonly LoggedChange[], texts: ReadonlyMap<Entry, string>): string {
  const parts = changes.map(({ kind, contextId, agentId, note, entry }) => {
    const about = JSON.stringify({ kind, contextId, agentId, note });
    return entry === null ? about : `${about.slice(0, -1)},"entry":${texts.get(entry) ?? encodeEntry(entry)}}`;
  });
  return `[${parts.join(",")}]`;
}

function decodeChanges(revision: number, opId: string, text: string): EngineChange[] {
  try {
    return (JSON.parse(text) as (LoggedChange & { readonly entry?: unknown })[]).map((change) => ({
      ...change,
      revision,
      opId,
      entry: change.entry == null || change.contextId === null ? null : entryFrom(change.contextId, change.entry),
    }));
  } catch (error) {
    if (error instanceof ContextError) throw error;
    throw new ContextError("CORRUPT", { where: `revision ${revision} of the change log`, reason: "it is no JSON" });
  }
}

const SLEEP = new Int32Array(new SharedArrayBuffer(4));

/**
 * Runs something that needs the write lock, again and again while another process has it. The pauses are short and
 * random: with the driver's own busy timeout one of two writers can be kept out for seconds.
 */
async function whenFree<Result>(run: () => Result): Promise<Result> {
  const startedMs = performance.now();
  for (;;) {
    const blockedFromMs = performance.now();
    do {
      try {
        return run();
      } catch (error) {
        if (!isBusy(error) || performance.now() - startedMs > BUSY_TIMEOUT_MS) throw translated(error);
      }
      Atomics.wait(SLEEP, 0, 0, 0.1 + 0.2 * Math.random());
    } while (performance.now() - blockedFromMs < BLOCK_MS);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

interface SqliteError extends Error {
  readonly errcode: number;
}

const BUSY = 5;
const LOCKED = 6;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

/** The low byte is the code itself, what is above it says more. */
function codeOf(error: unknown): number | undefined {
  const { errcode } = (error ?? {}) as Partial<SqliteError>;
  return typeof errcode === "number" ? errcode & 0xff : undefined;
}

function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return code === BUSY || code === LOCKED;
}

/** Readers need no lock, except while the file is being mended after a process that was killed. */
function reading<Result>(run: () => Result): Result | Promise<Result> {
  try {
    return run();
  } catch (error) {
    if (isBusy(error)) return whenFree(run);
    throw translated(error);
  }
}

/** What the driver says, in the words of this package; the driver's error is the cause. */
function translated(error: unknown): unknown {
  const code = codeOf(error);
  if (error instanceof ContextError || (code === undefined && !(error instanceof Error))) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const failure =
    code === CORRUPT || code === NOT_A_DATABASE
      ? new ContextError("CORRUPT", { where: "the database file", reason })
      : new ContextError("UNAVAILABLE", { reason: `SQLite: ${reason}` });
  failure.cause = error;
  return failure;
}
