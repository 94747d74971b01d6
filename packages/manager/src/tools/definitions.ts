/** What models read: names, descriptions, schemas. Every word is paid for in every conversation. */

import { type JsonSchema, toolSchema } from "./json-schema.ts";
import type { ContextTool } from "./types.ts";

type Definition = Omit<ContextTool, "execute">;

const text: JsonSchema = { type: "string" };
const flag: JsonSchema = { type: "boolean" };
const anyObject: JsonSchema = { type: "object", additionalProperties: {} };
const texts: JsonSchema = { type: "array", items: text };
const anything: JsonSchema = {};

function said(description: string, schema: JsonSchema): JsonSchema {
  return { ...schema, description };
}

function upTo(maximum: number, minimum = 1): JsonSchema {
  return { type: "integer", minimum, maximum };
}

type Fields = Readonly<Record<string, JsonSchema>>;

function define(
  name: string,
  title: string,
  description: string,
  [required, optional]: [required: Fields, optional: Fields],
  output: Fields,
  kind: "reads" | "adds" | "changes" | "repeats",
): Definition {
  const properties = { ...required, ...optional };
  return {
    name,
    title,
    description,
    inputSchema: toolSchema({
      type: "object",
      properties,
      ...(Object.keys(required).length > 0 && { required: Object.keys(required) }),
      additionalProperties: false,
    }),
    outputSchema: toolSchema({
      type: "object",
      properties: { ...output, isError: flag, next: text, notices: texts },
      required: ["notices"],
      additionalProperties: {},
    }),
    annotations: {
      readOnlyHint: kind === "reads",
      destructiveHint: kind === "changes",
      idempotentHint: kind === "reads" || kind === "repeats",
      openWorldHint: false,
    },
  };
}

const release = { release: said("Also give your claim back.", flag) };

/** The eight tools, or six without claims. */
export function definitions(claims: boolean): Definition[] {
  const always = [
    define(
      "context_list",
      "List contexts",
      "List shared contexts: documents that several agents read and write.",
      [{}, { prefix: text, after: said("Last id of the previous page.", text), limit: upTo(200) }],
      { contexts: { type: "array", items: anyObject }, more: flag },
      "reads",
    ),
    define(
      "context_create",
      "Create a context",
      "Create a context under a new id.",
      [{ id: text, data: anyObject }, { note: said("Why.", text) }],
      { id: text, version: text },
      "adds",
    ),
    define(
      "context_read",
      "Read a context",
      "Read a context: its data, or an outline when it is long; only paths; or only what changed since a version you know. Keep the version: writing needs it.",
      [
        { id: text },
        {
          paths: said('JSON Pointers, such as "/tasks/0" or, by element id, "/tasks/id=7".', texts),
          since: said("A version: return only the changes after it.", text),
          max_tokens: upTo(50_000, 100),
        },
      ],
      { version: text, data: anyObject, values: anyObject, changes: { type: "array" }, outline: anyObject },
      "reads",
    ),
    define(
      "context_write",
      "Change a context",
      "Change a context you have read. Send only what changes, as merge_patch or operations; other agents' changes elsewhere are kept. A conflict writes nothing and shows base, yours and theirs for each path: decide, then write again with the version it returns. If told to stop, stop.",
      [
        { id: text, base_version: said("The version you last saw, as returned.", text) },
        {
          merge_patch: said("Fields to set, nested as in the data; null removes; arrays are replaced.", anyObject),
          operations: {
            type: "array",
            items: {
              type: "object",
              properties: {
                op: { type: "string", enum: ["set", "remove", "append", "increment", "test"] },
                path: said("JSON Pointer.", text),
                value: anything,
              },
              required: ["op", "path"],
              additionalProperties: false,
            },
          },
          replace_all: said("Rarely right: the whole new document; all else is dropped.", anyObject),
          note: said("Why, for the other agents.", text),
          ...(claims && release),
        },
      ],
      { version: text, conflicts: { type: "array", items: anyObject } },
      "changes",
    ),
    define(
      "context_wait",
      "Wait for a context",
      "Wait, at most 20 s, until a context changes (since), a path exists or equals a value, or nobody else has it claimed (unlocked). If pending, call again with cursor.",
      [
        { id: text },
        {
          since: said("The version you know.", text),
          path: text,
          equals: anything,
          unlocked: flag,
          cursor: text,
          timeout_seconds: upTo(20, 0),
        },
      ],
      { done: flag, pending: flag, cursor: text, version: text },
      "reads",
    ),
    define(
      "context_history",
      "See who changed what",
      "List who changed which paths, and why, newest first.",
      [{ id: text }, { path: text, limit: upTo(50) }],
      { versions: { type: "array", items: anyObject }, more: flag },
      "reads",
    ),
  ];
  if (!claims) return always;
  return [
    ...always,
    define(
      "context_claim",
      "Claim a context",
      "Keep others from writing while you think about more than one step. Seldom needed: writes merge. Write with release as soon as you can.",
      [{ id: text }, { wait_seconds: upTo(20, 0) }],
      { claimed: flag, expires_at: text },
      "repeats",
    ),
    define(
      "context_release",
      "Release a claim",
      "Give a claim back.",
      [{ id: text }, {}],
      { released: flag },
      "repeats",
    ),
  ];
}
