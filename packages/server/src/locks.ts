/** Locks of callers that are somewhere else: they renew by themselves, or the lock lapses. */

import { ContextError, isContextError } from "shared-context-manager";
import type { Call } from "./route.ts";
import { isFree, whenTrue } from "./waits.ts";

/** What the wall clock calls lapsed, the clock of the storage may not yet: trying again must not keep it busy. */
const PAUSE_MS = 2;

/**
 * What `take` gives, as soon as nothing is in its way; what is in its way after `timeoutMs` it is refused with.
 *
 * @throws ContextError NOT_FOUND, LOCKED, TIMEOUT when only those are in the way who wait in the process of the server.
 */
export async function whenGranted<Result>(call: Call, timeoutMs: number, take: () => Promise<Result>): Promise<Result> {
  const { manager, agentId, signal } = call;
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    let obstacle: ContextError<"LOCKED"> | ContextError<"TIMEOUT">;
    try {
      const granted = await take();
      if (agentId !== null) call.services.sessions.holds(agentId);
      return granted;
    } catch (error) {
      if (!isContextError(error, "LOCKED") && !isContextError(error, "TIMEOUT")) throw error;
      obstacle = error;
    }
    const leftMs = endMs - performance.now();
    if (leftMs <= 0) throw obstacle;
    await pause(PAUSE_MS);
    try {
      await whenTrue(manager, obstacle.details.contextId, isFree, { timeoutMs: leftMs, signal });
    } catch (error) {
      if (!isContextError(error, "TIMEOUT")) throw error;
      const { contextId, current } = error.details;
      if (current === undefined) throw new ContextError("NOT_FOUND", { contextId });
      throw obstacle;
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
