/// <reference types="node" />
/**
 * One file for all processes of a machine, through SQLite and Node's own driver.
 *
 * Calls of the driver block, so each is short: one transaction for all that is committed together, and never a wait
 * for another process that is longer than a few milliseconds without letting the event loop run.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { decodeChanges, decodeEntry, encodeEntry } from "../codec.ts";
import type {
  CommitOutcome,
  Engine,
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
import { invalid } from "../errors.ts";
import { reading, translated, whenFree } from "./sqlite/busy.ts";
import { checkVersion, inTransaction, loadDriver, namespaceOf, prepareFile } from "./sqlite/file.ts";
import { currentBase, type LeaseBase, uptimeMs } from "./sqlite/lease-clock.ts";
import { SQL } from "./sqlite/statements.ts";

const POLL_MS = 4;
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
      const before = this.#cachedHead;
      const revisions: number[] = [];
      outcomes = transactions.map((transaction) => this.#apply(transaction, revisions));
      // By revisions, not by commits: these hold what was written at once, and who writes much at once keeps no more.
      if (Math.floor(before / TRIM_EVERY) !== Math.floor(this.#cachedHead / TRIM_EVERY)) this.#trimLog();
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
