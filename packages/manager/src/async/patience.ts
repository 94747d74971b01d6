/**
 * How long a caller waits for an answer of the storage: until its signal or its time ends that, and no longer, whatever
 * the storage does. What has been sent is not taken back by it.
 */

import type { Clock } from "../clock.ts";

/** In place of an answer: the time is up. */
export const LATE: unique symbol = Symbol("late");

/**
 * Who has little time left, or none, is given the answer that is under way all the same, if it comes as soon as this: to
 * look once is what a timeout of 0 asks for.
 */
const LEAST_MS = 500;

export interface Patience {
  readonly clock: Clock;
  /** Lease time of the caller's clock. */
  readonly endsAtMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Calls back when that lease time has come, at once if it has: a timer may fire early. @returns the cancellation. */
export function whenTimeHasCome(clock: Clock, atMs: number, callback: () => void): () => void {
  let cancel: (() => void) | undefined;
  const look = (): void => {
    const leftMs = atMs - clock.leaseMs();
    if (leftMs <= 0) callback();
    else cancel = clock.setTimer(look, leftMs, true);
  };
  if (atMs !== Infinity) look();
  return () => cancel?.();
}

/** @throws the reason of the signal, or what the work rejects with. */
export async function within<Value>(
  work: Promise<Value>,
  { clock, endsAtMs, signal }: Patience,
): Promise<Value | typeof LATE> {
  const lateAtMs = Math.max(endsAtMs, clock.leaseMs() + LEAST_MS);
  let cancel: (() => void) | undefined;
  let onAbort: (() => void) | undefined;
  const ended = new Promise<typeof LATE>((resolve, reject) => {
    cancel = whenTimeHasCome(clock, lateAtMs, () => resolve(LATE));
    onAbort = () => reject(signal?.reason as Error);
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted === true) onAbort();
  });
  try {
    return await Promise.race([ended, work]);
  } finally {
    cancel?.();
    if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
  }
}
