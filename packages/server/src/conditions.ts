/** What `GET .../wait` waits for, from its query. */

import type { JsonObject, JsonValue, Predicate, SharedContext } from "shared-context-manager";
import { isAt, readMatch } from "./etags.ts";
import type { RequestHeaders } from "./exchange.ts";
import { invalid, queryFlag } from "./input.ts";
import { isFree } from "./waits.ts";

/** All the conditions of the request at once; of none that the context is there. */
export function conditionOf(url: URL, headers: RequestHeaders): Predicate<JsonObject> {
  const conditions = [...dataConditions(url), ...changeConditions(url, headers)];
  return (context) => conditions.every((holds) => holds(context));
}

function* changeConditions(url: URL, headers: RequestHeaders): Generator<(context: SharedContext) => boolean> {
  const seen = readMatch(headers, "if-none-match");
  if (seen !== undefined) yield (context) => seen !== "any" && !seen.some((tag) => isAt(context, tag));
  if (queryFlag(url, "unlocked")) yield isFree;
}

function* dataConditions(url: URL): Generator<(context: SharedContext) => boolean> {
  const path = url.searchParams.get("path");
  const text = url.searchParams.get("equals");
  if (path === null) {
    if (text !== null) throw invalid("query", "/path", "the path of the value that equals is compared with", undefined);
    return;
  }
  const tokens = parsePointer(path);
  if (text === null) {
    yield ({ data }) => valueAt(data, tokens) !== undefined;
    return;
  }
  const wanted = canonical(parseValue(text));
  yield ({ data }) => {
    const value = valueAt(data, tokens);
    return value !== undefined && canonical(value) === wanted;
  };
}

function parseValue(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    throw invalid("query", "/equals", 'JSON, such as 3 or "done" with its quotes', text);
  }
}

function parsePointer(path: string): string[] {
  if (path === "") return [];
  if (!path.startsWith("/") || /~(?![01])/.test(path)) {
    throw invalid("query", "/path", 'a JSON Pointer such as "/tasks/id=3/owner", or ""', path);
  }
  return path
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** On an array, a token `id=3` names the element whose id is 3. */
function valueAt(data: unknown, tokens: readonly string[]): unknown {
  let value = data;
  for (const token of tokens) {
    if (Array.isArray(value)) value = elementAt(value, token);
    else if (typeof value === "object" && value !== null && Object.hasOwn(value, token)) {
      value = (value as Record<string, unknown>)[token];
    } else return undefined;
  }
  return value;
}

function elementAt(elements: readonly unknown[], token: string): unknown {
  if (/^(0|[1-9]\d{0,9})$/.test(token)) return elements[Number(token)];
  if (!token.startsWith("id=")) return undefined;
  const id = token.slice(3);
  return elements.find(
    (element) => typeof element === "object" && element !== null && "id" in element && String(element.id) === id,
  );
}

/** Equal values have equal texts: the order of keys is no difference. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  );
}
