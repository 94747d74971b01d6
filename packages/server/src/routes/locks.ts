/** Locks: take, renew, release; of one context or of several by one token. */

import type { SharedContext } from "shared-context-manager";
import { contextFields } from "../bodies.ts";
import type { Reply } from "../exchange.ts";
import { checkRight } from "../identity.ts";
import { type Fields, invalid, queryFlag, readFields, readLockToken, readMs, readTtl } from "../input.ts";
import { whenGranted } from "../locks.ts";
import { HttpError } from "../problems.ts";
import type { Call, Route } from "../route.ts";
import {
  CONTEXT,
  contextAnswer,
  JSON_TYPE,
  jsonAnswer,
  LOCK_TOKEN,
  MEDIA_TYPE,
  noContent,
  NOT_FOUND,
  TOO_LARGE,
} from "./parts.ts";

const HELD = { ...CONTEXT, headers: ["etag", "lock-token"] };
const GRANT = { description: "", content: { [JSON_TYPE]: "Grant" }, headers: ["lock-token"] };
const WAITED_FOR = { description: "TIMEOUT: it is free, but others waited for it before." };
const IN_THE_WAY = { description: "LOCKED: another agent holds it; `details` has `owner`, `since` and `expires_at`." };
const LOST = { description: "LEASE_LOST: the lock of the token is held no longer." };
const NEEDS_TOKEN = { description: "PRECONDITION_REQUIRED: Lock-Token is missing." };
/** Refusals: of those that take, and of those whose token must be that of what is held. */
const NOT_TAKEN = { 404: NOT_FOUND, 408: WAITED_FOR, 413: TOO_LARGE, 415: MEDIA_TYPE, 423: IN_THE_WAY };
const NOT_HELD = { 404: NOT_FOUND, 412: LOST, 413: TOO_LARGE, 415: MEDIA_TYPE, 428: NEEDS_TOKEN };

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
      ...NOT_TAKEN,
    },
    handle: async (call) => {
      const fields = readFields(call.body, ["ttl_ms", "timeout_ms"]);
      // For ever: and a lock that the agent has already keeps its expiry.
      const ttlMs = fields["ttl_ms"] === null ? undefined : readTtl(fields);
      const timeoutMs = readTimeout(call, fields);
      const { contextId } = call;
      const agent = call.agent();
      return held(await whenGranted(call, timeoutMs, () => agent.lock(contextId, ttlMs)));
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
      ...NOT_HELD,
    },
    handle: async (call) => {
      const agent = call.agent(requireToken(call));
      const [context] = await agent.renew([call.contextId], readTtl(readFields(call.body, ["ttl_ms"])));
      return held(context as SharedContext);
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
      if (queryFlag(call.target, "force")) await breakLock(call);
      else await call.agent(requireToken(call)).release([call.contextId]);
      return noContent();
    },
  },
  {
    method: "POST",
    path: "/v1/locks",
    operationId: "takeLocks",
    summary:
      "Takes the locks of several contexts by one token, or none of them. What the caller has already is in its way.",
    right: "write",
    body: { content: { [JSON_TYPE]: "LocksRequest" } },
    answers: {
      200: { ...GRANT, description: "The caller holds all of them; the header Lock-Token is their token." },
      ...NOT_TAKEN,
    },
    handle: async (call) => {
      const fields = readFields(call.body, ["context_ids", "ttl_ms", "timeout_ms"]);
      const contextIds = readContextIds(fields);
      const ttlMs = readTtl(fields);
      const agent = call.agent();
      return heldAll(await whenGranted(call, readTimeout(call, fields), () => agent.acquire(contextIds, ttlMs)));
    },
  },
  {
    method: "PATCH",
    path: "/v1/locks",
    operationId: "renewLocks",
    summary: "Lets the locks of several contexts that are held by one token last from now on.",
    right: "write",
    parameters: [{ ...LOCK_TOKEN, required: true }],
    body: { content: { [JSON_TYPE]: "LocksRenewal" } },
    answers: {
      200: { ...GRANT, description: "Renewed." },
      ...NOT_HELD,
    },
    handle: async (call) => {
      const fields = readFields(call.body, ["context_ids", "ttl_ms"]);
      return heldAll(await call.agent(requireToken(call)).renew(readContextIds(fields), readTtl(fields)));
    },
  },
  {
    method: "POST",
    path: "/v1/locks/release",
    operationId: "releaseLocks",
    summary: "Releases the locks of several contexts that are held by one token.",
    right: "write",
    parameters: [{ ...LOCK_TOKEN, required: true }],
    body: { content: { [JSON_TYPE]: "LocksRelease" } },
    answers: {
      204: { description: "Released." },
      ...NOT_HELD,
    },
    handle: async (call) => {
      await call.agent(requireToken(call)).release(readContextIds(readFields(call.body, ["context_ids"])));
      return noContent();
    },
  },
];

export function held(context: SharedContext): Reply {
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

async function breakLock(call: Call): Promise<void> {
  const reason = call.target.searchParams.get("reason");
  if (reason === null || reason === "") throw invalid("query", "/reason", "why the lock is broken", reason);
  checkRight(call.identity, "admin");
  await call.agent().forceUnlock(call.contextId, reason);
}

/** Several contexts that are held by one token. */
export function heldAll(contexts: readonly SharedContext[]): Reply {
  const token = contexts[0]?.lock?.token ?? 0;
  const body = { lock_token: token, contexts: contexts.map(contextFields) };
  return jsonAnswer(body, 200, { "lock-token": String(token) });
}

function readTimeout({ services }: Call, fields: Fields): number {
  return Math.min(readMs(fields, "timeout_ms", 0, 0), services.limits.maxWaitMs);
}

function readContextIds({ context_ids: ids }: Fields): string[] {
  if (Array.isArray(ids) && ids.length > 0 && ids.every((id) => typeof id === "string")) return [...new Set(ids)];
  throw invalid("body", "/context_ids", "a list of context ids, at least one", ids);
}
