import { isPlainObject } from "./data.ts";

/** Whether two JSON values are the same. Shared parts are not entered; the order of keys does not count. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && areEqualLists(a, b);
  if (!isPlainObject(a) || !isPlainObject(b)) return false;
  let surplus = 0;
  for (const key of Object.keys(a)) {
    const value = a[key];
    if (value === undefined) continue;
    if (!isEqual(value, valueAt(b, key))) return false;
    surplus -= 1;
  }
  for (const key of Object.keys(b)) if (b[key] !== undefined) surplus += 1;
  return surplus === 0;
}

function areEqualLists(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) {
    if (a[index] !== b[index] && !isEqual(a[index], b[index])) return false;
  }
  return true;
}

/** What an object holds itself: nothing that it inherits, such as `constructor`. */
export function valueAt(object: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
