/** Waiting and watching. */

import { isContextError } from "shared-context-manager";
import { readPlace } from "../change-stream.ts";
import { conditionOf } from "../conditions.ts";
import { readMatch } from "../etags.ts";
import type { Reply } from "../exchange.ts";
import { invalid, queryFlag, queryNumber } from "../input.ts";
import type { Call, Route } from "../route.ts";
import { whenTrue } from "../waits.ts";
import { CONTEXT, contextAnswer, IF_NONE_MATCH, TIMEOUT_MS } from "./parts.ts";

const TIMEOUT_BY_DEFAULT_MS = 30_000;

export const watchRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/contexts/{id}/wait",
    operationId: "waitForContext",
    summary: "Answers as soon as all the conditions hold: of none, as soon as the context is there.",
    right: "read",
    parameters: [
      { ...IF_NONE_MATCH, description: "The data is no longer that of this ETag." },
      {
        in: "query",
        name: "path",
        description: "A JSON Pointer: there is a value at this path.",
        schema: { type: "string" },
      },
      {
        in: "query",
        name: "equals",
        description: "JSON: the value at `path` is equal to it.",
        schema: { type: "string" },
      },
      { in: "query", name: "unlocked", description: "Nobody holds the lock.", schema: { type: "boolean" } },
      TIMEOUT_MS,
    ],
    answers: {
      200: CONTEXT,
      304: { description: "The time is over, and the data is still that of If-None-Match." },
      408: { description: "TIMEOUT: `details` has `current`." },
    },
    handle: wait,
  },
  {
    method: "GET",
    path: "/v1/changes",
    operationId: "watchChanges",
    summary: "What happens, as server-sent events; begins with how things are, or after the last event received.",
    right: "read",
    parameters: [
      {
        in: "header",
        name: "Last-Event-ID",
        description: "The id of the last event received: go on after it.",
        schema: { type: "string" },
      },
      {
        in: "query",
        name: "after",
        description: "The same, for clients that cannot send the header.",
        schema: { type: "string" },
      },
      { in: "query", name: "context_id", description: "Only this context.", schema: { type: "string" } },
      { in: "query", name: "prefix", description: "Only ids that begin so.", schema: { type: "string" } },
      {
        in: "query",
        name: "coalesce",
        description: "Skip to the latest state of each context when the reader is slow.",
        schema: { type: "boolean" },
      },
    ],
    answers: {
      200: {
        description:
          "Events without a name are changes; `ready` says that all that was there has been told; `compacted` that something was missed, after which the stream ends.",
        content: { "text/event-stream": "Change" },
      },
      503: { description: "UNAVAILABLE: as many streams as the server allows are open." },
    },
    handle: watch,
  },
];

async function wait(call: Call): Promise<Reply> {
  const { manager, contextId, target, request, signal, services } = call;
  const { maxWaitMs } = services.limits;
  const asked = queryNumber(target, "timeout_ms", 0, Number.MAX_SAFE_INTEGER) ?? TIMEOUT_BY_DEFAULT_MS;
  const patience = { timeoutMs: Math.min(asked, maxWaitMs), signal };
  try {
    return contextAnswer(await whenTrue(manager, contextId, conditionOf(target, request.headers), patience));
  } catch (error) {
    const isPoll =
      readMatch(request.headers, "if-none-match") !== undefined && target.searchParams.get("path") === null;
    const isUnchanged = isPoll && isContextError(error, "TIMEOUT") && error.details.current !== undefined;
    if (!isUnchanged || queryFlag(target, "unlocked")) throw error;
    return { status: 304, headers: {}, body: null };
  }
}

function watch({ manager, target, request, services }: Call): Reply {
  const contextId = target.searchParams.get("context_id");
  const prefix = target.searchParams.get("prefix");
  if (contextId !== null && prefix !== null)
    throw invalid("query", "/prefix", "context_id or prefix, not both", prefix);
  const last = request.headers.get("last-event-id");
  const after = target.searchParams.get("after");
  // A client that connects again sends both: the header is the newer one.
  const [place, where] = last !== null && last !== "" ? [last, "last-event-id"] : [after, "after"];
  const stream = services.streams.open(manager, {
    filter: contextId ?? (prefix === null ? undefined : { prefix }),
    place: place === null ? undefined : readPlace(place, where),
    coalesce: queryFlag(target, "coalesce"),
  });
  const headers = { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" };
  return { status: 200, headers, body: stream };
}
