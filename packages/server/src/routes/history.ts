/** The past of a context: its versions, who wrote what, and back to one of them. */

import { ContextError } from "shared-context-manager";
import { blameFields, contextFields } from "../bodies.ts";
import type { Reply } from "../exchange.ts";
import { noteOf, readFields, readString } from "../input.ts";
import type { Call, Route } from "../route.ts";
import {
  CONTEXT,
  contextAnswer,
  guarded,
  IF_MATCH,
  JSON_TYPE,
  jsonAnswer,
  LOCK_TOKEN,
  MEDIA_TYPE,
  NOT_FOUND,
  NOTE,
  WRITE_ANSWERS,
} from "./parts.ts";

export const historyRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/contexts/{id}/history",
    operationId: "getHistory",
    summary: "The versions that are kept, the oldest first and the present one last.",
    right: "read",
    answers: { 200: { description: "The versions.", content: { [JSON_TYPE]: "History" } }, 404: NOT_FOUND },
    handle: async ({ manager, contextId }) => {
      const versions = await manager.history(contextId);
      if (versions.length === 0) throw new ContextError("NOT_FOUND", { contextId });
      return jsonAnswer({ versions: versions.map(contextFields) });
    },
  },
  {
    method: "GET",
    path: "/v1/contexts/{id}/blame",
    operationId: "getBlame",
    summary: "Who wrote each value that is there now, in which version, and why.",
    right: "read",
    answers: { 200: { description: "A line for each path.", content: { [JSON_TYPE]: "Blame" } }, 404: NOT_FOUND },
    handle: async ({ manager, contextId }) => {
      const lines = await manager.blame(contextId);
      if (lines.length === 0) throw new ContextError("NOT_FOUND", { contextId });
      return jsonAnswer({ lines: lines.map(blameFields) });
    },
  },
  {
    method: "POST",
    path: "/v1/contexts/{id}/restore",
    operationId: "restoreVersion",
    summary: "Writes the data of an earlier version as a new version.",
    right: "write",
    parameters: [IF_MATCH, LOCK_TOKEN, NOTE],
    body: { content: { [JSON_TYPE]: "Restoration" } },
    answers: {
      200: CONTEXT,
      ...WRITE_ANSWERS,
      404: { description: "NOT_FOUND: there is no such context, or the version is not kept." },
      415: MEDIA_TYPE,
    },
    handle: restore,
  },
];

async function restore(call: Call): Promise<Reply> {
  const { contextId } = call;
  const version = readString(readFields(call.body, ["version"]), "version");
  const note = noteOf(call.target);
  return contextAnswer(await guarded(call, (agent, expected) => agent.restore(contextId, version, expected, note)));
}
