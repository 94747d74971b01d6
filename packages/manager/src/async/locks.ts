/** The flag of section 6.20, over a storage. */

import type { LockOptions } from "../agent.ts";
import { checkId, readMs } from "../arguments.ts";
import { isContextError } from "../errors.ts";
import * as rules from "../rules.ts";
import type { AsyncStore } from "./store.ts";

/** `false` when another agent holds the lock, or waits for its turn in this process. */
export async function lock(
  store: AsyncStore,
  contextId: string,
  agentId: string,
  options: LockOptions | undefined,
): Promise<boolean> {
  checkId("contextId", contextId);
  checkId("agentId", agentId);
  const ttlMs = readMs(options, "ttlMs", 1);
  if (store.turnstile.isAwaited(contextId) && store.turnstile.holderOf(contextId) !== agentId) return false;
  return unlessLocked(
    store.change([contextId], (found, _id, { time }) => rules.lock(found, { contextId, agentId, ttlMs }, time)),
  );
}

/** `false` when another agent holds the lock, or nobody does. */
export async function unlock(store: AsyncStore, contextId: string, agentId: string): Promise<boolean> {
  checkId("contextId", contextId);
  checkId("agentId", agentId);
  let wasLocked = false;
  const isUnlocked = await unlessLocked(
    store.change([contextId], (found) => {
      wasLocked = (found?.lock ?? null) !== null;
      return rules.unlock(found, { contextId, agentId });
    }),
  );
  return isUnlocked && wasLocked;
}

async function unlessLocked(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (isContextError(error, "LOCKED")) return false;
    throw error;
  }
}
