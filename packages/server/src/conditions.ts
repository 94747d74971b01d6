/** What `GET .../wait` waits for, from its query. */

import type { JsonObject, JsonValue, Predicate, SharedContext } from "shared-context-manager";
import { isEqual, parsePath, valueAt } from "shared-context-manager/serving";
import { isAt, readMatch } from "./etags.ts";
import type { RequestHeaders } from "./exchange.ts";
import { invalid, queryFlag } from "./input.ts";
import type { Target } from "./target.ts";
import { isFree } from "./waits.ts";

/** All the conditions of the request at once; of none that the context is there. */
export function conditionOf(target: Target, headers: RequestHeaders): Predicate<JsonObject> {
  const conditions = [...dataConditions(target), ...changeConditions(target, headers)];
  return (context) => conditions.every((holds) => holds(context));
}

function* changeConditions(target: Target, headers: RequestHeaders): Generator<(context: SharedContext) => boolean> {
  const seen = readMatch(headers, "if-none-match");
  if (seen !== undefined) yield (context) => seen !== "any" && !seen.some((tag) => isAt(context, tag));
  if (queryFlag(target, "unlocked")) yield isFree;
}

function* dataConditions(target: Target): Generator<(context: SharedContext) => boolean> {
  const path = target.searchParams.get("path");
  const text = target.searchParams.get("equals");
  if (path === null) {
    if (text !== null) throw invalid("query", "/path", "the path of the value that equals is compared with", undefined);
    return;
  }
  const tokens = readPath(path);
  if (text === null) {
    yield ({ data }) => valueAt(data, tokens) !== undefined;
    return;
  }
  const wanted = parseValue(text);
  yield ({ data }) => isEqual(valueAt(data, tokens), wanted);
}

function parseValue(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    throw invalid("query", "/equals", 'JSON, such as 3 or "done" with its quotes', text);
  }
}

function readPath(text: string): string[] {
  const path = parsePath(text);
  if (path === undefined) throw invalid("query", "/path", 'a JSON Pointer such as "/tasks/id=3/owner", or ""', text);
  return path;
}
