/** Locks over HTTP. */

import { checkStorable } from "../arguments.ts";
import { Busy, type GrantCommand, type Holder } from "../async/shared-store.ts";
import type { Act } from "../changes.ts";
import type { Entry } from "../entry.ts";
import { ContextError, isContextError } from "../errors.ts";
import type * as rules from "../rules.ts";
import { entryFromBody, fieldsOf, listOf } from "./bodies.ts";
import { type Call, pathOf } from "./connection.ts";
import type { HttpStore } from "./store.ts";

/** When to ask again for a lock that is free, but that others have waited for before. */
const SOON_MS = 50;

export class HttpLocks {
  readonly #store: HttpStore;

  constructor(store: HttpStore) {
    this.#store = store;
  }

  async lock({ contextId, agentId, ttlMs, operationId }: rules.LockCommand): Promise<Entry> {
    checkStorable(contextId);
    const path = pathOf(contextId, "/lock");
    const body = { ttl_ms: ttlMs === undefined ? null : sendable(ttlMs) };
    try {
      return await this.#store.writeEntry({
        method: "POST",
        path,
        agentId,
        body,
        contextIds: [contextId],
        operationId,
      });
    } catch (error) {
      if (!isContextError(error, "TIMEOUT")) throw error;
      // Others have waited for it before, in the process of the server.
      const since = new Date(this.#store.clock.wallMs());
      throw new ContextError("LOCKED", { contextId, owner: "", since, expiresAt: since });
    }
  }

  async unlock({ contextId, agentId, operationId }: rules.UnlockCommand): Promise<boolean> {
    const { lock } = await this.#present(contextId);
    if (lock === null || lock.owner !== agentId) return false;
    try {
      await this.release([contextId], { agentId, token: lock.token }, { operationId });
      return true;
    } catch (error) {
      if (isContextError(error, "LEASE_LOST")) return false;
      throw error;
    }
  }

  async breakLock(contextId: string, { agentId, note, operationId }: Act & rules.Named): Promise<boolean> {
    const { lock } = await this.#present(contextId);
    if (lock === null) return false;
    const path = pathOf(contextId, "/lock", { force: "true", reason: note });
    await this.#store.write({ method: "DELETE", path, agentId, contextIds: [contextId], operationId });
    return true;
  }

  async grant({ contextIds, agentId, ttlMs, operationId }: GrantCommand): Promise<readonly Entry[] | Busy> {
    for (const contextId of contextIds) checkStorable(contextId);
    const body = { context_ids: contextIds, ttl_ms: sendable(ttlMs) };
    try {
      return await this.#all({ method: "POST", path: "/v1/locks", agentId, body, contextIds, operationId });
    } catch (error) {
      if (isContextError(error, "TIMEOUT")) return new Busy(error.details.contextId, null, SOON_MS);
      if (!isContextError(error, "LOCKED")) throw error;
      const { contextId, owner, since, expiresAt } = error.details;
      const lapsesInMs = (expiresAt?.getTime() ?? Infinity) - this.#store.clock.wallMs();
      return new Busy(contextId, { owner, since, expiresAt }, lapsesInMs);
    }
  }

  renew(contextIds: readonly string[], { agentId, token }: Holder, ttlMs: number): Promise<readonly Entry[]> {
    const headers = { "lock-token": String(token) };
    const body = { context_ids: contextIds, ttl_ms: sendable(ttlMs) };
    return this.#all({ method: "PATCH", path: "/v1/locks", agentId, headers, body, contextIds });
  }

  async release(
    contextIds: readonly string[],
    { agentId, token }: Holder,
    { operationId }: rules.Named = {},
  ): Promise<void> {
    const headers = { "lock-token": String(token) };
    const body = { context_ids: contextIds };
    const path = "/v1/locks/release";
    await this.#store.write({ method: "POST", path, agentId, headers, body, contextIds, operationId });
  }

  async #all(call: Call): Promise<readonly Entry[]> {
    const fields = fieldsOf(JSON.parse(await this.#store.write(call)), "a grant");
    return listOf(fields, "contexts").map(entryFromBody);
  }

  async #present(contextId: string): Promise<Entry> {
    const entry = await this.#store.load(contextId);
    if (entry !== undefined) return entry;
    throw this.#store.refusal(new ContextError("NOT_FOUND", { contextId }));
  }
}

/** JSON has no infinity: `null` is for ever. */
function sendable(ttlMs: number): number | null {
  return ttlMs === Infinity ? null : ttlMs;
}
