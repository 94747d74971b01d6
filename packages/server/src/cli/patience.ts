/** Waiting longer than a server does at once. */

import { isRefused } from "./output.ts";

/**
 * What `ask` gives. While there is time left it is asked again when it is refused with one of `codes`, since a server waits
 * only so long at once.
 *
 * @param ask - is told how much time is left.
 */
export async function patiently<Result>(
  timeoutMs: number,
  codes: readonly string[],
  ask: (leftMs: number) => Promise<Result>,
): Promise<Result> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await ask(Math.max(0, Math.ceil(endMs - performance.now())));
    } catch (error) {
      if (!isRefused(error, codes) || performance.now() >= endMs) throw error;
    }
  }
}
