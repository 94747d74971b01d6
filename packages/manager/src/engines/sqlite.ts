/// <reference types="node" />
/**
 * One file for all processes of a machine, through SQLite and Node's own driver.
 *
 * Calls of the driver block, so each is short: one transaction for all that is committed together, and never a wait
 * for another process that is longer than a few milliseconds without letting the event loop run.
 */

import type { DatabaseSync } from "node:sqlite";
import {
  type CommitOutcome,
  type Engine,
  type EngineChanges,
  type EngineOptions,
  type EnginePage,
  type EngineSupports,
  type Loaded,
  type Transaction,
  unsettle,
} from "../engine.ts";
import type { Entry } from "../entry.ts";
import { invalid } from "../errors.ts";
import { reading, translated, whenFree } from "./sqlite/busy.ts";
import { changesIn, type ChangesRow, madeBy } from "./sqlite/changes.ts";
import { Contexts, type Statements } from "./sqlite/contexts.ts";
import {
  checkVersion,
  checkWritable,
  inTransaction,
  loadDriver,
  namespaceOf,
  openFile,
  prepareFile,
} from "./sqlite/file.ts";
import { currentBase, type LeaseBase, uptimeMs } from "./sqlite/lease-clock.ts";
import { Log } from "./sqlite/log.ts";
import { SQL } from "./sqlite/statements.ts";
import { Sweeper } from "./sqlite/sweeper.ts";

const POLL_MS = 4;

export async function openSqlite(path: string, parameters: URLSearchParams, options: EngineOptions): Promise<Engine> {
  const { DatabaseSync: Database } = await loadDriver();
  const synchronous = parameters.get("synchronous") ?? "full";
  if (synchronous !== "full" && synchronous !== "normal") {
    throw invalid("url", "?synchronous", "full or normal", JSON.stringify(synchronous));
  }
  if (path === "") throw invalid("url", "", "a path, as in sqlite:contexts.db", "none");
  const isFile = path !== ":memory:";
  if (isFile) checkWritable(path);
  let database: DatabaseSync | undefined;
  try {
    database = openFile(Database, path);
    await whenFree(() => checkVersion(database as DatabaseSync));
    await whenFree(() => prepareFile(database as DatabaseSync, isFile, synchronous));
    const namespace = await whenFree(() => namespaceOf(database as DatabaseSync, parameters.get("namespace") ?? ""));
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
  readonly #base: LeaseBase;
  readonly #contexts: Contexts;
  readonly #log: Log;
  readonly #listeners = new Set<() => void>();
  #poll: ReturnType<typeof setInterval> | undefined;
  #polledAt = -1;

  constructor(database: DatabaseSync, namespace: number, isFile: boolean, options: EngineOptions) {
    this.supports = Object.freeze({ durable: isFile, shared: isFile });
    this.#database = database;
    this.#ns = namespace;
    this.#sql = Object.fromEntries(
      Object.entries(SQL).map(([name, text]) => [name, database.prepare(text)]),
    ) as Statements;
    const sweeper = new Sweeper(this.#sql, options.historyLimit);
    this.#contexts = new Contexts(this.#sql, namespace, options.historyLimit);
    this.#log = new Log(this.#sql, namespace, this.#contexts, sweeper, options.changeLogLimit);
    this.#base = inTransaction(database, () => this.#leaseBase());
  }

  async load(ids: readonly string[], counts = false): Promise<Loaded> {
    const [id] = ids;
    const read = (): Loaded => {
      // One statement, where nobody else has written: each locks and unlocks the file, which takes about as long as it does.
      const head = id === undefined ? undefined : this.#contexts.lookUp(id);
      if (head !== this.#log.head) this.#log.catchUp();
      const entries = ids.map((id) => this.#contexts.get(id));
      const contexts = counts ? this.#contexts.count() : undefined;
      const time = { wallMs: Date.now(), leaseMs: uptimeMs() + this.#base.offsetMs };
      return { entries, time, head: this.#log.head, contexts };
    };
    // Most loads are of one context, and its row is of one moment by itself.
    return reading(() => (ids.length > 1 || counts ? this.#atOneMoment(read) : read()));
  }

  async commit(transactions: readonly Transaction[]): Promise<CommitOutcome[]> {
    const outcomes = await whenFree(() => this.#commitNow(transactions));
    for (const listener of this.#listeners) listener();
    return outcomes;
  }

  async list({ prefix, after, limit }: Parameters<Engine["list"]>[0]): Promise<EnginePage> {
    return reading(() =>
      this.#atOneMoment(() => {
        this.#log.catchUp();
        return { ...this.#contexts.page(prefix, after, limit), head: this.#log.head };
      }),
    );
  }

  async changes({ after, limit }: Parameters<Engine["changes"]>[0]): Promise<EngineChanges> {
    return reading(() => {
      // Whoever trims the log between the reading of its ends and of its rows would leave a gap unnoticed.
      const { ends, rows } = this.#atOneMoment(() => {
        const ends = this.#ends();
        // What is older is there for the histories, with gaps.
        const from = Math.max(after, ends.oldest - 1);
        return { ends, rows: this.#sql.changes.all(from, this.#ns, limit) as unknown as ChangesRow[] };
      });
      const changes = rows.flatMap(changesIn);
      return { changes, ...ends };
    });
  }

  async history(id: string): Promise<Entry[]> {
    return reading(() =>
      this.#atOneMoment(() => {
        this.#log.catchUp();
        return this.#contexts.history(id);
      }),
    );
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
    this.#sql.begin.run();
    let outcomes: CommitOutcome[] = [];
    const revisions: number[] = [];
    let isEnding = false;
    try {
      this.#log.confirm();
      outcomes = transactions.map((transaction) => this.#apply(transaction, revisions));
      isEnding = true;
      this.#sql.commit.run();
      return outcomes;
    } catch (error) {
      this.#log.forget();
      const isOpen = this.#database.isTransaction;
      if (isOpen) this.#database.exec("ROLLBACK");
      // What could be rolled back has not happened; of what has ended in an error, the log knows.
      const ended = isEnding && !isOpen ? this.#ended(transactions, outcomes, error) : undefined;
      if (ended !== undefined) return ended;
      // The next try may get other revisions.
      for (const { writes } of transactions) for (const { next } of writes) if (next != null) unsettle(next, revisions);
      throw error;
    }
  }

  /** What became of a COMMIT that has failed: nothing, where SQLite has rolled back by itself, as on a full disk. */
  #ended(transactions: readonly Transaction[], outcomes: CommitOutcome[], cause: unknown): CommitOutcome[] | undefined {
    const index = outcomes.findIndex(({ kind }) => kind === "ok");
    const first = outcomes[index];
    if (first?.kind !== "ok") return outcomes;
    let row: { readonly op: string } | undefined;
    try {
      row = this.#sql.operationAt.get(first.revision) as typeof row;
    } catch {
      return transactions.map(() => ({ kind: "indeterminate", cause }));
    }
    return row?.op === transactions[index]?.opId ? outcomes : undefined;
  }

  #apply(transaction: Transaction, revisions: number[]): CommitOutcome {
    const { writes, clears = false } = transaction;
    if (!this.#contexts.fit(writes, revisions)) {
      revisions.push(Number.NaN);
      return { kind: "mismatch" };
    }
    this.#log.tidy(); // only now: the row that is added tells the others
    const revision = this.#log.head + 1;
    revisions.push(revision);
    if (clears) this.#contexts.clear();
    const version = madeBy(transaction);
    const texts = new Map<Entry, string>();
    const logging = { revisions, isLogged: version !== undefined, texts };
    let past = 0;
    for (const write of writes) past = this.#contexts.write(write, logging).past;
    this.#log.add(transaction, version, past, texts);
    return { kind: "ok", revision };
  }

  #atOneMoment<Result>(read: () => Result): Result {
    this.#database.exec("BEGIN");
    try {
      return read();
    } finally {
      this.#database.exec("COMMIT");
    }
  }

  #ends(): { readonly oldest: number; readonly head: number } {
    const ends = this.#sql.ends.get() as { oldest: number; head: number } | undefined;
    return ends ?? { oldest: 1, head: 0 };
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
