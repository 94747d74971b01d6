/** What has changed between two states of the data, path by path. */

import { type Child, childrenOf, idsOf, isArray, isObject } from "./pointer.ts";
import type { Json, JsonObject } from "./types.ts";

export interface Difference {
  readonly path: string;
  /** `undefined` for nothing there. */
  readonly before: Json | undefined;
  readonly after: Json | undefined;
}

export type Operation =
  | { readonly op: "set"; readonly path: string; readonly value: Json }
  | { readonly op: "remove"; readonly path: string };

export function differences(before: Json, after: Json): Difference[] {
  const found: Difference[] = [];
  compare("", before, after, found);
  return found;
}

/** The difference as a patch. An array whose elements are not the same ones in the same order is one value. */
export function operationsOf(before: JsonObject, after: JsonObject): Operation[] {
  const found: Difference[] = [];
  compare("", before, after, found, true);
  return found.map((difference): Operation => {
    const { path, after: value } = difference;
    return value === undefined ? { op: "remove", path } : { op: "set", path, value };
  });
}

function compare(
  path: string,
  before: Json | undefined,
  after: Json | undefined,
  found: Difference[],
  asPatch = false,
): void {
  if (before === after) return;
  if (before === undefined || after === undefined || !canDescend(before, after, asPatch)) {
    if (!isSame(before, after)) found.push({ path, before, after });
    return;
  }
  const olds = byToken(childrenOf(before));
  const news = byToken(childrenOf(after));
  if (isReordered([...olds.keys()], [...news.keys()], after)) {
    found.push({ path, before, after });
    return;
  }
  for (const [token, value] of olds) compare(`${path}/${token}`, value, news.get(token), found, asPatch);
  for (const [token, value] of news) {
    if (!olds.has(token)) compare(`${path}/${token}`, undefined, value, found, asPatch);
  }
}

function byToken(children: readonly Child[]): Map<string, Json> {
  return new Map(children.map(({ token, value }) => [token, value]));
}

function canDescend(before: Json, after: Json, asPatch: boolean): boolean {
  if (isObject(before) && isObject(after)) return true;
  if (!isArray(before) || !isArray(after)) return false;
  const olds = idsOf(before);
  const news = idsOf(after);
  if (asPatch) return olds !== undefined && news !== undefined && olds.join("\n") === news.join("\n");
  return (olds === undefined) === (news === undefined) || before.length === 0 || after.length === 0;
}

/** Elements that stay, in another order: that is a change of the array itself. */
function isReordered(olds: readonly string[], news: readonly string[], after: Json): boolean {
  if (!isArray(after)) return false;
  const kept = new Set(news);
  const had = new Set(olds);
  const before = olds.filter((token) => kept.has(token));
  const now = news.filter((token) => had.has(token));
  return before.some((token, index) => token !== now[index]);
}

/** The same JSON; the order of keys is no difference. */
export function isSame(one: Json | undefined, other: Json | undefined): boolean {
  if (one === other) return true;
  if (isArray(one)) {
    return isArray(other) && one.length === other.length && one.every((value, index) => isSame(value, other[index]));
  }
  if (!isObject(one) || !isObject(other)) return false;
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && isSame(one[key], other[key]))
  );
}
