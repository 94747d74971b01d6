/** The flag of section 6.20, over a storage. */

import type { LockOptions } from "../agent.ts";
import { checkId, readMs } from "../arguments.ts";
import { isContextError } from "../errors.ts";
import type { SharedStore } from "./shared-store.ts";

/** `false` when another agent holds the lock, or waits for its turn in this process. */
export async function lock(
  store: SharedStore,
  contextId: string,
  agentId: string,
  options: LockOptions | undefined,
): Promise<boolean> {
  checkId("contextId", contextId);
  checkId("agentId", agentId);
  const ttlMs = readMs(options, "ttlMs", 1);
  if (store.turnstile.isAwaited(contextId) && store.turnstile.holderOf(contextId) !== agentId) return false;
  const locked = store.lock({ contextId, agentId, ttlMs }).then(() => true);
  return store.turnstile.noting(agentId, unlessLocked(locked));
}

/** `false` when another agent holds the lock, or nobody does. */
export async function unlock(store: SharedStore, contextId: string, agentId: string): Promise<boolean> {
  checkId("contextId", contextId);
  checkId("agentId", agentId);
  return unlessLocked(store.unlock({ contextId, agentId }));
}

async function unlessLocked(work: Promise<boolean>): Promise<boolean> {
  try {
    return await work;
  } catch (error) {
    if (isContextError(error, "LOCKED")) return false;
    throw error;
  }
}
