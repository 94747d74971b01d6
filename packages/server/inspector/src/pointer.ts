/** Paths as the API writes them: JSON Pointers, where `id=3` names the element of an array whose `id` is 3. */

import type { Json, JsonObject } from "./types.ts";

export interface Child {
  readonly token: string;
  /** What a person calls it: a key, or the place in an array. */
  readonly label: string;
  readonly value: Json;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isArray(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

function escapeToken(token: string): string {
  return /[~/]/.test(token) ? token.replaceAll("~", "~0").replaceAll("/", "~1") : token;
}

/** The ids of the elements, where each has one of its own. */
export function idsOf(elements: readonly Json[]): string[] | undefined {
  const ids = new Set<string>();
  for (const element of elements) {
    const id = isObject(element) && Object.hasOwn(element, "id") ? element["id"] : undefined;
    if (typeof id !== "string" && typeof id !== "number") return undefined;
    ids.add(String(id));
  }
  return ids.size === elements.length ? [...ids] : undefined;
}

/** What is inside a value, in its own order; nothing in what has no inside. */
export function childrenOf(value: Json): Child[] {
  if (isArray(value)) {
    const ids = idsOf(value);
    return value.map((element, index) => {
      const id = ids?.[index];
      const token = id === undefined ? String(index) : `id=${escapeToken(id)}`;
      return { token, label: id === undefined ? String(index) : `id=${id}`, value: element };
    });
  }
  if (!isObject(value)) return [];
  // Entries are own properties, `__proto__` among them.
  return Object.entries(value).map(([key, inner]) => ({ token: escapeToken(key), label: key, value: inner }));
}

export function sizeOf(value: Json): number {
  if (isArray(value)) return value.length;
  return isObject(value) ? Object.keys(value).length : 0;
}

/** One path is the other, or leads to it. */
export function overlap(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);
}
