/** Which element of an array is which: by its `id`, where every element has one of its own. */

import { isPlainObject } from "./data.ts";
import { valueAt } from "./equal.ts";

/**
 * The place of each element by its id, a string or a number, written as a path names it (`3` and `"3"` are one);
 * `undefined` unless every element is an object with an id that no other has.
 */
export function placesById(elements: readonly unknown[]): ReadonlyMap<string, number> | undefined {
  const places = new Map<string, number>();
  for (const [index, element] of elements.entries()) {
    const id = idOf(element);
    if (id === undefined || places.has(id)) return undefined;
    places.set(id, index);
  }
  return places;
}

export function idOf(element: unknown): string | undefined {
  const id = isPlainObject(element) ? valueAt(element, "id") : undefined;
  return typeof id === "string" || typeof id === "number" ? String(id) : undefined;
}
