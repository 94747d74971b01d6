/** What several routes have in common. */

import type { SharedContext } from "shared-context-manager";
import type { Expected, RemoteAgent } from "shared-context-manager/serving";
import { contextText } from "../bodies.ts";
import type { Reply } from "../exchange.ts";
import { type Etag, etagOf, isAt, requireMatch } from "../etags.ts";
import { readLockToken } from "../input.ts";
import { LONGEST_WAIT } from "../limits.ts";
import type { Answer, Call, Parameter } from "../route.ts";

export const JSON_TYPE = "application/json";
export const MERGE_PATCH_TYPE = "application/merge-patch+json";
/** Our operations: `set`, `remove`, `append`, `increment`, `test`. */
export const OPERATIONS_TYPE = "application/vnd.shared-context.operations+json";

/** @param headers - beside type and ETag. */
export function contextAnswer(context: SharedContext, status = 200, headers: Record<string, string> = {}): Reply {
  const own = { "content-type": JSON_TYPE, etag: etagOf(context), "cache-control": "no-cache" };
  return { status, headers: { ...own, ...headers }, body: contextText(context) };
}

export function noContent(): Reply {
  return { status: 204, headers: {}, body: null };
}

/** A write of data with what its headers say of what is there, and of the lock that its agent holds. */
export function guarded<Result>(
  call: Call,
  work: (agent: RemoteAgent, expected: Expected | undefined) => Promise<Result>,
): Promise<Result> {
  const { headers } = call.request;
  const match = requireMatch(headers);
  const agent = call.agent(readLockToken(headers));
  if (match === "any") return work(agent, undefined);
  return match.length === 1 ? work(agent, match[0]) : presentOf(call, match).then((tag) => work(agent, tag));
}

/** Of several tags the one that is there, if one is. */
async function presentOf({ manager, contextId }: Call, match: readonly Etag[]): Promise<Etag | undefined> {
  const present = await manager.get(contextId);
  return match.find((tag) => present !== undefined && isAt(present, tag)) ?? match[0];
}

export function jsonAnswer(body: unknown, status = 200, headers: Record<string, string> = {}): Reply {
  const own = { "content-type": JSON_TYPE, "cache-control": "no-cache" };
  return { status, headers: { ...own, ...headers }, body: JSON.stringify(body) };
}

/** The path of a context. What a URL would resolve away goes into the query. */
export function pathOf(contextId: string): string {
  return contextId === "." || contextId === ".."
    ? `/v1/contexts/?context_id=${encodeURIComponent(contextId)}`
    : `/v1/contexts/${encodeURIComponent(contextId)}`;
}

export const CONTEXT: Answer = {
  description: "The context.",
  content: { [JSON_TYPE]: "Context" },
  headers: ["etag"],
};

export const IF_MATCH: Parameter = {
  in: "header",
  name: "If-Match",
  description: "The ETag of what was read, or `*` for whatever is there. Without it 428.",
  schema: { type: "string" },
  required: true,
};

export const IF_NONE_MATCH: Parameter = {
  in: "header",
  name: "If-None-Match",
  description: "The ETag of what is known already.",
  schema: { type: "string" },
};

export const LOCK_TOKEN: Parameter = {
  in: "header",
  name: "Lock-Token",
  description: "The fencing token of the lock: the write lands only if that lock is still held.",
  schema: { type: "string", pattern: "^[1-9][0-9]*$" },
};

export const NOTE: Parameter = {
  in: "query",
  name: "note",
  description: "Why: kept with the data, in history, blame and the change log.",
  schema: { type: "string" },
};

export const TIMEOUT_MS: Parameter = {
  in: "query",
  name: "timeout_ms",
  description: `How long to wait, in milliseconds: 30,000 by default; ${LONGEST_WAIT}.`,
  schema: { type: "integer", minimum: 0 },
};

export const NOT_FOUND: Answer = { description: "NOT_FOUND: there is no such context." };
export const TOO_LARGE: Answer = { description: "TOO_LARGE or BODY_TOO_LARGE." };
export const MEDIA_TYPE: Answer = { description: "UNSUPPORTED_MEDIA_TYPE: the body is of another type." };

export const NO_MATCH: Answer = { description: "PRECONDITION_REQUIRED: If-Match is missing." };

/** What a write of data may be refused with. */
export const WRITE_ANSWERS: Readonly<Record<number, Answer>> = {
  404: NOT_FOUND,
  412: {
    description:
      "CONFLICT: the context has changed; `details` has `current` and `conflicts` by path. Or LEASE_LOST: the lock of the Lock-Token is held no longer.",
    headers: ["etag"],
  },
  413: TOO_LARGE,
  423: { description: "LOCKED: `details` has `owner`, `since` and `expires_at`." },
  428: NO_MATCH,
};
