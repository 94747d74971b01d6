/** Read, change, write; and again from what is there now, when somebody was faster. */

import { checkFunction, readAttempts, readFlag, readNote, readSignal } from "./arguments.ts";
import type { Clock } from "./clock.ts";
import { mergeCommand, updateCommand } from "./commands.ts";
import { type SharedContext, wrap } from "./context.ts";
import type { DeepReadonly } from "./data.ts";
import type { Author, Entry } from "./entry.ts";
import { ContextError } from "./errors.ts";
import { isPromise } from "./promise.ts";
import { accepted } from "./refusal.ts";
import { Rejection } from "./rejection.ts";
import type { Store } from "./store.ts";

/** How to modify. */
export interface ModifyOptions {
  /** Why; kept with the data and shown in its snapshot. */
  readonly note?: string;
  /** How often to run the function at most: 10 by default. */
  readonly attempts?: number;
  /**
   * Merge what the function returns with what others have changed meanwhile, and run it again only where they
   * overlap: `false` by default.
   *
   * The same change made twice is made once, so counts get lost: where three agents add 1 to 0 at the same time, it is 1,
   * and equal elements that they add to a list are there once. The operations `increment` and `append` of `patch` lose
   * nothing, nor does `false`.
   */
  readonly merge?: boolean;
  /**
   * Gives up, also in the middle of a run, and throws the reason: nothing is written then. What is on its way to a storage
   * at that moment may land all the same.
   */
  readonly signal?: AbortSignal;
}

/** Makes new data of a snapshot. */
export type Revise<Data extends object> = (
  context: SharedContext<Data>,
) => DeepReadonly<Data> | PromiseLike<DeepReadonly<Data>>;

const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 500;

/**
 * At once when `change` is synchronous, for then only a write of its own can come in between; a promise when it
 * is not.
 *
 * @param check - throws when the handle may write no longer.
 */
export function modify<Data extends object>(
  store: Store,
  contextId: string,
  change: Revise<Data>,
  options: ModifyOptions | undefined,
  author: Author,
  check: () => void,
): SharedContext<Data> | Promise<SharedContext<Data>> {
  checkFunction("change", change);
  readNote(options); // before the first run, and again before each write
  const attempts = readAttempts(options);
  const merges = readFlag(options, "merge");
  const signal = readSignal(options);

  const read = (): SharedContext<Data> => {
    check();
    const entry = store.entries.get(contextId);
    if (entry === undefined) throw store.refusal(new ContextError("NOT_FOUND", { contextId }));
    return wrap<Data>(entry);
  };
  const write = (data: DeepReadonly<Data>, context: SharedContext<Data>): Entry | Rejection => {
    check();
    return merges
      ? store.edit(mergeCommand(author, context, data, options))
      : store.update(updateCommand(author, contextId, data, context, options));
  };
  const isLast = (outcome: Entry | Rejection, attempt: number): boolean =>
    attempt >= attempts || !(outcome instanceof Rejection) || outcome.code !== "CONFLICT";

  async function goOn(
    first: SharedContext<Data>,
    thinking: PromiseLike<DeepReadonly<Data>>,
    firstAttempt: number,
  ): Promise<SharedContext<Data>> {
    let context = first;
    let changed: ReturnType<Revise<Data>> = thinking;
    for (let attempt = firstAttempt; ; attempt++) {
      const outcome = write(await unlessAborted(changed, signal), context);
      if (isLast(outcome, attempt)) return wrap<Data>(accepted(outcome));
      await pause(store.clock, attempt, signal);
      context = read();
      changed = change(context);
    }
  }

  signal?.throwIfAborted();
  for (let attempt = 1; ; attempt++) {
    const context = read();
    const changed = change(context);
    if (isPromise(changed)) return goOn(context, changed, attempt);
    signal?.throwIfAborted();
    const outcome = write(changed, context);
    if (isLast(outcome, attempt)) return wrap<Data>(accepted(outcome));
  }
}

/**
 * Random between nothing and a bound that doubles, so that those who met once do not meet again ("full jitter",
 * Brooker, "Exponential backoff and jitter", 2015).
 */
export async function pause(clock: Clock, attempt: number, signal: AbortSignal | undefined): Promise<void> {
  const boundMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1));
  let cancel: (() => void) | undefined;
  const over = new Promise<void>((resolve) => {
    cancel = clock.setTimer(resolve, Math.random() * boundMs, true);
  });
  try {
    await unlessAborted(over, signal);
  } finally {
    cancel?.();
  }
}

export async function unlessAborted<Value>(
  value: Value | PromiseLike<Value>,
  signal: AbortSignal | undefined,
): Promise<Value> {
  if (signal === undefined) return value;
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
  });
  try {
    return await Promise.race([aborted, value]);
  } finally {
    if (stop !== undefined) signal.removeEventListener("abort", stop);
  }
}
