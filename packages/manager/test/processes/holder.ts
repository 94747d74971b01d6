/** What a process does that holds a lease, is stopped, and goes on. */

import { isContextError, type Manager } from "./package.ts";

/** What it tells at the end. */
export interface Told {
  readonly token: number;
  /** What its write came to: the revision, or the code of the refusal. */
  readonly write: string;
  /** Why its signal was aborted, as a code; `null` when it was not. */
  readonly signal: string | null;
}

export const TTL_MS = 300;
const PATIENCE_MS = 5_000;

/**
 * @param listens - whether it hears of the loss before it writes; else it neither listens nor renews, and only the
 *   store can tell.
 */
export async function hold(
  manager: Manager,
  id: string,
  listens: boolean,
  told: (word: string, ask: () => void) => Promise<void>,
): Promise<void> {
  const lease = await manager.agent("holder").acquire(id, { ttlMs: TTL_MS, ...(!listens && { maxHoldMs: 0 }) });
  const aborted = listens ? abortOf(lease.signal) : undefined;
  await told("go on", () => process.send?.("held"));
  await aborted;
  const write = await lease.patch(id, { marks: { holder: "holder#1" } }, undefined, { note: "holder#1" }).then(
    ({ revision }) => String(revision),
    (error: unknown) => codeOf(error),
  );
  const end: Told = { token: lease.token, write, signal: lease.signal.aborted ? codeOf(lease.signal.reason) : null };
  await new Promise((resolve) => {
    process.send?.(end, undefined, undefined, resolve);
  });
}

/** Resolves when the signal is aborted, or when it should have been for long. */
function abortOf(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", resolve);
    setTimeout(resolve, PATIENCE_MS).unref();
  });
}

function codeOf(error: unknown): string {
  return isContextError(error) ? error.code : String(error);
}
