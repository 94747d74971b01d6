/** context_list and context_read: never more than asked for. */

import type { JsonObject, JsonValue } from "../data.ts";
import { describe } from "../describe.ts";
import { diff } from "../diff.ts";
import { formatPath, locate, parsePath } from "../pointer.ts";
import { lockOf, notFound, type Outcome, refuseArgument } from "./refusals.ts";
import { type Session, versionOf } from "./session.ts";
import { Budget, outline, shapeOf, tokensOf } from "./tokens.ts";
import type { Arguments, ToolsSnapshot } from "./types.ts";

/** Room for the notices, and for the words around the data. */
const FRAME_TOKENS = 40;

export async function list(session: Session, input: Arguments): Promise<Outcome> {
  const { prefix = "", after, limit = 50 } = input as { prefix?: string; after?: string; limit?: number };
  const budget = new Budget(session.options.maxTokens - FRAME_TOKENS);
  const contexts: JsonObject[] = [];
  let started = after === undefined;
  let more = false;
  for await (const context of session.manager) {
    const { contextId, updatedBy } = context;
    if (!started) {
      started = contextId === after;
      continue;
    }
    if (!contextId.startsWith(prefix)) continue;
    const line = { id: contextId, version: versionOf(context), updated_by: updatedBy, ...lockOf(context) };
    if (contexts.length === limit || (!budget.take(line) && contexts.length > 0)) {
      more = true;
      break;
    }
    session.show(context);
    contexts.push(line);
  }
  if (!started) {
    return refuseArgument(
      `after: expected the last id of a list; received ${describe(after)}, which is not there (any more)`,
      "List again without after.",
    );
  }
  const next = contexts.at(-1)?.["id"];
  return more ? { contexts, more, next: `Call again with after ${JSON.stringify(next)}.` } : { contexts, more };
}

export async function read(session: Session, input: Arguments): Promise<Outcome> {
  const { id, paths, since, max_tokens: maxTokens = session.options.maxTokens } = input as Reading;
  const wanted = (paths ?? []).map((path) => ({ path, tokens: parsePath(path) }));
  const wrong = wanted.find(({ tokens }) => tokens === undefined);
  if (wrong !== undefined) {
    return refuseArgument(
      `paths: expected JSON Pointers such as "/tasks/0/title" or "/tasks/id=7"; received ${describe(wrong.path)}`,
    );
  }
  const context = await session.manager.get(id);
  if (context === undefined) return notFound(session, id);
  const head: JsonObject = {
    id,
    version: session.show(context),
    updated_by: context.updatedBy,
    ...(context.note !== null && tokensOf(context.note) < maxTokens / 4 && { note: context.note }),
    ...lockOf(context),
  };
  const budget = new Budget(maxTokens - tokensOf(head) - FRAME_TOKENS);
  if (since !== undefined) {
    const changes = await changesSince(session, context, since, paths, budget);
    if (changes !== undefined) return { ...head, ...changes };
    session.tell(`Version ${describe(since)} is not kept: this is the present state instead of the changes since.`);
  }
  return { ...head, ...(paths === undefined ? whole(context, budget) : parts(context, wanted as Wanted[], budget)) };
}

interface Reading {
  readonly id: string;
  readonly paths?: readonly string[];
  readonly since?: string;
  readonly max_tokens?: number;
}

interface Wanted {
  readonly path: string;
  readonly tokens: readonly string[];
}

const READ_PARTS = "It is longer than max_tokens: read what you need of it with paths.";

function whole({ data }: ToolsSnapshot, budget: Budget): JsonObject {
  if (budget.take(data, "data")) return { data: data as JsonObject };
  return { outline: outline(data, "", budget), next: READ_PARTS };
}

function parts({ data }: ToolsSnapshot, wanted: readonly Wanted[], budget: Budget): JsonObject {
  const values: Record<string, JsonValue> = {};
  const lines: Record<string, string> = {};
  const missing: string[] = [];
  const long: { path: string; value: unknown }[] = [];
  let omitted = 0;
  for (const { path, tokens } of wanted) {
    const { value } = locate(data, tokens);
    if (value === undefined) {
      if (budget.take(path)) missing.push(path);
      else omitted += 1;
    } else if (budget.take(value, path)) values[path] = value as JsonValue;
    else long.push({ path, value });
  }
  for (const { path, value } of long) {
    const shape = shapeOf(value);
    if (budget.take(shape, path)) lines[path] = shape;
    else omitted += 1;
    Object.assign(lines, outline(value, path, budget));
  }
  return {
    values,
    ...(missing.length > 0 && { missing }),
    ...(long.length > 0 && { outline: lines, next: READ_PARTS }),
    ...(omitted > 0 && { omitted }),
  };
}

/** `undefined` where the version is not known any more. */
async function changesSince(
  session: Session,
  context: ToolsSnapshot,
  since: string,
  paths: readonly string[] | undefined,
  budget: Budget,
): Promise<JsonObject | undefined> {
  const base = await session.find(context.contextId, since);
  if (base === undefined || base.incarnation !== context.incarnation) return undefined;
  if (Number(base.version) > Number(context.version)) return undefined;
  const changes: JsonObject[] = [];
  let omitted = 0;
  const places = paths?.flatMap((path) => [byIndex(base.data, path), byIndex(context.data, path)]);
  for (const operation of diff(base.data, context.data)) {
    if (places !== undefined && !places.some((path) => isNear(operation.path, path))) continue;
    const { op, path } = operation;
    const brief = { op, path };
    if (budget.take(operation)) changes.push({ ...operation });
    else if (op !== "remove" && budget.take(brief)) changes.push({ ...brief, too_long: true });
    else omitted += 1;
  }
  return {
    since,
    changes,
    ...(omitted > 0 && { omitted, next: "There are more changes than max_tokens allows: read again without since." }),
  };
}

/** A path as `diff` writes it: elements by their index, not by their id. */
function byIndex(data: unknown, path: string): string {
  return formatPath(locate(data, parsePath(path) ?? []).keys.map(String));
}

/** Whether one path is the other, above it or below it. */
export function isNear(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);
}
