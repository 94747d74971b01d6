/**
 * Three-way merge: what two sides made of one base, put together. What both changed to the same, and what only one
 * of them changed, stands; what both changed differently is a conflict at that path, and nowhere above it.
 *
 * Objects merge key by key, and arrays whose elements all have an `id` of their own element by element; any other
 * array is one value. The sides are equals: exchanging them exchanges nothing in the result.
 */

import { elementsOf, hasSameElements, isPlainObject, MAX_DEPTH, setOwn } from "./data.ts";
import { escapeToken } from "./pointer.ts";
import { areNamed, changedPlaces, idOf, placesById } from "./elements.ts";
import { isEqual, valueAt } from "./equal.ts";

/** What two sides made of the same value; `undefined` where there is nothing. */
export interface Overlap {
  /** JSON Pointer (RFC 6901); a token `id=3` names the element of an array whose `id` is 3. */
  readonly path: string;
  readonly base: unknown;
  readonly yours: unknown;
  readonly theirs: unknown;
}

type Plain = Record<string, unknown>;
type List = readonly unknown[];

/**
 * The merged value, made of the parts given and changing none of them. It counts only if no overlap was added. What is
 * deeper than data may be, in circles perhaps, is one value.
 *
 * @param path - of these values in the data.
 */
export function merge(
  base: unknown,
  yours: unknown,
  theirs: unknown,
  path: string,
  overlaps: Overlap[],
  level: number = 1,
): unknown {
  if (base === theirs || yours === theirs) return yours;
  if (base === yours) return theirs;
  const merged = level > MAX_DEPTH ? undefined : mergeInside(base, yours, theirs, path, overlaps, level + 1);
  if (merged !== undefined) return merged;
  if (isEqual(base, theirs, level)) return yours;
  if (isEqual(base, yours, level) || isEqual(yours, theirs, level)) return theirs;
  overlaps.push({ path, base, yours, theirs });
  return undefined;
}

/** `undefined` for what is one value. */
function mergeInside(
  base: unknown,
  yours: unknown,
  theirs: unknown,
  path: string,
  overlaps: Overlap[],
  level: number,
): Plain | List | undefined {
  if (isPlainObject(yours) && isPlainObject(theirs) && (base === undefined || isPlainObject(base))) {
    return mergeObjects(base ?? {}, yours, theirs, path, overlaps, level);
  }
  if (Array.isArray(yours) && Array.isArray(theirs) && (base === undefined || Array.isArray(base))) {
    return mergeArrays(base === undefined ? base : elementsOf(base), yours, theirs, path, overlaps, level);
  }
  return undefined;
}

function mergeObjects(
  base: Plain,
  yours: Plain,
  theirs: Plain,
  path: string,
  overlaps: Overlap[],
  level: number,
): Plain {
  const merged: Plain = {};
  const mergeKey = (key: string): void => {
    const [inYours, inTheirs] = [valueAt(yours, key), valueAt(theirs, key)];
    const value =
      inYours === inTheirs
        ? inTheirs
        : merge(valueAt(base, key), inYours, inTheirs, `${path}/${escapeToken(key)}`, overlaps, level);
    if (value !== undefined) setOwn(merged, key, value);
  };
  for (const key of Object.keys(base)) mergeKey(key);
  const isNew = (key: string): boolean => !Object.hasOwn(base, key);
  const added = Object.keys(yours).filter(isNew);
  const addedByThem = Object.keys(theirs).filter(isNew);
  // In an order that does not depend on which side is which.
  const both = added.length > 0 && addedByThem.length > 0;
  for (const key of both ? [...new Set([...added, ...addedByThem])].sort() : [...added, ...addedByThem]) mergeKey(key);
  return sameFields(merged, theirs) ? theirs : sameFields(merged, yours) ? yours : merged;
}

/** Keeps what is shared, shared. */
function sameFields(merged: Plain, side: Plain): boolean {
  const keys = Object.keys(merged);
  return keys.length === Object.keys(side).length && keys.every((key) => merged[key] === valueAt(side, key));
}

/** `undefined` where the arrays can only be taken as one value. */
function mergeArrays(
  base: List | undefined,
  yours: List,
  theirs: List,
  path: string,
  overlaps: Overlap[],
  level: number,
): List | undefined {
  const lists = [base ?? [], elementsOf(yours), elementsOf(theirs)] as const;
  const isAligned = base !== undefined && isInPlace(base, lists[1]) && isInPlace(base, lists[2]) && areNamed(base);
  const sides = isAligned ? undefined : keyed(...lists);
  const merged = isAligned
    ? mergeAligned(...lists, path, overlaps, level)
    : sides && mergeElements(sides, path, overlaps, level);
  if (merged === undefined) return undefined;
  // Keeps what is shared, shared.
  if (hasSameElements(merged, lists[2])) return theirs;
  return hasSameElements(merged, lists[1]) ? yours : merged;
}

/** Whether nothing has been added, removed or moved. */
function isInPlace(base: List, side: List): boolean {
  return changedPlaces(base, side) !== undefined;
}

function mergeAligned(base: List, yours: List, theirs: List, path: string, overlaps: Overlap[], level: number): List {
  const merged = [...theirs];
  for (let index = 0; index < merged.length; index++) {
    if (yours[index] === theirs[index]) continue;
    const place = `${path}/id=${escapeToken(idOf(base[index]) ?? "")}`;
    merged[index] = merge(base[index], yours[index], theirs[index], place, overlaps, level);
  }
  return merged;
}

interface Side {
  readonly elements: List;
  readonly places: ReadonlyMap<string, number>;
}

interface Sides {
  readonly base: Side;
  readonly yours: Side;
  readonly theirs: Side;
}

function keyed(...lists: [base: List, yours: List, theirs: List]): Sides | undefined {
  const sides: Side[] = [];
  for (const elements of lists) {
    const places = placesById(elements);
    if (places === undefined) return undefined;
    sides.push({ elements, places });
  }
  const [base, yours, theirs] = sides as [Side, Side, Side];
  return { base, yours, theirs };
}

function elementOf({ elements, places }: Side, id: string): unknown {
  const place = places.get(id);
  return place === undefined ? undefined : elements[place];
}

/** `undefined` when both have moved what they share, and differently: then the array itself is the overlap. */
function mergeElements(
  { base, yours, theirs }: Sides,
  path: string,
  overlaps: Overlap[],
  level: number,
): List | undefined {
  const order = mergeOrders(base, yours, theirs);
  if (order === undefined) return undefined;
  const merged = new Map<string, unknown>();
  const mergeElement = (id: string): void => {
    const [inYours, inTheirs] = [elementOf(yours, id), elementOf(theirs, id)];
    const value =
      inYours === inTheirs
        ? inTheirs
        : merge(elementOf(base, id), inYours, inTheirs, `${path}/id=${escapeToken(id)}`, overlaps, level);
    if (value !== undefined) merged.set(id, value);
  };
  for (const id of theirs.places.keys()) mergeElement(id);
  for (const id of yours.places.keys()) if (!theirs.places.has(id)) mergeElement(id);

  return order.filter((id) => merged.has(id)).map((id) => merged.get(id));
}

type Order = readonly string[];

/**
 * The ids of both sides in one order; `undefined` when both have moved what they share, and differently. What only
 * one side has stays behind the element it follows there.
 */
function mergeOrders(base: Side, yours: Side, theirs: Side): Order | undefined {
  const yoursOnly = followers(yours, theirs);
  const theirsOnly = followers(theirs, yours);
  const common = commonOrder(base, yours, theirs);
  if (common === undefined) return undefined;
  const order: string[] = [];
  const addFollowersOf = (id: string | undefined): void => {
    const groups = [yoursOnly.get(id) ?? [], theirsOnly.get(id) ?? []];
    // Neither side comes first: the group with the lesser id does.
    if ((groups[0]?.[0] ?? "") > (groups[1]?.[0] ?? "")) groups.reverse();
    for (const group of groups) order.push(...group);
  };
  addFollowersOf(undefined);
  for (const id of common) {
    order.push(id);
    addFollowersOf(id);
  }
  return order;
}

function commonOrder(base: Side, yours: Side, theirs: Side): Order | undefined {
  const inYours = [...yours.places.keys()].filter((id) => theirs.places.has(id));
  const inTheirs = [...theirs.places.keys()].filter((id) => yours.places.has(id));
  if (isSameOrder(inYours, inTheirs)) return inTheirs;
  const inBase = [...base.places.keys()].filter((id) => yours.places.has(id) && theirs.places.has(id));
  if (isSameOrder(inYours, inBase)) return inTheirs;
  return isSameOrder(inTheirs, inBase) ? inYours : undefined;
}

function isSameOrder(one: Order, other: Order): boolean {
  return one.length === other.length && one.every((id, index) => id === other[index]);
}

/** What only this side has, by the common element it comes after; `undefined` for the start. */
function followers(side: Side, other: Side): Map<string | undefined, string[]> {
  const groups = new Map<string | undefined, string[]>();
  let after: string | undefined;
  for (const id of side.places.keys()) {
    if (other.places.has(id)) {
      after = id;
      continue;
    }
    const group = groups.get(after);
    if (group === undefined) groups.set(after, [id]);
    else group.push(id);
  }
  return groups;
}
