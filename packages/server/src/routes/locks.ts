/** Locks: take, renew, release. */

import { ContextError } from "shared-context-manager";
import { invalid, queryFlag, readFields, readLockToken, readMs } from "../input.ts";
import { releaseLock, renewLock, takeLock } from "../locks.ts";
import { HttpError } from "../problems.ts";
import { allows } from "../rights.ts";
import type { Call, Route } from "../route.ts";
import { CONTEXT, contextAnswer, JSON_TYPE, LOCK_TOKEN, MEDIA_TYPE, NOT_FOUND, TOO_LARGE } from "./parts.ts";

const TTL_MS = 30_000;

const HELD = { ...CONTEXT, headers: ["etag", "lock-token"] };
const LOST = { description: "LEASE_LOST: the lock of the token is held no longer." };
const NEEDS_TOKEN = { description: "PRECONDITION_REQUIRED: Lock-Token is missing." };

export const lockRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/contexts/{id}/lock",
    operationId: "takeLock",
    summary: "Takes the lock: others cannot write until it is released or has lapsed. The caller renews it.",
    right: "write",
    body: { content: { [JSON_TYPE]: "LockRequest" }, optional: true },
    answers: {
      200: { ...HELD, description: "The caller holds the lock; the header Lock-Token and `lock_token` are its token." },
      404: NOT_FOUND,
      408: { description: "TIMEOUT: it is free, but others waited for it before." },
      413: TOO_LARGE,
      415: MEDIA_TYPE,
      423: { description: "LOCKED: another agent holds it; `details` has `owner`, `since` and `expires_at`." },
    },
    handle: async (call) => {
      const fields = readFields(call.body, ["ttl_ms", "timeout_ms"]);
      const ttlMs = readMs(fields, "ttl_ms", 1, TTL_MS);
      const timeoutMs = Math.min(readMs(fields, "timeout_ms", 0, 0), call.services.limits.maxWaitMs);
      return held(await takeLock(call, { ttlMs, timeoutMs }));
    },
  },
  {
    method: "PATCH",
    path: "/v1/contexts/{id}/lock",
    operationId: "renewLock",
    summary: "Lets the lock last for its time to live from now on. A third of that time is a good moment.",
    right: "write",
    parameters: [{ ...LOCK_TOKEN, required: true }],
    body: { content: { [JSON_TYPE]: "Renewal" }, optional: true },
    answers: {
      200: { ...HELD, description: "Renewed." },
      404: NOT_FOUND,
      412: LOST,
      413: TOO_LARGE,
      415: MEDIA_TYPE,
      428: NEEDS_TOKEN,
    },
    handle: async (call) => {
      const token = requireToken(call);
      return held(await renewLock(call, token, readMs(readFields(call.body, ["ttl_ms"]), "ttl_ms", 1, TTL_MS)));
    },
  },
  {
    method: "DELETE",
    path: "/v1/contexts/{id}/lock",
    operationId: "releaseLock",
    summary: "Releases the lock. With `force=true` breaks it, whoever holds it: that needs admin rights and a reason.",
    right: "write",
    parameters: [
      LOCK_TOKEN,
      { in: "query", name: "force", description: "Breaks the lock of another.", schema: { type: "boolean" } },
      { in: "query", name: "reason", description: "Why, for the holder to read.", schema: { type: "string" } },
    ],
    answers: {
      204: { description: "Released. With `force` also when nobody held it." },
      404: NOT_FOUND,
      412: LOST,
      428: NEEDS_TOKEN,
    },
    handle: async (call) => {
      if (queryFlag(call.url, "force")) await breakLock(call);
      else await releaseLock(call, requireToken(call));
      return new Response(null, { status: 204 });
    },
  },
];

function held(context: Parameters<typeof contextAnswer>[0]): Response {
  return contextAnswer(context, 200, { "lock-token": String(context.lock?.token ?? "") });
}

function requireToken({ request }: Call): number {
  const token = readLockToken(request.headers);
  if (token !== undefined) return token;
  throw new HttpError(
    "PRECONDITION_REQUIRED",
    "this needs the header Lock-Token: send the token that taking the lock has given, which is lock_token of the context too",
    { header: "Lock-Token" },
  );
}

async function breakLock({ manager, contextId, identity, agentId, url }: Call): Promise<void> {
  const reason = url.searchParams.get("reason");
  if (reason === null || reason === "") throw invalid("query", "/reason", "why the lock is broken", reason);
  if (!allows(identity, "admin")) {
    throw new HttpError("FORBIDDEN", `to break a lock needs admin rights; this token has ${identity.rights}`, {
      needed: "admin",
      rights: identity.rights,
    });
  }
  if ((await manager.get(contextId)) === undefined) throw new ContextError("NOT_FOUND", { contextId });
  await manager.forceUnlock(contextId, { agentId, reason });
}
