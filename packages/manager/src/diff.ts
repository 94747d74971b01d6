import { elementsOf, isPlainObject, type JsonValue, MAX_DEPTH } from "./data.ts";
import { escapeToken } from "./pointer.ts";
import { changedPlaces, idOf, placesById } from "./elements.ts";
import { isEqual, valueAt } from "./equal.ts";
import { invalid } from "./errors.ts";

/**
 * One step of a JSON Patch (RFC 6902). `path` is a JSON Pointer (RFC 6901); `""` is the whole document. In an
 * array, `add` inserts before the element at its index.
 *
 * @example `{ op: "replace", path: "/steps/0/done", value: true }`
 */
export type JsonPatchOperation =
  | { readonly op: "add" | "replace"; readonly path: string; readonly value: JsonValue }
  | { readonly op: "remove"; readonly path: string };

/**
 * What has changed between two versions of JSON data, as a JSON Patch (RFC 6902): the operations that turn
 * `before` into `after`, in their order; none when the two are equal. Any implementation of the RFC applies them.
 *
 * What both share by reference is not looked into, so versions made with `{ ...context.data, step: 2 }` are
 * compared quickly. Array elements that are objects with a unique `id` (a string or a number) are matched by
 * it; others by their place, once what is equal at both ends is set aside. A property whose value is `undefined`
 * counts as absent. Neither argument is changed, and the values in the result are parts of `after`, not copies.
 *
 * @throws {@link ContextError} INVALID where they differ more than 512 levels down, which is deeper than a context may be.
 * @example
 * ```ts
 * diff({ step: 1, owner: "ann" }, { step: 2 });
 * // [{ op: "replace", path: "/step", value: 2 }, { op: "remove", path: "/owner" }]
 * ```
 */
export function diff(before: unknown, after: unknown): JsonPatchOperation[] {
  const patch: JsonPatchOperation[] = [];
  compare(before, after, "", 1, patch);
  return patch;
}

/** @param level - of these values: 1 is the top. */
function compare(before: unknown, after: unknown, path: string, level: number, patch: JsonPatchOperation[]): void {
  if (before === after) return;
  const areArrays = Array.isArray(before) && Array.isArray(after);
  if (!areArrays && !(isPlainObject(before) && isPlainObject(after))) {
    patch.push({ op: "replace", path, value: after as JsonValue });
    return;
  }
  if (level > MAX_DEPTH) throw invalid("after", "", `data of at most ${MAX_DEPTH} levels`, "deeper data");
  if (areArrays) compareArrays(before, after, path, level, patch);
  else compareObjects(before as Plain, after as Plain, path, level, patch);
}

type Plain = Readonly<Record<string, unknown>>;

/** Values are read all at once: one by one, V8 looks up each key again. */
function compareObjects(before: Plain, after: Plain, path: string, level: number, patch: JsonPatchOperation[]): void {
  const [keysBefore, valuesBefore] = [Object.keys(before), Object.values(before)];
  const [keys, values] = [Object.keys(after), Object.values(after)];
  let common = 0;
  for (let index = 0; index < keysBefore.length; index++) {
    const key = keysBefore[index] as string;
    const old = valuesBefore[index];
    if (old === undefined) continue;
    const value = keys[index] === key ? values[index] : valueAt(after, key);
    if (value !== undefined) common += 1;
    if (old === value) continue;
    const place = `${path}/${escapeToken(key)}`;
    if (value === undefined) patch.push({ op: "remove", path: place });
    else compare(old, value, place, level + 1, patch);
  }
  if (keys.length === common) return;
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string;
    const value = values[index];
    if (value === undefined || valueAt(before, key) !== undefined) continue;
    patch.push({ op: "add", path: `${path}/${escapeToken(key)}`, value: value as JsonValue });
  }
}

type List = readonly unknown[];

function compareArrays(one: List, other: List, path: string, level: number, patch: JsonPatchOperation[]): void {
  const [before, after] = [elementsOf(one), elementsOf(other)];
  const changed = changedPlaces(before, after);
  if (changed === undefined) return compareRearranged(before, after, path, level, patch);
  for (const index of changed) compare(before[index], after[index], `${path}/${index}`, level + 1, patch);
}

function compareRearranged(before: List, after: List, path: string, level: number, patch: JsonPatchOperation[]): void {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && (before[start] === after[start] || isEqual(before[start], after[start]))) start += 1;
  let tail = 0;
  for (let from = before.length - 1, to = after.length - 1; tail < shorter - start; tail++, from--, to--) {
    if (before[from] !== after[to] && !isEqual(before[from], after[to])) break;
  }
  const old = before.slice(start, before.length - tail);
  const next = after.slice(start, after.length - tail);
  const partners = partnersOf(old, next);
  const staying = new Set(partners);
  // From the end to the front, so that no removal shifts what is still to be removed.
  for (let index = old.length - 1; index >= 0; index--) {
    if (!staying.has(index)) patch.push({ op: "remove", path: `${path}/${start + index}` });
  }
  // From the front to the end: all before `index` is final, so the partner, if any, stands at `index`.
  for (const [index, value] of next.entries()) {
    const partner = partners[index];
    const place = `${path}/${start + index}`;
    if (partner === undefined) patch.push({ op: "add", path: place, value: value as JsonValue });
    else compare(old[partner], value, place, level + 1, patch);
  }
}

/** For each element of `next` the index of the element of `old` that becomes it, if any; these indexes rise. */
function partnersOf(old: List, next: List): (number | undefined)[] {
  const places = placesById(old);
  if (places === undefined || placesById(next) === undefined) {
    return next.map((_, index) => (index < old.length ? index : undefined));
  }
  const partners = next.map((element) => places.get(idOf(element) ?? ""));
  const staying = longestRise(partners);
  return partners.map((place) => (place !== undefined && staying.has(place) ? place : undefined));
}

interface Rise {
  readonly place: number;
  readonly before: Rise | undefined;
}

/** The most elements that can stay where they are: a longest increasing subsequence, in n log n. */
function longestRise(places: readonly (number | undefined)[]): Set<number> {
  const rises: Rise[] = []; // for each length the rise that ends lowest
  for (const place of places) {
    if (place === undefined) continue;
    let [low, high] = [0, rises.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((rises[middle] as Rise).place < place) low = middle + 1;
      else high = middle;
    }
    rises[low] = { place, before: rises[low - 1] };
  }
  const staying = new Set<number>();
  for (let rise = rises.at(-1); rise !== undefined; rise = rise.before) staying.add(rise.place);
  return staying;
}
