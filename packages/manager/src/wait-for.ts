import type { Item } from "./agenda.ts";
import { type SharedContext, wrap } from "./context.ts";
import type { JsonObject } from "./data.ts";
import { type Entry, holding } from "./entry.ts";
import { ContextError, invalid } from "./errors.ts";
import { isStrayPromise } from "./promise.ts";
import type { Store } from "./store.ts";

/** How to wait for a condition; every wait ends. */
export interface WaitForOptions {
  /** How long: 30,000 by default; 0 looks once. `Infinity` waits for ever. */
  readonly timeoutMs?: number;
  /** Gives up; the promise rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** Whether a snapshot is what is waited for. It should decide at once, by the snapshot alone. */
export type Predicate<Data extends object> = (context: SharedContext<Data>) => boolean;

/** The context as soon as it satisfies the predicate: now, or after one of the changes to come. */
export function waitFor<Data extends object>(
  store: Store,
  contextId: string,
  predicate: Predicate<Data>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<SharedContext<Data>> {
  return new Promise((resolve, reject) => {
    new Condition<Data>(store, contextId, predicate, timeoutMs, signal, resolve, reject).start();
  });
}

class Condition<Data extends object> implements Item {
  readonly slackMs = 0;
  readonly atMs: number;
  previous: Item | undefined = undefined;
  next: Item | undefined = undefined;
  readonly #store: Store;
  readonly #contextId: string;
  readonly #predicate: Predicate<Data>;
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (context: SharedContext<Data>) => void;
  readonly #reject: (reason: unknown) => void;
  #unsubscribe: (() => void) | undefined;

  constructor(
    store: Store,
    contextId: string,
    predicate: Predicate<Data>,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    resolve: (context: SharedContext<Data>) => void,
    reject: (reason: unknown) => void,
  ) {
    this.atMs = store.clock.leaseMs() + timeoutMs;
    this.#store = store;
    this.#contextId = contextId;
    this.#predicate = predicate;
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Listens before it looks: the predicate may write. */
  start(): void {
    const { entries, feed, deadlines } = this.#store;
    const entry = entries.get(this.#contextId);
    this.#unsubscribe = feed.subscribe<Data>(
      this.#contextId,
      ({ context }) => this.#look(context),
      () => this.#fail(new ContextError("CLOSED", {})),
    );
    this.#signal?.addEventListener("abort", this);
    if (this.#signal?.aborted === true) this.handleEvent();
    else this.#look(entry && wrap<Data>(entry));
    if (!this.#isWaiting) return;
    if (this.#timeoutMs === 0) this.due();
    else if (this.#timeoutMs !== Infinity) deadlines.add(this);
  }

  /** The time is up. */
  due(): void {
    const entry = this.#store.entries.get(this.#contextId);
    const details = timeoutDetails(this.#contextId, this.#timeoutMs, entry);
    this.#fail(this.#store.refusal(new ContextError("TIMEOUT", details)));
  }

  /** The signal has aborted. */
  handleEvent(): void {
    this.#fail(this.#signal?.reason);
  }

  get #isWaiting(): boolean {
    return this.#unsubscribe !== undefined;
  }

  #look(context: SharedContext<Data> | undefined): void {
    if (context === undefined || !this.#isWaiting) return;
    try {
      if (!satisfies(this.#predicate, context) || !this.#isWaiting) return;
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#stop();
    this.#resolve(context);
  }

  #fail(reason: unknown): void {
    this.#stop();
    this.#reject(reason);
  }

  #stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#store.deadlines.remove(this);
    this.#signal?.removeEventListener("abort", this);
  }
}

/** What a predicate says; a promise would count as true whatever comes of it. */
export function satisfies<Data extends object>(predicate: Predicate<Data>, context: SharedContext<Data>): boolean {
  const answer: unknown = predicate(context);
  if (!isStrayPromise(answer)) return Boolean(answer);
  throw invalid("predicate", "", "a synchronous function", "one that returns a promise");
}

/** What a TIMEOUT of `waitFor` tells: it stands in no queue, so its place there is 0. */
export function timeoutDetails(
  contextId: string,
  timeoutMs: number,
  entry: Entry | undefined,
): ContextError<"TIMEOUT">["details"] {
  return {
    contextId,
    timeoutMs,
    position: 0,
    holder: entry?.lock ? holding(entry.lock) : null,
    current: entry && wrap<JsonObject>(entry),
  };
}
