import { ContextError } from "./errors.ts";
import { Hold, type Term } from "./hold.ts";
import { type Lease, leaseOn } from "./leases.ts";
import type { Store, Waiting } from "./store.ts";

/** How to acquire; every wait ends. */
export interface AcquireOptions {
  /** How long the lease lasts without renewal: 30,000 by default. `Infinity` for a lock that never expires. */
  readonly ttlMs?: number;
  /** How long the lease renews itself: 600,000 by default. */
  readonly maxHoldMs?: number;
  /** How long to wait in the queue: 30,000 by default; 0 takes what is free or fails at once. */
  readonly timeoutMs?: number;
  /** Gives up waiting; the promise rejects with its reason. */
  readonly signal?: AbortSignal;
}

export interface Request extends Term {
  readonly agentId: string;
  readonly contextIds: readonly string[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** All of the contexts or none: at once when they are free and nobody waits for them, else after a fair wait. */
export async function acquire<Data extends object>(store: Store, request: Request): Promise<Lease<Data>> {
  const { agentId, contextIds, signal } = request;
  signal?.throwIfAborted();
  const missing = contextIds.find((contextId) => !store.entries.has(contextId));
  if (missing !== undefined) throw new ContextError("NOT_FOUND", { contextId: missing });
  if (contextIds.every((contextId) => !store.isAwaited(contextId) && store.holderOf(contextId) === null)) {
    return leaseOn<Data>(new Hold(store, agentId, contextIds, request));
  }
  const cycle = store.cycle(request);
  if (cycle !== undefined) throw new ContextError("DEADLOCK", { cycle });
  const lease = await waitInLine<Data>(store, request);
  if (signal?.aborted === true) {
    // The abort came between the grant and this line.
    lease.release();
    throw signal.reason;
  }
  return lease;
}

function waitInLine<Data extends object>(store: Store, request: Request): Promise<Lease<Data>> {
  const { agentId, contextIds, timeoutMs, signal } = request;
  return new Promise((resolve, reject) => {
    let cancelTimer: (() => void) | undefined;
    const stop = (): void => {
      cancelTimer?.();
      signal?.removeEventListener("abort", abort);
    };
    const waiting: Waiting = {
      agentId,
      contextIds,
      grant() {
        stop();
        resolve(leaseOn<Data>(new Hold(store, agentId, contextIds, request)));
      },
      fail(error) {
        stop();
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the reason of a signal is the caller's
        reject(error);
      },
    };
    const giveUp = (error: unknown): void => {
      store.leave(waiting);
      waiting.fail(error);
    };
    const abort = (): void => giveUp(signal?.reason);
    const deadlineMs = store.clock.leaseMs() + timeoutMs;
    const checkTimeout = (): void => {
      const leftMs = deadlineMs - store.clock.leaseMs();
      if (leftMs > 0) cancelTimer = store.clock.setTimer(checkTimeout, Math.ceil(leftMs), true);
      else giveUp(new ContextError("TIMEOUT", { timeoutMs, ...store.obstacle(waiting) }));
    };
    store.wait(waiting);
    signal?.addEventListener("abort", abort);
    if (timeoutMs !== Infinity) checkTimeout();
  });
}
