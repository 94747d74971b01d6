/** Contexts: list, create, read, replace, patch, delete; and several at once. */

import {
  ContextError,
  type MergePatch,
  type PatchOperation,
  type JsonObject,
  type SharedContext,
} from "shared-context-manager";
import { byteSize } from "shared-context-manager/serving";
import { checkRight } from "../identity.ts";
import { contextFields, summaryFields } from "../bodies.ts";
import { etagOf, isAt, readMatch, requireMatch } from "../etags.ts";
import type { Reply } from "../exchange.ts";
import { invalid, mediaTypeOf, noteOf, queryFlag, queryNumber, readFields, readObject, readString } from "../input.ts";
import type { Call, Route } from "../route.ts";
import { runTransaction } from "../transactions.ts";
import {
  CONTEXT,
  contextAnswer,
  IF_MATCH,
  IF_NONE_MATCH,
  JSON_TYPE,
  jsonAnswer,
  noContent,
  LOCK_TOKEN,
  MEDIA_TYPE,
  MERGE_PATCH_TYPE,
  NOT_FOUND,
  NOTE,
  OPERATIONS_TYPE,
  pathOf,
  TOO_LARGE,
  NO_MATCH,
  WRITE_ANSWERS,
  guarded,
} from "./parts.ts";

const EXISTS = { description: "EXISTS: there is a context with this id." };
const LIMIT = { description: "LIMIT: there are as many contexts as the server allows." };
const CREATED = { ...CONTEXT, description: "Created, at version 1.", headers: ["etag", "location"] };

export const contextRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/contexts",
    operationId: "listContexts",
    summary: "The contexts, in the order of their creation, page by page.",
    right: "read",
    parameters: [
      { in: "query", name: "prefix", description: "Only ids that begin so.", schema: { type: "string" } },
      { in: "query", name: "limit", description: "How many: 100 by default.", schema: { type: "integer", minimum: 1 } },
      {
        in: "query",
        name: "after",
        description: "The `next` of the page before. What it leads to may be empty.",
        schema: { type: "string" },
      },
      { in: "query", name: "data", description: "With their data.", schema: { type: "boolean" } },
      {
        in: "query",
        name: "count",
        description: "With `count`, how many contexts there are in all, and `revision`, that of the last commit.",
        schema: { type: "boolean" },
      },
    ],
    answers: {
      200: { description: "A page.", content: { [JSON_TYPE]: "Page" }, headers: ["link"] },
    },
    handle: list,
  },
  {
    method: "POST",
    path: "/v1/contexts",
    operationId: "createContext",
    summary: "Creates a context at version 1.",
    right: "write",
    parameters: [NOTE],
    body: { content: { [JSON_TYPE]: "NewContext" } },
    answers: { 201: CREATED, 409: EXISTS, 413: TOO_LARGE, 415: MEDIA_TYPE, 507: LIMIT },
    handle: async (call) => {
      const fields = readFields(call.body, ["context_id", "data"]);
      const contextId = readString(fields, "context_id");
      return created(await call.agent().create(contextId, readObject(fields, "data"), noteOf(call.target)));
    },
  },
  {
    method: "DELETE",
    path: "/v1/contexts",
    operationId: "clearContexts",
    summary: "Deletes every context at once, whoever holds their locks.",
    right: "admin",
    parameters: [
      { ...IF_MATCH, description: "`*`, so that nobody does it by a path that was cut off. Without it 428." },
    ],
    answers: { 204: { description: "There are none now." }, 428: NO_MATCH },
    handle: async (call) => {
      const match = requireMatch(call.request.headers);
      if (match !== "any") throw invalid("if-match", "", "*, for whatever is there", "an ETag");
      await call.agent().clear();
      return noContent();
    },
  },
  {
    method: "GET",
    path: "/v1/contexts/{id}",
    operationId: "getContext",
    summary: "The context as it is. A lock does not block reading.",
    right: "read",
    parameters: [IF_NONE_MATCH],
    answers: {
      200: CONTEXT,
      304: { description: "It is as If-None-Match says: the data has not changed.", headers: ["etag"] },
      404: NOT_FOUND,
    },
    handle: get,
  },
  {
    method: "PUT",
    path: "/v1/contexts/{id}",
    operationId: "updateContext",
    summary: "Replaces the data; with `If-None-Match: *` creates the context instead.",
    right: "write",
    parameters: [{ ...IF_MATCH, required: false }, IF_NONE_MATCH, LOCK_TOKEN, NOTE],
    body: { content: { [JSON_TYPE]: "Data" } },
    answers: { 200: CONTEXT, 201: CREATED, ...WRITE_ANSWERS, 409: EXISTS, 415: MEDIA_TYPE, 507: LIMIT },
    handle: put,
  },
  {
    method: "PATCH",
    path: "/v1/contexts/{id}",
    operationId: "patchContext",
    summary: "Changes only the paths that are named, and merges with what others have changed elsewhere.",
    right: "write",
    parameters: [IF_MATCH, LOCK_TOKEN, NOTE],
    body: { content: { [MERGE_PATCH_TYPE]: "MergePatch", [OPERATIONS_TYPE]: "Operations" } },
    answers: { 200: CONTEXT, ...WRITE_ANSWERS, 415: MEDIA_TYPE },
    handle: patch,
  },
  {
    method: "DELETE",
    path: "/v1/contexts/{id}",
    operationId: "deleteContext",
    summary: "Deletes the context, unless another agent has locked it; with `force=true`, for admins, then too.",
    right: "write",
    parameters: [
      IF_MATCH,
      LOCK_TOKEN,
      NOTE,
      { in: "query", name: "force", description: "Whoever holds the lock.", schema: { type: "boolean" } },
    ],
    answers: { 204: { description: "Deleted." }, ...WRITE_ANSWERS },
    handle: remove,
  },
  {
    method: "POST",
    path: "/v1/transactions",
    operationId: "transact",
    summary: "Several steps on several contexts under one revision, or none of them.",
    right: "write",
    body: { content: { [JSON_TYPE]: "Transaction" } },
    answers: {
      200: { description: "What each step has left.", content: { [JSON_TYPE]: "Results" } },
      ...WRITE_ANSWERS,
      409: EXISTS,
      415: MEDIA_TYPE,
      507: LIMIT,
    },
    handle: async (call) => jsonAnswer({ results: await runTransaction(call) }),
  },
];

const PAGE = 100;

async function list({ manager, target, services }: Call): Promise<Reply> {
  const prefix = target.searchParams.get("prefix") ?? "";
  const limit = queryNumber(target, "limit", 1, services.limits.maxPage) ?? PAGE;
  // Every engine of ours has a number for a cursor; what is none is not for a storage to stumble over.
  const after = queryNumber(target, "after", 0, Number.MAX_SAFE_INTEGER);
  const fields = queryFlag(target, "data") ? contextFields : summaryWithSize;
  const page = await manager.page({ prefix, limit, ...(after !== undefined && { after: String(after) }) });
  const { contexts, next = null } = page;
  const headers: Record<string, string> = {};
  if (next !== null) {
    const link = new URLSearchParams(target.searchParams);
    link.set("after", next);
    headers["link"] = `</v1/contexts?${link.toString()}>; rel="next"`;
  }
  const { contexts: count, revision } = queryFlag(target, "count") ? await manager.stats() : UNCOUNTED;
  return jsonAnswer({ contexts: contexts.map(fields), next, count, revision }, 200, headers);
}

const UNCOUNTED = { contexts: undefined, revision: undefined };

function summaryWithSize(context: SharedContext): object {
  return { ...summaryFields(context), bytes: sizeOf(context.data) };
}

/** Of what has been listed: who looks at a list looks again, and most of it is as it was. */
const sizes = new WeakMap<object, number>();

function sizeOf(data: object): number {
  const known = sizes.get(data);
  if (known !== undefined) return known;
  const size = byteSize(data);
  sizes.set(data, size);
  return size;
}

export function created(context: SharedContext): Reply {
  return contextAnswer(context, 201, { location: pathOf(context.contextId) });
}

async function get({ manager, contextId, request }: Call): Promise<Reply> {
  const match = readMatch(request.headers, "if-none-match");
  const context = await manager.get(contextId);
  if (context === undefined) throw new ContextError("NOT_FOUND", { contextId });
  if (match === undefined || (match !== "any" && !match.some((tag) => isAt(context, tag)))) {
    return contextAnswer(context);
  }
  return { status: 304, headers: { etag: etagOf(context), "cache-control": "no-cache" }, body: null };
}

async function put(call: Call): Promise<Reply> {
  const { headers } = call.request;
  const { contextId } = call;
  const note = noteOf(call.target);
  const data = dataOf(call);
  const unless = readMatch(headers, "if-none-match");
  if (unless !== undefined) {
    if (unless !== "any") throw invalid("if-none-match", "", "*, to create what is not there", "an ETag");
    return created(await call.agent().create(contextId, data, note));
  }
  return contextAnswer(await guarded(call, (agent, expected) => agent.update(contextId, data, expected, note)));
}

function dataOf({ body }: Call): JsonObject {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw invalid("data", "", "an object, which replaces the data", body);
  }
  return body as JsonObject;
}

async function patch(call: Call): Promise<Reply> {
  const { contextId, body } = call;
  const isOperations = mediaTypeOf(call.request) === OPERATIONS_TYPE;
  if (isOperations !== Array.isArray(body)) {
    const expected = isOperations ? "a list of operations" : `an object, or operations as ${OPERATIONS_TYPE}`;
    throw invalid("patch", "", expected, body);
  }
  const given = body as unknown as MergePatch<JsonObject> | readonly PatchOperation[];
  const note = noteOf(call.target);
  return contextAnswer(await guarded(call, (agent, expected) => agent.patch(contextId, given, expected, note)));
}

async function remove(call: Call): Promise<Reply> {
  const { contextId, target } = call;
  const force = queryFlag(target, "force");
  if (force) checkRight(call.identity, "admin");
  const existed = await guarded(call, (agent, expected) => agent.delete(contextId, expected, noteOf(target), force));
  if (!existed) throw new ContextError("NOT_FOUND", { contextId });
  return noContent();
}
