/** Agents that hold locks through this server: one that goes silent is closed, so that nobody waits for it for ever. */

import type { AsyncSharedContextManager } from "shared-context-manager";

interface Session {
  seenMs: number;
  /** Requests that are being answered: who waits or watches is not silent. */
  open: number;
}

export class Sessions {
  readonly #manager: AsyncSharedContextManager;
  readonly #ttlMs: number;
  readonly #onError: (error: unknown) => void;
  readonly #sessions = new Map<string, Session>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(manager: AsyncSharedContextManager, ttlMs: number, onError: (error: unknown) => void) {
    this.#manager = manager;
    this.#ttlMs = ttlMs;
    this.#onError = onError;
  }

  /** From now on the agent is expected to be heard of. */
  holds(agentId: string): void {
    if (this.#ttlMs === Infinity || this.#sessions.has(agentId)) return;
    // The request that took the lock is open still.
    this.#sessions.set(agentId, { seenMs: performance.now(), open: 1 });
    this.#timer ??= setInterval(() => this.#sweep(), Math.min(this.#ttlMs / 4, 10_000));
    (this.#timer as { unref?: () => void }).unref?.();
  }

  enter(agentId: string | null): void {
    const session = agentId === null ? undefined : this.#sessions.get(agentId);
    if (session !== undefined) session.open += 1;
  }

  leave(agentId: string | null): void {
    const session = agentId === null ? undefined : this.#sessions.get(agentId);
    if (session === undefined) return;
    session.open = Math.max(0, session.open - 1);
    session.seenMs = performance.now();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#sessions.clear();
  }

  #sweep(): void {
    const oldestMs = performance.now() - this.#ttlMs;
    for (const [agentId, { seenMs, open }] of this.#sessions) {
      if (open > 0 || seenMs > oldestMs) continue;
      this.#sessions.delete(agentId);
      this.#manager.agent(agentId).close().catch(this.#onError);
    }
    if (this.#sessions.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
