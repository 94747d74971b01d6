/** Locks of callers that are somewhere else: they renew by themselves, or the lock lapses. */

import { ContextError, isContextError, type SharedContext } from "shared-context-manager";
import type { Call } from "./route.ts";
import { isFree, whenTrue } from "./waits.ts";
import { leaseLost } from "./writes.ts";

/** What the wall clock calls lapsed, the clock of the storage may not yet: trying again must not keep it busy. */
const PAUSE_MS = 2;

export interface Taking {
  readonly ttlMs: number;
  /** How long to wait for a lock that another agent holds. */
  readonly timeoutMs: number;
}

/** @throws ContextError NOT_FOUND, LOCKED, TIMEOUT. */
export async function takeLock(call: Call, { ttlMs, timeoutMs }: Taking): Promise<SharedContext> {
  const { manager, contextId, agentId, signal } = call;
  const agent = call.agent();
  const endMs = performance.now() + timeoutMs;
  let leave: (() => void) | undefined;
  try {
    for (;;) {
      const isOurs = await agent.lock(contextId, { ttlMs });
      const context = await present(call);
      if (isOurs && context.lock?.owner === agentId) {
        call.services.sessions.holds(agentId);
        return context;
      }
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) throw notGranted(context, timeoutMs);
      leave ??= call.services.lockWaits.enter(contextId, agentId);
      await pause(PAUSE_MS);
      await whenTrue(manager, contextId, isFree, { timeoutMs: leftMs, signal });
    }
  } catch (error) {
    if (leave !== undefined && isContextError(error, "TIMEOUT")) throw notGranted(await present(call), timeoutMs);
    throw error;
  } finally {
    leave?.();
  }
}

/** @throws ContextError NOT_FOUND, LEASE_LOST. */
export async function renewLock(call: Call, token: number, ttlMs: number): Promise<SharedContext> {
  const { contextId } = call;
  const agent = call.agent();
  await checkHeld(call, token);
  if (!(await agent.lock(contextId, { ttlMs }))) throw leaseLost(contextId, token, await present(call));
  const context = await present(call);
  if (context.lock?.token === token) return context;
  // It went between the check and the renewal, which then took a new one: that is not what was asked for.
  if (context.lock?.owner === call.agentId) await agent.unlock(contextId);
  throw leaseLost(contextId, token, context);
}

/** @throws ContextError NOT_FOUND, LEASE_LOST. */
export async function releaseLock(call: Call, token: number): Promise<void> {
  await checkHeld(call, token);
  if (!(await call.agent().unlock(call.contextId))) throw leaseLost(call.contextId, token, await present(call));
}

async function checkHeld(call: Call, token: number): Promise<void> {
  const context = await present(call);
  if (context.lock?.token !== token || context.lock.owner !== call.agentId) {
    throw leaseLost(call.contextId, token, context);
  }
}

async function present({ manager, contextId }: Call): Promise<SharedContext> {
  const context = await manager.get(contextId);
  if (context === undefined) throw new ContextError("NOT_FOUND", { contextId });
  return context;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Who holds it: nobody, when only those stand in the way who wait for it in the process of the server. */
function notGranted({ contextId, lock }: SharedContext, timeoutMs: number): ContextError {
  if (lock === undefined) return new ContextError("TIMEOUT", { contextId, timeoutMs, position: 1, holder: null });
  const { owner, since, expiresAt } = lock;
  return new ContextError("LOCKED", { contextId, owner, since, expiresAt });
}
