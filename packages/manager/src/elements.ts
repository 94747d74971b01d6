/** Which element of an array is which: by its `id`, where every element has one of its own. */

import { elementsOf } from "./data.ts";

/**
 * The place of each element by its id, a string or a number, written as a path names it (`3` and `"3"` are one);
 * `undefined` unless every element is an object with an id that no other has.
 */
export function placesById(elements: readonly unknown[]): ReadonlyMap<string, number> | undefined {
  const places = new Map<string, number>();
  for (const element of elementsOf(elements)) {
    const id = idOf(element);
    if (id === undefined || places.has(id)) return undefined;
    places.set(id, places.size);
  }
  return places;
}

/** Whether every element is an object with an id that no other has. */
export function areNamed(elements: readonly unknown[]): boolean {
  const ids = new Set<string | number>();
  for (const element of elementsOf(elements)) {
    const id = rawIdOf(element);
    if (id === undefined) return false;
    ids.add(typeof id === "string" && String(Number(id)) === id ? Number(id) : id);
  }
  return ids.size === elements.length;
}

/**
 * The indexes at which two arrays differ; `undefined` unless each element has its counterpart, the one with the same id or
 * one without like itself, at its own place: by far the most frequent.
 */
export function changedPlaces(before: readonly unknown[], after: readonly unknown[]): number[] | undefined {
  if (before.length !== after.length) return undefined;
  const changed: number[] = [];
  for (let index = 0; index < before.length; index++) {
    if (before[index] === after[index]) continue;
    if (idOf(before[index]) !== idOf(after[index])) return undefined;
    changed.push(index);
  }
  return changed;
}

export function idOf(element: unknown): string | undefined {
  const id = rawIdOf(element);
  return id === undefined ? undefined : String(id);
}

/**
 * Where the one element with this id stands; `undefined` when there is none or more than one. Looks through all of
 * them and makes nothing.
 */
export function placeOfId(elements: readonly unknown[], id: string): number | undefined {
  const asNumber = String(Number(id)) === id ? Number(id) : undefined;
  const read = elementsOf(elements);
  let place: number | undefined;
  for (let index = 0; index < read.length; index++) {
    const found = (read[index] as { readonly id?: unknown } | null)?.id;
    if (found === undefined || (found !== id && found !== asNumber) || rawIdOf(read[index]) === undefined) continue;
    if (place !== undefined) return undefined;
    place = index;
  }
  return place;
}

/** Of a plain object, or of what stands in for one where isolation is shallow; nothing that it inherits. */
function rawIdOf(element: unknown): string | number | undefined {
  if (typeof element !== "object" || element === null) return undefined;
  const { id } = element as { readonly id?: unknown };
  return (typeof id === "string" || typeof id === "number") && Object.hasOwn(element, "id") ? id : undefined;
}
