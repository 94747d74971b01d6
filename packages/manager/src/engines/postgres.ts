/// <reference types="node" />
/** One database for processes on many machines, through PostgreSQL and the driver `pg`. */

import { createHash } from "node:crypto";
import {
  type CommitOutcome,
  type Engine,
  type EngineChange,
  type EngineChanges,
  type EngineOptions,
  type EnginePage,
  type EngineSupports,
  type Loaded,
  pageStart,
  type Transaction,
} from "../engine.ts";
import type { Entry } from "../entry.ts";
import { type Answer, type Batch, commitTogether } from "./batch.ts";
import { decodeLines, decodeStored } from "./lines.ts";
import { Connections, type Question, TIMEOUTS, type Timeouts, Unanswered } from "./postgres/connection.ts";
import { loadDriver, type Row } from "./postgres/driver.ts";
import { namespaceOf, prepareLayout } from "./postgres/layout.ts";
import { Listener } from "./postgres/listener.ts";
import { Loader, type Stamp } from "./postgres/loader.ts";
import { payloadOf, replacementOf } from "./postgres/payload.ts";
import { quoted, settingsOf } from "./postgres/settings.ts";
import { type Statements, statements } from "./postgres/statements.ts";

/** Where others write too, to try first and to be told no is a round trip more. */
const BUSY_COMMITS = 64;
/**
 * A row of the log about more contexts is brought into the tables at once: until then it is taken apart anew for each of them
 * that is read (measured: 2,000 are listed in 3.8 s, and then in 17 ms).
 */
const LARGE_BATCH = 512;
/** So many are told apart: what follows is exact as well. */
const MARKS = 2 ** 52;

/** @param url - all of it but its parameters. */
export async function openPostgres(
  url: string,
  parameters: URLSearchParams,
  options: EngineOptions,
  timeouts: Timeouts = TIMEOUTS,
): Promise<Engine> {
  const settings = settingsOf(url, parameters);
  const connections = new Connections(await loadDriver(), settings, timeouts);
  const sql = statements(quoted(settings.schema));
  try {
    await prepareLayout(connections, sql, settings.schema);
    const ns = await namespaceOf(connections, sql, settings.namespace);
    const channel = channelOf(settings.schema, ns);
    return new PostgresEngine({ connections, sql, ns, channel, options, timeouts });
  } catch (error) {
    await connections.close();
    throw error;
  }
}

/** Names of channels are short, and one too many listeners on one is no harm. */
function channelOf(schema: string, ns: number): string {
  return `shared_context_${ns}_${createHash("sha256").update(schema).digest("hex").slice(0, 16)}`;
}

interface Parts {
  readonly connections: Connections;
  readonly sql: Statements;
  readonly ns: number;
  readonly channel: string;
  readonly options: EngineOptions;
  readonly timeouts: Timeouts;
}

/** What has become of a batch. */
interface Attempt {
  readonly answer: Answer;
  /** The row of the change log. */
  readonly stamp?: Stamp | undefined;
  /** Whether others want to be told. */
  readonly isHeard?: boolean;
  /** Whether the tables should be brought up to date. */
  readonly isDue?: boolean;
}

export class PostgresEngine implements Engine {
  readonly supports: Readonly<EngineSupports> = Object.freeze({ durable: true, shared: true });
  readonly #connections: Connections;
  readonly #sql: Statements;
  readonly #ns: number;
  readonly #channel: string;
  readonly #timeouts: Timeouts;
  readonly #historyLimit: number;
  readonly #changeLogLimit: number;
  readonly #loader: Loader;
  readonly #name = crypto.randomUUID();
  /** The marks of its rows in the change log are this number and those that follow. */
  readonly #firstMark = Math.floor(Math.random() * MARKS);
  #attempts = 0;
  /** Attempts to commit that were not answered. */
  readonly #doubtful = new Set<string>();
  /** Something was in the way of the last commit. */
  #wasBusy = false;
  /** For so many commits it is not tried whether nothing is in their way: for the last two something was. */
  #busyFor = 0;
  #isTidying = false;
  #isNotifying = false;
  #notifyAgain = false;
  readonly #listeners = new Set<() => void>();
  #listener: Listener | undefined;

  constructor({ connections, sql, ns, channel, options, timeouts }: Parts) {
    this.#connections = connections;
    this.#sql = sql;
    this.#ns = ns;
    this.#channel = channel;
    this.#timeouts = timeouts;
    this.#loader = new Loader((ids, revisions, seen) => {
      const one = { text: sql.loadOne, values: [ns, ids[0], revisions[0]] };
      const prepared = ids.length === 1 && seen === null ? one : undefined;
      return this.#read({ text: sql.load, values: [ns, ids, revisions, seen], prepared });
    });
    // There is no infinity in SQL.
    this.#historyLimit = Math.min(options.historyLimit, Number.MAX_SAFE_INTEGER);
    this.#changeLogLimit = Math.min(options.changeLogLimit, Number.MAX_SAFE_INTEGER);
  }

  async load(ids: readonly string[], counts = false): Promise<Loaded> {
    const loaded = await this.#loader.load(ids);
    return counts ? loaded : { ...loaded, contexts: undefined };
  }

  async commit(transactions: readonly Transaction[]): Promise<CommitOutcome[]> {
    let last: Attempt | undefined;
    const outcomes = await commitTogether(transactions, this.#historyLimit, async (batch) => {
      last = await this.#attempt(batch);
      return last.answer;
    });
    if (last?.stamp === undefined || last.answer.kind !== "done") return outcomes;
    const happened = transactions.filter((_, index) => outcomes[index]?.kind === "ok");
    this.#loader.committed(last.answer.base, last.stamp, happened);
    if (last.isDue === true) void this.#tidy();
    if (last.isHeard === true) this.#notify();
    this.#wake();
    return outcomes;
  }

  async list({ prefix, after, limit }: Parameters<Engine["list"]>[0]): Promise<EnginePage> {
    const rows = await this.#read({ text: this.#sql.page, values: [this.#ns, pageStart(after), prefix, limit] });
    const found = rows.filter(([, seq]) => seq != null);
    const entries = found.map(([, , id, revision, text]) =>
      decodeStored(id as string, text as string, Number(revision)),
    );
    const next = found.length < limit ? undefined : (found.at(-1)?.[1] as string);
    return { entries, next, head: Number(rows[0]?.[0]) };
  }

  async changes({ after, limit }: Parameters<Engine["changes"]>[0]): Promise<EngineChanges> {
    const changes: EngineChange[] = [];
    for (let from = after; ;) {
      const rows = await this.#read({ text: this.#sql.changes, values: [this.#ns, from, limit] });
      const [head, oldest] = [Number(rows[0]?.[0]), Number(rows[0]?.[1])];
      // What comes after a gap is for the next call to find out about.
      if (changes.length > 0 && oldest > from + 1) return { changes, head, oldest: after + 1 };
      const start = from;
      for (const [, , revision, first, lines] of rows) {
        if (revision == null) continue;
        const told = decodeLines(Number(first), (lines as string).split("\n"));
        for (const one of told) if (one.revision > start) changes.push(...one.changes);
        from = Number(revision);
      }
      if (from === start || from >= head || changes.length >= limit) return { changes, head, oldest };
    }
  }

  async history(id: string): Promise<Entry[]> {
    const rows = await this.#read({ text: this.#sql.versions, values: [this.#ns, id, this.#historyLimit] });
    const versions = rows.flatMap(([, revisions, entries]) => {
      // As the server writes an array: {1,2}.
      const numbers = (revisions as string).slice(1, -1).split(",");
      const texts = (entries as string).split("\n");
      return texts.map((text, index) => decodeStored(id, text, Number(numbers[index])));
    });
    return versions.slice(Math.max(0, versions.length - this.#historyLimit));
  }

  onWake(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#listener ??= new Listener({
      connections: this.#connections,
      channel: this.#channel,
      queryMs: this.#timeouts.queryMs,
      attend: { text: this.#sql.attend, values: [this.#ns] },
      head: async () => Number((await this.#connections.read({ text: this.#sql.head, values: [this.#ns] }))[0]?.[0]),
      notify: () => this.#notify(),
      wake: () => this.#wake(),
    });
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#stopListening();
    };
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    this.#stopListening();
    await this.#connections.close();
  }

  /** What is read is never what a commit in doubt may still change. */
  async #read(question: Question): Promise<readonly Row[]> {
    await this.#giveUpDoubtful();
    return this.#connections.read(question);
  }

  /**
   * A commit that was not answered may reach the server late, after somebody has looked for it in the change log and not
   * found it. So before anything else is asked, it is made sure that it has happened by now or never will.
   */
  async #giveUpDoubtful(): Promise<void> {
    for (const attempt of this.#doubtful) {
      await this.#connections.read({ text: this.#sql.giveUp, values: [this.#ns, attempt] });
      this.#doubtful.delete(attempt);
    }
  }

  async #attempt(batch: Batch): Promise<Attempt> {
    await this.#giveUpDoubtful();
    const number = ++this.#attempts;
    const attempt = `${this.#name}-${number}`;
    const mark = this.#firstMark + number;
    const known = this.#loader.stampOf(batch.steps);
    const limits = [this.#historyLimit, this.#changeLogLimit];
    const values = [this.#ns, attempt, ...limits, known?.revision, known?.mark, mark, ...payloadOf(batch)];
    const replacement = replacementOf(batch, mark, known);
    const prepared = replacement && { text: this.#sql.replaceOne, values: [this.#ns, ...replacement] };
    let rows: readonly Row[];
    try {
      rows = await this.#ask({ text: this.#sql.commit, values }, prepared);
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      this.#doubtful.add(attempt);
      return { answer: { kind: "doubt", cause: error } };
    }
    const [numbers = "", isHeard, isDue] = (rows[0]?.[0] ?? "").split(";");
    if (isHeard === undefined) return { answer: { kind: "found", revisions: numbers.split(",").map(Number) } };
    const base = Number(numbers);
    const stamp = batch.count === 0 ? undefined : { revision: base + batch.count, mark };
    return {
      answer: { kind: "done", base },
      stamp,
      isHeard: isHeard === "1",
      isDue: isDue === "1" || batch.steps.length > LARGE_BATCH,
    };
  }

  /** @param prepared - what does the same where nothing is in its way. */
  async #ask(commit: Question, prepared: Question | undefined): Promise<readonly Row[]> {
    if (prepared === undefined || this.#busyFor > 0) {
      this.#busyFor = Math.max(0, this.#busyFor - 1);
      return this.#connections.run(commit);
    }
    const rows = await this.#connections.run({ ...commit, prepared });
    if (rows.length > 0) {
      this.#wasBusy = false;
      return rows;
    }
    if (this.#wasBusy) this.#busyFor = BUSY_COMMITS;
    this.#wasBusy = !this.#wasBusy;
    return this.#connections.run(commit);
  }

  /** Brings the tables up to date, while commits go on: if nobody gets to it, a commit does. */
  async #tidy(): Promise<void> {
    if (this.#isTidying) return;
    this.#isTidying = true;
    const values = [this.#ns, this.#historyLimit, this.#changeLogLimit];
    await this.#connections.run({ text: this.#sql.tidy, values }).catch(() => undefined);
    this.#isTidying = false;
  }

  /**
   * Tells other processes, after the commit and not in it: there it would make all commits of the server wait for one
   * another. What is committed while a notification is on its way shares the next one.
   */
  #notify(): void {
    this.#notifyAgain = true;
    if (!this.#isNotifying) void this.#notifyAll();
  }

  async #notifyAll(): Promise<void> {
    this.#isNotifying = true;
    while (this.#notifyAgain) {
      this.#notifyAgain = false;
      // It is a hint: who misses it finds the change by looking.
      await this.#connections.run({ text: this.#sql.notify, values: [this.#channel] }).catch(() => undefined);
    }
    this.#isNotifying = false;
  }

  #wake(): void {
    for (const listener of this.#listeners) listener();
  }

  #stopListening(): void {
    this.#listener?.close();
    this.#listener = undefined;
  }
}
