/** Long polls: until a context is as the caller wants it, its lock is free, or the time is over. */

import {
  type AsyncSharedContextManager,
  ContextError,
  isContextError,
  type JsonObject,
  type Predicate,
  type SharedContext,
} from "shared-context-manager";

/** A lapsed lock makes no change: this is how soon after its expiry it is looked at again. */
const SOON_MS = 5;

export interface Patience {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * The context as soon as the condition holds; a condition that time alone can bring is asked again when the lock of
 * the context expires.
 *
 * @throws ContextError TIMEOUT.
 */
export async function whenTrue(
  manager: AsyncSharedContextManager,
  contextId: string,
  condition: Predicate<JsonObject>,
  { timeoutMs, signal }: Patience,
): Promise<SharedContext> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    const leftMs = Math.max(0, endMs - performance.now());
    const expiresAt = (await manager.get(contextId))?.lock?.expiresAt?.getTime() ?? Infinity;
    const untilExpiryMs = Math.max(SOON_MS, expiresAt - Date.now() + SOON_MS);
    try {
      return await manager.waitFor(contextId, condition, { timeoutMs: Math.min(leftMs, untilExpiryMs), signal });
    } catch (error) {
      if (!isContextError(error, "TIMEOUT")) throw error;
      if (performance.now() >= endMs) throw new ContextError("TIMEOUT", { ...error.details, timeoutMs });
    }
  }
}

/** Nobody holds the lock, or whoever does has let it lapse. */
export function isFree({ lock }: SharedContext): boolean {
  return lock === undefined || (lock.expiresAt !== null && lock.expiresAt.getTime() <= Date.now());
}
