/** One reader's event stream: connects again where it was cut, and goes on after the last event that it has got. */

import type { ChangeRecord, ContextFilter } from "../changes.ts";
import type { Gap } from "../cursor.ts";
import { type ContextError, isContextError } from "../errors.ts";
import { changeFromBody, fieldsOf, numberOf } from "./bodies.ts";
import type { Call, Connection } from "./connection.ts";
import { eventsIn, type ServerEvent } from "./events.ts";
import { errorOf, problemIn } from "./problems.ts";

export interface FeedOptions {
  readonly connection: Connection;
  readonly filter: ContextFilter | undefined;
  /** The revision that it goes on after. */
  readonly after: number;
  /** For how long it tries to connect again; `Infinity` for ever. */
  readonly patienceMs: number;
  /** There is something to take: records, a gap or a failure. */
  readonly onNews: () => void;
}

/** So much may wait to be taken; then no more is read, and the server holds it back. */
const MOST_WAITING = 1_024;
const SHORTEST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** The server says that it is there every 15 seconds. */
export const LONGEST_SILENCE_MS = 60_000;
const NOTHING_SENT = { isWrite: false, contextIds: [], operationId: "", body: undefined };

export class Feed {
  readonly #options: FeedOptions;
  readonly #records: ChangeRecord[] = [];
  #place: string;
  #controller = new AbortController();
  #stopped = false;
  #wake: (() => void) | undefined;
  /** Something of the log is kept no more: the feed is over. */
  gap: Omit<Gap, "isTooOld"> | undefined;
  failure: ContextError | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#place = String(options.after);
    void this.#run();
  }

  /** How many have come and have not been taken. */
  get waiting(): number {
    return this.#records.length;
  }

  /** What has come since it was last asked. */
  take(limit: number): ChangeRecord[] {
    const taken = this.#records.splice(0, limit === Infinity ? this.#records.length : limit);
    this.#wake?.();
    return taken;
  }

  stop(): void {
    this.#stopped = true;
    this.#controller.abort();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    let pauseMs = SHORTEST_PAUSE_MS;
    let heardAtMs = performance.now();
    while (!this.#isOver) {
      const before = this.#place;
      const failure = await this.#connect(() => {
        heardAtMs = performance.now();
      });
      if (this.#isOver) return;
      if (this.#place !== before) pauseMs = SHORTEST_PAUSE_MS;
      const isPassing = failure === undefined || isContextError(failure, "UNAVAILABLE");
      if (!isPassing || performance.now() - heardAtMs >= this.#options.patienceMs) {
        this.failure = failure;
        if (failure !== undefined) return this.#options.onNews();
      }
      await this.#pause(pauseMs * (0.5 + Math.random() / 2));
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
    }
  }

  get #isOver(): boolean {
    return this.#stopped || this.gap !== undefined || this.failure !== undefined;
  }

  /** Reads one stream to its end; why it could not, if it could not. */
  async #connect(heard: () => void): Promise<ContextError | undefined> {
    const controller = new AbortController();
    this.#controller = controller;
    let silence: ReturnType<typeof setTimeout> | undefined;
    const onBytes = (): void => {
      heard();
      clearTimeout(silence);
      silence = setTimeout(() => controller.abort(), LONGEST_SILENCE_MS);
    };
    try {
      const call = streamCall(this.#options.filter, this.#place);
      const stream = await this.#options.connection.open(call, controller.signal);
      for await (const event of eventsIn(stream, onBytes)) {
        if (this.#stopped) return undefined;
        this.#hear(event);
        if (this.#isOver) return undefined;
        clearTimeout(silence);
        while (this.#records.length >= MOST_WAITING && !this.#stopped) await this.#pause(Infinity);
      }
      return undefined;
    } catch (error) {
      // A stream that breaks off is one that ends.
      return isContextError(error) ? error : undefined;
    } finally {
      clearTimeout(silence);
      controller.abort();
    }
  }

  #hear(event: ServerEvent): void {
    const { name, id, data } = event;
    if (name === "message") {
      const record = changeFromBody(JSON.parse(data));
      this.#place = id ?? this.#place;
      this.#records.push(record);
    } else if (name === "compacted") {
      this.gap = gapIn(data);
    } else if (name === "problem") {
      throw problemError(data);
    } else {
      return;
    }
    this.#options.onNews();
  }

  /** @param ms - `Infinity` until it is woken. */
  async #pause(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (ms !== Infinity) timer = setTimeout(resolve, ms);
      if (this.#stopped) resolve();
    });
    clearTimeout(timer);
    this.#wake = undefined;
  }
}

/** @param place - what it goes on after; without it, it begins with how things are. */
export function streamCall(filter: ContextFilter | undefined, place?: string): Call {
  const query = new URLSearchParams();
  if (typeof filter === "string") query.set("context_id", filter);
  else if (filter !== undefined) query.set("prefix", filter.prefix);
  const search = query.toString();
  const path = `/v1/changes${search === "" ? "" : `?${search}`}`;
  return { method: "GET", path, headers: { accept: "text/event-stream", "last-event-id": place } };
}

export function problemError(data: string): ContextError {
  const problem = problemIn(data) ?? { code: "INTERNAL", detail: data, details: {} };
  return errorOf(problem, NOTHING_SENT);
}

function gapIn(data: string): Omit<Gap, "isTooOld"> {
  const details = fieldsOf(problemIn(data)?.details ?? {}, "a gap");
  return { oldest: numberOf(details, "oldest"), head: numberOf(details, "head") };
}
