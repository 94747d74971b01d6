/** Locks over HTTP. */

import { checkStorable } from "../arguments.ts";
import { Busy, type GrantCommand, type Holder } from "../async/shared-store.ts";
import type { Act } from "../changes.ts";
import { type Entry, hasLapsed } from "../entry.ts";
import { ContextError, isContextError } from "../errors.ts";
import type * as rules from "../rules.ts";
import { pathOf } from "./connection.ts";
import type { HttpStore } from "./store.ts";

/** A server grants no lock for ever: this is the longest that it grants. */
const LONGEST_TTL_MS = 7 * 24 * 3600 * 1000;
/** When to ask again for a lock that is free, but that others have waited for before. */
const SOON_MS = 50;

export class HttpLocks {
  readonly #store: HttpStore;

  constructor(store: HttpStore) {
    this.#store = store;
  }

  async lock({ contextId, agentId, ttlMs }: rules.LockCommand): Promise<void> {
    // The owner's lock stays as it is unless a time to live is given, and the server would give it a new one.
    const { lock } = ttlMs === undefined ? await this.#present(contextId) : { lock: null };
    if (lock?.owner === agentId && !hasLapsed(lock, this.#store.time.leaseMs)) return;
    try {
      await this.#take(contextId, agentId, ttlMs ?? Infinity);
    } catch (error) {
      if (!isContextError(error, "TIMEOUT")) throw error;
      const since = new Date(this.#store.clock.wallMs());
      throw new ContextError("LOCKED", { contextId, owner: "", since, expiresAt: since });
    }
  }

  async unlock({ contextId, agentId }: rules.UnlockCommand): Promise<boolean> {
    const { lock } = await this.#present(contextId);
    if (lock === null || lock.owner !== agentId) return false;
    try {
      await this.release([contextId], { agentId, token: lock.token });
      return true;
    } catch (error) {
      if (isContextError(error, "LEASE_LOST")) return false;
      throw error;
    }
  }

  async breakLock(contextId: string, { agentId, note }: Act): Promise<boolean> {
    const { lock } = await this.#present(contextId);
    if (lock === null) return false;
    const path = pathOf(contextId, "/lock", { force: "true", reason: note });
    await this.#store.write({ method: "DELETE", path, agentId, contextIds: [contextId], isGuarded: false });
    return true;
  }

  async grant({ contextIds, agentId, ttlMs }: GrantCommand): Promise<number | Busy> {
    const [contextId = "", ...others] = contextIds;
    if (others.length > 0) {
      const received = `${contextIds.length} contexts over HTTP`;
      const details = { feature: "acquire()", expected: "one context at a time", received };
      throw this.#store.refusal(new ContextError("UNSUPPORTED", details));
    }
    checkStorable(contextId);
    const wallMs = this.#store.clock.wallMs();
    try {
      const { lock, revision } = await this.#take(contextId, agentId, ttlMs);
      if (lock !== null && lock.token === revision) return lock.token;
      // It was this agent's already: a server renews it then, and a lease is not granted twice.
      const since = new Date(lock?.sinceMs ?? wallMs);
      const expiresAt = lock?.expiresAtMs == null ? null : new Date(lock.expiresAtMs);
      return new Busy(contextId, { owner: agentId, since, expiresAt }, ttlMs);
    } catch (error) {
      if (isContextError(error, "TIMEOUT")) return new Busy(contextId, null, SOON_MS);
      if (!isContextError(error, "LOCKED")) throw error;
      const { owner, since, expiresAt } = error.details;
      return new Busy(contextId, { owner, since, expiresAt }, (expiresAt?.getTime() ?? Infinity) - wallMs);
    }
  }

  async renew(contextIds: readonly string[], { agentId, token }: Holder, ttlMs: number): Promise<void> {
    for (const contextId of contextIds) {
      const headers = { "lock-token": String(token) };
      const path = pathOf(contextId, "/lock");
      const body = { ttl_ms: Math.min(ttlMs, LONGEST_TTL_MS) };
      await this.#store.write({ method: "PATCH", path, agentId, headers, body, contextIds, isGuarded: true });
    }
  }

  async release(contextIds: readonly string[], { agentId, token }: Holder): Promise<void> {
    for (const contextId of contextIds) {
      const headers = { "lock-token": String(token) };
      const path = pathOf(contextId, "/lock");
      await this.#store.write({ method: "DELETE", path, agentId, headers, contextIds, isGuarded: true });
    }
  }

  #take(contextId: string, agentId: string, ttlMs: number): Promise<Entry> {
    const body = { ttl_ms: Math.min(ttlMs, LONGEST_TTL_MS) };
    const path = pathOf(contextId, "/lock");
    return this.#store.writeEntry({ method: "POST", path, agentId, body, contextIds: [contextId], isGuarded: true });
  }

  async #present(contextId: string): Promise<Entry> {
    const entry = await this.#store.load(contextId);
    if (entry !== undefined) return entry;
    throw this.#store.refusal(new ContextError("NOT_FOUND", { contextId }));
  }
}
