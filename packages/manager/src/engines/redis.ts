/**
 * Many machines over one Redis or Valkey server, through node-redis.
 *
 * All that a commit writes, one script writes at once. Reads are single commands: a server that is out of memory still
 * answers those, and refuses a `MULTI`. The server's clock is the clock of all. What a failover can lose is in
 * docs/engines-redis.md.
 */

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
import type { ContextError } from "../errors.ts";
import { type Answer, type Batch, commitTogether } from "./batch.ts";
import { Announcer } from "./redis/announcer.ts";
import { type Command, Connection, type ConnectionHooks, Cut } from "./redis/connection.ts";
import { loadDriver, optionsOf, type RedisDriver, timeoutOf } from "./redis/driver.ts";
import {
  decodeItem,
  entryOf,
  fieldsOf,
  firstOf,
  lastOf,
  type LogItem,
  numbersOf,
  parseStored,
} from "./redis/entries.ts";
import { EntryCache } from "./redis/entry-cache.ts";
import { endsOf, type Head, Mark, parseHead, wentBack } from "./redis/head.ts";
import { type Keys, keysOf } from "./redis/keys.ts";
import { readChunk } from "./redis/pages.ts";
import { isFenced, timeFrom, translated } from "./redis/replies.ts";
import { COMMIT, digestOf } from "./redis/script.ts";

/** How long a command may be under way behind everybody's back: longer than any network keeps a packet. */
const FENCE_MS = 3_600_000;
/** JSON has no infinity. */
const NO_LIMIT = 2 ** 53 - 1;
/** So many transactions a manager commits at once. */
const USUAL_IN_AN_ITEM = 128;

export async function openRedis(
  scheme: string,
  path: string,
  parameters: URLSearchParams,
  options: EngineOptions,
  driver?: RedisDriver,
): Promise<Engine> {
  const timeoutMs = timeoutOf(parameters);
  const target = optionsOf(scheme, path, timeoutMs);
  const keys = keysOf(parameters.get("namespace") ?? "", target.database);
  const sha = await digestOf(COMMIT);
  const used = driver ?? (await loadDriver());
  const engine = new RedisEngine(keys, sha, options, {
    isReply: (error) => error instanceof used.ErrorReply,
    connect: (hooks) => new Connection(used, target, { timeoutMs, channel: keys.wake, hooks }),
  });
  await engine.open();
  return engine;
}

interface Server {
  isReply(error: unknown): error is Error;
  connect(hooks: ConnectionHooks): Connection;
}

export class RedisEngine implements Engine {
  readonly supports: Readonly<EngineSupports> = Object.freeze({ durable: true, shared: true });
  readonly #keys: Keys;
  readonly #sha: string;
  readonly #options: EngineOptions;
  readonly #server: Server;
  readonly #connection: Connection;
  readonly #cache = new EntryCache();
  readonly #mark = new Mark();
  readonly #fence: string;
  /** Commits of an earlier one are refused once the fence is there. */
  #generation = 1;
  /** A commit was cut off and may be under way still. */
  #isUncertain = false;
  #failure: ContextError | undefined;
  readonly #announcer: Announcer;

  constructor(keys: Keys, sha: string, options: EngineOptions, server: Server) {
    this.#keys = keys;
    this.#sha = sha;
    this.#options = options;
    this.#server = server;
    this.#fence = keys.fence + crypto.randomUUID();
    this.#announcer = new Announcer(async () => {
      const [text] = (await this.#read([["HGET", keys.entries, ""]])) as [string | null];
      return parseHead(text).head;
    });
    this.#connection = server.connect({
      onConnect: (send) => this.#prepare(send),
      onMessage: (message) => this.#announcer.announce(Number(message)),
      onListening: () => this.#announcer.wake(),
    });
  }

  open(): Promise<void> {
    return this.#connection.open();
  }

  async load(ids: readonly string[], counts = false): Promise<Loaded> {
    const { entries } = this.#keys;
    const floor = this.#mark.seen;
    const commands: Command[] = [["HMGET", entries, "", ...ids], ["TIME"]];
    if (counts) commands.push(["HLEN", entries]);
    const [values, time, fields] = (await this.#read(commands)) as [(string | null)[], string[], number?];
    const { head } = this.#headFrom(values[0] ?? null, floor);
    const found = ids.map((id, index) => {
      const text = values[index + 1] ?? null;
      return text === null ? undefined : this.#cache.read(id, text);
    });
    const contexts = fields === undefined ? undefined : Math.max(0, fields - 1);
    return { entries: found, time: timeFrom(time), head, contexts };
  }

  commit(transactions: readonly Transaction[]): Promise<CommitOutcome[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return commitTogether(transactions, this.#options.historyLimit, this.#attempt, this.#onDone);
  }

  /** The driver sends all of one turn when that has ended. */
  sent(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(resolve);
    });
  }

  async list({ prefix, after, limit }: Parameters<Engine["list"]>[0]): Promise<EnginePage> {
    const read = (commands: readonly Command[]): Promise<unknown[]> => this.#read(commands);
    const entries: Entry[] = [];
    let head: number | undefined;
    for (let from: number | undefined = pageStart(after); ;) {
      const floor = this.#mark.seen;
      const { stored, texts, next } = await readChunk(read, this.#keys, from, prefix, limit - entries.length);
      head ??= this.#headFrom(stored, floor).head;
      entries.push(...texts.map(([id, text]) => this.#cache.read(id, text)));
      from = next;
      if (from === undefined) return { entries, next: undefined, head };
      if (entries.length >= limit) return { entries, next: String(from), head };
    }
  }

  async changes({ after, limit }: Parameters<Engine["changes"]>[0]): Promise<EngineChanges> {
    const { entries: key, log } = this.#keys;
    const changes: EngineChange[] = [];
    for (let from = after, count = limit; ;) {
      const floor = this.#mark.seen;
      const stored: Command = ["HGET", key, ""];
      // As many revisions as may be asked for, since an item may have many; or one item, where that is longer.
      const end = count === 1 ? "+" : `${from + limit + USUAL_IN_AN_ITEM}-0`;
      const range: Command = ["XRANGE", log, `(${from}-0`, end, "COUNT", String(count)];
      const replies = await this.#read([stored, range, stored]);
      const [before, items, later] = replies as [string | null, LogItem[], string | null];
      if (items.length === 0 && count > 1 && parseHead(before).head > from) {
        count = 1;
        continue;
      }
      // The head as of before the items, which then are all there is up to it; trimming may have come between.
      const { head: known, oldest } = endsOf(this.#headFrom(before, floor), items, from, parseHead(later));
      const last = items.at(-1);
      // Where nothing comes after it, `from` says nothing: whoever asks may be past the head.
      const head = last === undefined ? known : Math.max(known, lastOf(last));
      // What comes after a gap is for the next call to find out about.
      if (changes.length > 0 && oldest > from + 1) return { changes, head, oldest: after + 1 };
      for (const item of items)
        for (const one of decodeItem(item)) if (one.revision > from) changes.push(...one.changes);
      if (last !== undefined) from = lastOf(last);
      // Renewals of leases are in the log and are no changes: to stop at them would hide what follows.
      if (from >= head || changes.length >= limit) return { changes, head, oldest };
    }
  }

  async history(id: string): Promise<Entry[]> {
    const { historyLimit } = this.#options;
    if (historyLimit === 0) return [];
    const { entries, versions } = this.#keys;
    const [text] = (await this.#read([["HGET", entries, id]])) as [string | null];
    const fields = text === null ? [] : fieldsOf(parseStored(id, text), historyLimit);
    if (fields.length === 0) return [];
    // What has been dropped since is missing here; what was kept since, was there as the present one before.
    const [texts] = (await this.#read([["HMGET", versions, ...fields]])) as [(string | null)[]];
    return texts.flatMap((kept) => (kept === null ? [] : [entryOf(id, kept)]));
  }

  onWake(listener: () => void): () => void {
    this.#connection.listen();
    return this.#announcer.add(listener);
  }

  async close(): Promise<void> {
    this.#announcer.close();
    await this.#connection.close();
  }

  readonly #attempt = (batch: Batch): Promise<Answer> => this.#run(batch, "EVALSHA", this.#sha);

  async #run(batch: Batch, verb: "EVALSHA" | "EVAL", script: string): Promise<Answer> {
    let reply: number | readonly string[];
    try {
      reply = await this.#connection.write(() => this.#command(batch, verb, script));
    } catch (error) {
      if (this.#server.isReply(error) && error.message.startsWith("NOSCRIPT")) return this.#run(batch, "EVAL", COMMIT);
      if (!(error instanceof Cut || isFenced(error))) throw translated(error);
      this.#isUncertain = true;
      return { kind: "doubt", cause: error };
    }
    return typeof reply === "number" ? { kind: "done", base: reply } : { kind: "found", revisions: reply.map(Number) };
  }

  #command({ count, clears, steps, lines }: Batch, verb: string, script: string): Command {
    const { entries, order, log, versions, wake } = this.#keys;
    const { historyLimit, changeLogLimit } = this.#options;
    const kept = Math.min(historyLimit, NO_LIMIT);
    // One item always stays: a log that is empty is one that somebody has taken away.
    const logged = changeLogLimit === Infinity ? 0 : Math.max(1, changeLogLimit);
    const plan = [this.#generation, kept, logged, count, clears, steps.length, lines.logged, ...numbersOf(steps)];
    const keys = [entries, order, log, versions, this.#fence];
    return [verb, script, "5", ...keys, JSON.stringify(plan), wake, ...steps.map(({ id }) => id), ...lines.texts];
  }

  readonly #onDone = (
    { steps, lines }: Batch,
    transactions: readonly Transaction[],
    outcomes: readonly CommitOutcome[],
  ): void => {
    for (let index = 0; index < transactions.length; index++) {
      const outcome = outcomes[index] as CommitOutcome;
      if (outcome.kind === "ok") this.#mark.knows(outcome.revision, (transactions[index] as Transaction).opId);
    }
    for (const { last } of steps)
      if (last !== undefined) this.#cache.keep(lines.texts[last.line] as string, last.entry);
    this.#announcer.announce(this.#mark.last.revision);
  };

  /** Before a new connection is used. */
  async #prepare(send: (command: Command) => Promise<unknown>): Promise<void> {
    if (this.#isUncertain) {
      const next = String(this.#generation + 1);
      await send(["SET", this.#fence, next, "PX", String(FENCE_MS)]);
      this.#generation += 1;
      this.#isUncertain = false;
    }
    const { revision, opId } = this.#mark.last;
    const reply = await send(["XRANGE", this.#keys.log, `${revision}-0`, "+", "COUNT", "1"]);
    const [item] = reply as readonly LogItem[];
    if (item === undefined || firstOf(item) > revision) return;
    if (decodeItem(item).some((one) => one.revision === revision && one.opId === opId)) return;
    this.#failure = wentBack(`revision ${revision} is another one than it was`);
  }

  async #read(commands: readonly Command[]): Promise<unknown[]> {
    this.#checkUsable();
    try {
      return await this.#connection.read(commands);
    } catch (error) {
      throw translated(error);
    }
  }

  #headFrom(text: string | null, floor: number): Head {
    const head = parseHead(text);
    if (head.head < floor) this.#failure = wentBack(`it is at revision ${head.head} and was at ${floor}`);
    this.#checkUsable();
    this.#mark.saw(head.head);
    return head;
  }

  #checkUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
