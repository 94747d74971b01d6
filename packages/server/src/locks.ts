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
  const { agentId, services } = call;
  const endMs = performance.now() + timeoutMs;
  const waits = new Map<string, () => void>();
  try {
    for (;;) {
      const obstacle = await obstacleTo(take);
      if ("granted" in obstacle) {
        if (agentId !== null) services.sessions.holds(agentId);
        return obstacle.granted;
      }
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) throw obstacle.error;
      const { contextId } = obstacle.error.details;
      if (agentId !== null && !waits.has(contextId)) waits.set(contextId, services.lockWaits.enter(contextId, agentId));
      await pause(PAUSE_MS);
      await untilFree(call, obstacle.error, leftMs);
    }
  } finally {
    for (const leave of waits.values()) leave();
  }
}

type Obstacle = ContextError<"LOCKED"> | ContextError<"TIMEOUT">;

async function obstacleTo<Result>(take: () => Promise<Result>): Promise<{ granted: Result } | { error: Obstacle }> {
  try {
    return { granted: await take() };
  } catch (error) {
    if (!isContextError(error, "LOCKED") && !isContextError(error, "TIMEOUT")) throw error;
    return { error };
  }
}

async function untilFree({ manager, signal }: Call, obstacle: Obstacle, timeoutMs: number): Promise<void> {
  try {
    await whenTrue(manager, obstacle.details.contextId, isFree, { timeoutMs, signal });
  } catch (error) {
    if (!isContextError(error, "TIMEOUT")) throw error;
    const { contextId, current } = error.details;
    if (current === undefined) throw new ContextError("NOT_FOUND", { contextId });
    throw obstacle;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
