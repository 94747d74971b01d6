/**
 * An async iterator over a change log (law 7). It holds a place in the log and nothing else; being woken only makes
 * it read on. Written once, over a log that answers at once or with a promise.
 */

import { Fifo } from "./fifo.ts";
import { type Change, type ChangeRecord, changeOf, type ContextFilter } from "./changes.ts";
import { ContextError } from "./errors.ts";

/** A reader of a log, as the log sees it. */
export interface Reader {
  readonly filter: ContextFilter | undefined;
  /** It has everything up to this revision, and what follows is to be read. */
  after: number;
  /** There may be more to read. */
  wake(): void;
  /** There will be no more. */
  end(): void;
}

/** What passes a reader's filter, in order; never a part of a commit. */
export interface Records {
  readonly records: readonly ChangeRecord[];
  /** The revision up to which this is everything. */
  readonly through: number;
  /** There may be more already. Without, the reader is woken when there is. */
  readonly hasMore: boolean;
}

/** Something that the reader has not read is kept no more. */
export interface Gap {
  /** The oldest revision from which on all is kept. */
  readonly oldest: number;
  readonly head: number;
  /** It was not kept when the reader began: what was deleted before, nobody can tell it any more. */
  readonly isTooOld: boolean;
}

export type Eventually<Value> = Value | Promise<Value>;

export interface Log {
  /** How things are: the contexts that pass a filter, in the order of their revisions. */
  present(filter: ContextFilter | undefined): Eventually<Records>;
  /** @param limit - how many records are enough; the rest of a commit comes with them. */
  read(reader: Reader, limit: number): Eventually<Records | Gap>;
  /** From now on the reader is woken when there is more for it. @param after - what it goes on from, if it does. */
  attach(reader: Reader, after: number | undefined): void;
  detach(reader: Reader): void;
}

export interface CursorOptions {
  readonly filter: ContextFilter | undefined;
  /** `undefined` to begin with how things are. */
  readonly after: number | undefined;
  /** Whoever falls behind gets the latest state of each context instead of COMPACTED. */
  readonly coalesce: boolean;
  readonly signal: AbortSignal | undefined;
}

interface Request<Data extends object> {
  resolve(result: IteratorResult<Change<Data>, undefined>): void;
  reject(reason: unknown): void;
}

/** What a consumer holds in its hand counts as read: a small number keeps the promise about lagging honest. */
const RECORDS_AT_ONCE = 64;

/** `state` begins with how things are, `behind` does so to catch up, `live` reads the log, `over` gives nothing. */
type Phase = "state" | "behind" | "live" | "over";

export class Cursor<Data extends object> implements Reader, AsyncIterableIterator<Change<Data>, undefined> {
  readonly filter: ContextFilter | undefined;
  after: number;
  readonly #log: Log;
  readonly #signal: AbortSignal | undefined;
  /** What a coalescing consumer believes to exist: it must be told when that has gone, even if the log has forgotten. */
  readonly #known: Set<string> | undefined;
  #phase: Phase;
  #attached = false;
  #reading = false;
  /** There may be more to read than what it has read. */
  #hasNews = true;
  #records: readonly ChangeRecord[] = [];
  #next = 0;
  readonly #requests = new Fifo<Request<Data>>();
  readonly #enqueue = (resolve: Request<Data>["resolve"], reject: Request<Data>["reject"]): void => {
    this.#requests.push({ resolve, reject });
  };
  #failure: { readonly reason: unknown } | undefined;

  constructor(log: Log, { filter, after, coalesce, signal }: CursorOptions) {
    this.filter = filter;
    this.after = after ?? 0;
    this.#log = log;
    this.#signal = signal;
    this.#known = coalesce ? new Set() : undefined;
    this.#phase = after === undefined ? "state" : "live";
    signal?.addEventListener("abort", this);
    // One that begins with how things are can miss nothing before its first read.
    if (this.#phase === "live") this.#attach();
    if (signal?.aborted === true) this.handleEvent();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Whether the next change is at hand: then nobody has to wait for it. */
  get hasNext(): boolean {
    return this.#next < this.#records.length;
  }

  next(): Promise<IteratorResult<Change<Data>, undefined>> {
    if (this.#requests.first === undefined && this.hasNext) return Promise.resolve(this.#take());
    const coming = new Promise(this.#enqueue);
    if (this.#hasNews) this.#serve();
    return coming;
  }

  return(): Promise<IteratorResult<Change<Data>, undefined>> {
    this.#failure = undefined;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  // oxlint-disable-next-line typescript/require-await -- what is thrown in must come out as a rejection
  async throw(reason?: unknown): Promise<IteratorResult<Change<Data>, undefined>> {
    this.end();
    throw reason;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  wake(): void {
    this.#hasNews = true;
    if (this.#requests.first !== undefined) this.#serve();
  }

  /** Answers what it can; what is left waits to be woken. */
  #serve(): void {
    while (this.#requests.first !== undefined) {
      if (this.#isOver)
        this.#dismiss(); // also while a read is under way: nobody waits for a storage that hangs
      else if (this.hasNext) this.#requests.shift()?.resolve(this.#take());
      else if (this.#hasNews && !this.#reading) this.#read();
      else return;
    }
  }

  /** The signal has aborted. */
  handleEvent(): void {
    this.#fail(this.#signal?.reason);
  }

  /** No more changes: whoever waits for one is told. */
  end(): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    this.#records = [];
    this.#next = 0;
    this.#signal?.removeEventListener("abort", this);
    if (this.#attached) this.#log.detach(this);
    this.wake();
  }

  #fail(reason: unknown): void {
    if (this.#phase !== "over") this.#failure = { reason };
    this.end();
  }

  #take(): IteratorResult<Change<Data>, undefined> {
    return { done: false, value: changeOf<Data>(this.#records[this.#next++] as ChangeRecord) };
  }

  /** A failure is told once; after that the iteration is over. */
  #dismiss(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure === undefined) this.#requests.shift()?.resolve({ done: true, value: undefined });
    else this.#requests.shift()?.reject(failure.reason);
  }

  #attach(): void {
    this.#attached = true;
    this.#log.attach(this, this.#phase === "live" ? this.after : undefined);
    const known = this.#known;
    if (known === undefined || this.#phase !== "live") return;
    // Whoever goes on from a revision may know whatever is there. Nothing is read before that is settled.
    this.#use(this.#log.present(this.filter), ({ records }) => {
      for (const { contextId } of records) if (contextId !== null) known.add(contextId);
    });
  }

  #read(): void {
    if (!this.#attached) this.#attach();
    if (this.#isOver) return;
    this.#hasNews = false;
    const page = this.#phase === "live" ? this.#log.read(this, this.#limit) : this.#log.present(this.filter);
    this.#use(page, (read) => this.#accept(read));
  }

  #use<Page extends Records | Gap>(page: Eventually<Page>, use: (page: Page) => void): void {
    if ("then" in page) void this.#useLate(page, use);
    else use(page);
  }

  async #useLate<Page>(late: Promise<Page>, use: (page: Page) => void): Promise<void> {
    this.#reading = true;
    try {
      const page = await late;
      if (!this.#isOver) use(page);
    } catch (error) {
      this.#fail(error);
    }
    this.#reading = false;
    this.#serve();
  }

  get #isOver(): boolean {
    return this.#phase === "over";
  }

  get #limit(): number {
    return this.#known === undefined ? RECORDS_AT_ONCE : Infinity;
  }

  #accept(page: Records | Gap): void {
    if ("oldest" in page) {
      if (this.#known === undefined || page.isTooOld) {
        this.#fail(new ContextError("COMPACTED", { after: this.after, oldest: page.oldest, head: page.head }));
      } else {
        this.#phase = "behind";
        this.#hasNews = true;
      }
      return;
    }
    const { records, through, hasMore } = page;
    if (this.#known === undefined) this.#records = records;
    else this.#records = this.#phase === "behind" ? this.#caughtUp(page, this.#known) : latest(records, this.#known);
    this.#next = 0;
    this.#phase = "live";
    this.after = through;
    if (hasMore) this.#hasNews = true;
  }

  /** What is newer than what was read, and what has gone since. */
  #caughtUp({ records, through }: Records, known: Set<string>): ChangeRecord[] {
    const present = new Set(records.map(({ contextId }) => contextId));
    const gone = [...known].filter((contextId) => !present.has(contextId));
    return latest(
      [
        ...records.filter(({ revision }) => revision > this.after),
        ...gone.map((contextId) => ({ ...GONE, contextId, revision: through })),
      ],
      known,
    );
  }
}

const GONE = { kind: "deleted", agentId: null, note: null, before: undefined, after: undefined } as const;

/** Of each context the last of its changes, told as what it means to somebody who has not seen those before it. */
function latest(records: readonly ChangeRecord[], known: Set<string>): ChangeRecord[] {
  const byId = new Map<string | null, ChangeRecord[]>();
  for (const record of records) {
    const { contextId } = record;
    if (contextId === null) byId.clear();
    const earlier = byId.get(contextId) ?? [];
    byId.delete(contextId); // to the end: revisions rise
    byId.set(contextId, [...earlier, record]);
  }
  const news = [...byId.values()].filter(isNews).map(together);
  for (const { contextId, after } of news) {
    if (contextId === null) known.clear();
    else if (after === undefined) known.delete(contextId);
    else known.add(contextId);
  }
  return news;
}

/** What came and went unseen is none. */
function isNews(records: readonly ChangeRecord[]): boolean {
  return records[0]?.kind !== "created" || records.at(-1)?.after !== undefined;
}

function together(records: readonly ChangeRecord[]): ChangeRecord {
  const last = records.at(-1) as ChangeRecord;
  if (records.length === 1) return last;
  const before = records[0]?.before;
  if (last.after === undefined) return { ...last, before };
  const kinds = new Set(records.map(({ kind }) => kind));
  const kind = kinds.has("created") ? "created" : kinds.has("updated") ? "updated" : last.kind;
  return { ...last, before, kind };
}
