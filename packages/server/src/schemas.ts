/** The schemas of bodies, for `/openapi.json`. What is checked, is checked by the manager and in `input.ts`. */

import { LONGEST_WAIT } from "./limits.ts";
import { RIGHTS } from "./rights.ts";

const string = { type: "string" };
const integer = { type: "integer" };
const time = { type: "string", format: "date-time" };
const data = { $ref: "#/components/schemas/Data" };
const orNull = { type: ["string", "null"] };

function object(properties: Record<string, unknown>, required: readonly string[] = Object.keys(properties)): object {
  return { type: "object", properties, required };
}

function listOf(name: string): object {
  return { type: "array", items: { $ref: `#/components/schemas/${name}` } };
}

const summary = {
  context_id: string,
  version: { type: "string", description: "A decimal number: 1 at creation, one more with each change of the data." },
  incarnation: { type: "integer", description: "Tells a context from one with the same id before it." },
  revision: { type: "integer", description: "The commit that this is as of, locks included." },
  locked_by: orNull,
  lock_expires_at: time,
  lock_token: { type: "integer", description: "The fencing token of the lock." },
  locked_at: { type: "string", format: "date-time", description: "When the lock was granted." },
  created_at: time,
  updated_at: time,
  updated_by: string,
  note: string,
};
const always = ["context_id", "version", "incarnation", "revision", "locked_by", "created_at", "updated_at"];

const step = {
  do: { enum: ["get", "create", "update", "patch", "delete", "check"] },
  context_id: string,
  if_match: { type: "string", description: "As the header: 12.3 or *. For update, patch, delete and check." },
  lock_token: integer,
  note: string,
  data,
  patch: { oneOf: [{ $ref: "#/components/schemas/MergePatch" }, { $ref: "#/components/schemas/Operations" }] },
};

const SHORTENED = {
  type: "array",
  items: { enum: ["base", "yours", "theirs"] },
  description: "The sides whose values are long, and are there as the beginning of their JSON.",
};

const ttl = {
  type: ["number", "null"],
  description: "How long it lasts, in milliseconds: 30,000 by default; null is for ever.",
  minimum: 1,
};
const timeout = {
  type: "number",
  description: `How long to wait for it, in milliseconds: 0 by default; ${LONGEST_WAIT}. What is held by another then is LOCKED.`,
  minimum: 0,
};
const ids = { type: "array", items: string, minItems: 1 };

export const SCHEMAS: Readonly<Record<string, object>> = {
  Data: { type: "object", description: "JSON." },
  Context: object({ ...summary, data }, [...always, "data"]),
  Summary: object({ ...summary, bytes: integer, data }, always),
  Page: object({ contexts: listOf("Summary"), next: orNull, count: integer, revision: integer }, ["contexts", "next"]),
  NewContext: object({ context_id: string, data }),
  MergePatch: { type: "object", description: "RFC 7386: null removes." },
  Operations: listOf("Operation"),
  Operation: object(
    {
      op: { enum: ["set", "remove", "append", "increment", "test"] },
      path: {
        type: "string",
        description: "A JSON Pointer; a token id=3 names the element of an array whose id is 3.",
      },
      value: {},
    },
    ["op", "path"],
  ),
  Transaction: object({ steps: listOf("Step") }),
  Step: object(step, ["do", "context_id"]),
  Results: object({
    results: {
      type: "array",
      items: { oneOf: [{ $ref: "#/components/schemas/Context" }, { type: "null" }, { type: "boolean" }] },
    },
  }),
  LockRequest: object({ ttl_ms: ttl, timeout_ms: timeout }, []),
  LocksRequest: object({ context_ids: ids, ttl_ms: ttl, timeout_ms: timeout }, ["context_ids"]),
  LocksRenewal: object({ context_ids: ids, ttl_ms: ttl }, ["context_ids"]),
  LocksRelease: object({ context_ids: ids }),
  Grant: object({ lock_token: integer, contexts: listOf("Context") }),
  Renewal: object({ ttl_ms: ttl }, []),
  Restoration: object({ version: string }),
  History: object({ versions: listOf("Context") }),
  Blame: object({ lines: listOf("BlameLine") }),
  BlameLine: object({
    path: string,
    version: string,
    agent_id: orNull,
    note: orNull,
    written_at: time,
    or_earlier: { type: "boolean", description: "It was there in the oldest version that is kept." },
  }),
  Change: object({
    revision: integer,
    kind: { enum: ["current", "created", "updated", "locked", "unlocked", "expired", "deleted", "cleared"] },
    context_id: orNull,
    agent_id: orNull,
    note: orNull,
    context: { oneOf: [{ $ref: "#/components/schemas/Context" }, { type: "null" }] },
  }),
  Status: object({ status: string }),
  Identity: object({ name: string, agent_id: orNull, rights: { enum: RIGHTS } }),
  Stats: object({
    contexts: integer,
    revision: integer,
    since: { type: "string", format: "date-time", description: "When the server began to count." },
    totals: object({ writes: integer, merges: integer, conflicts: integer, lock_waits: integer, leases_lost: integer }),
    queues: listOf("LockQueue"),
    agents: { type: "array", items: object({ agent_id: string, conflicts: integer }) },
    conflicts: listOf("MetConflict"),
  }),
  LockQueue: object({
    context_id: string,
    waiting: integer,
    agents: { type: "array", items: string, description: "Who waits; those who stand in a queue come first." },
  }),
  MetConflict: object({
    id: integer,
    context_id: string,
    agent_id: orNull,
    at: time,
    expected: { type: "string", description: "The version that the write was for." },
    version: { type: "string", description: "The version that the context was at." },
    conflicts: listOf("PathConflict"),
    more: { type: "integer", description: "How many paths more there were." },
  }),
  PathConflict: object({ path: string, base: {}, yours: {}, theirs: {}, shortened: SHORTENED }, ["path"]),
  Metrics: string,
  Problem: object({
    type: string,
    title: string,
    status: integer,
    detail: string,
    code: { type: "string", description: "Decide on this: see x-error-codes." },
    retryable: { type: "boolean" },
    details: { type: "object" },
  }),
};
