import { elementsOf, isPlainObject, MAX_DEPTH } from "./data.ts";

/**
 * Whether two JSON values are the same. Shared parts are not entered; the order of keys does not count. What is deeper
 * than data may be equals nothing but itself.
 */
export function isEqual(a: unknown, b: unknown, level: number = 1): boolean {
  if (a === b) return true;
  if (level > MAX_DEPTH) return false;
  if (Array.isArray(a)) return Array.isArray(b) && areEqualLists(a, b, level);
  if (!isPlainObject(a) || !isPlainObject(b)) return false;
  const [keys, others] = [Object.keys(a), Object.keys(b)];
  let common = 0;
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string;
    const value = a[key];
    if (value === undefined) continue;
    const other = others[index] === key ? b[key] : valueAt(b, key);
    if (value !== other && !isEqual(value, other, level + 1)) return false;
    common += 1;
  }
  return others.length === common || others.every((key) => b[key] === undefined || valueAt(a, key) !== undefined);
}

function areEqualLists(a: readonly unknown[], b: readonly unknown[], level: number): boolean {
  if (a.length !== b.length) return false;
  const [ones, others] = [elementsOf(a), elementsOf(b)];
  for (let index = 0; index < ones.length; index++) {
    if (ones[index] !== others[index] && !isEqual(ones[index], others[index], level + 1)) return false;
  }
  return true;
}

/** What an object holds itself: nothing that it inherits, such as `constructor`. */
export function valueAt(object: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
