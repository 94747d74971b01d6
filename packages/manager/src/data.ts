/**
 * What a context may hold, and how it is kept apart from the caller's own objects (law 1).
 *
 * Data is copied on its way in, and every nested object and array of a copy is frozen. What stands in the data that it
 * replaces, at the same place and as the very same object, is the store's own already and is shared instead of copied
 * again: in `{ ...context.data, step: 2 }` only the top level is new. The top level itself stays unfinished until
 * somebody reads it (`SharedContext.data`): many versions of a busy context are never read.
 */

/** A value that survives a trip through JSON unchanged. */
export type JsonValue = string | number | boolean | null | JsonObject | readonly JsonValue[];

/** A plain object of JSON values; a property whose value is `undefined` counts as absent. */
export interface JsonObject {
  /** Any key; one whose value is `undefined` is left out, as JSON does. */
  readonly [key: string]: JsonValue | undefined;
}

/** What `T` looks like from outside the store: readonly all the way down. */
export type DeepReadonly<T> = unknown extends T ? T : [JsonObject] extends [T] ? Readonly<T> : ReadonlyFields<T>;

type ReadonlyFields<T> = T extends
  ((...parameters: never[]) => unknown) | Date | RegExp | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
  ? T
  : { readonly [Key in keyof T]: DeepReadonly<T[Key]> };

/** Deeper data is refused: SQLite and Python's parser stop near 1,000 levels, and the stack of a caller is unknown. */
export const MAX_DEPTH = 512;

type Plain = Record<string, unknown>;

/**
 * How a manager copies data: `undefined` when the data is refused, and then `explain` says why. `previous` is
 * what the data replaces, if anything: data that this has made, and nothing else, for parts of it are shared.
 */
export type Copy = (data: object, previous?: object) => object | undefined;

/** How data is kept apart from the caller's own objects. */
export interface Isolation {
  readonly copy: Copy;
  /** The same for a part of data, `level` levels from the top, which is level 1; `previous` stands where it is to stand. */
  readonly copyPart: (part: object, level: number, previous: unknown) => object | undefined;
  /** Nothing in what is kept ever changes. */
  readonly isDeep: boolean;
}

/** Isolation `deep`: JSON values only, nothing mutable shared with the caller. */
export const DEEP: Isolation = {
  copy: copyDeep,
  copyPart: (part, level, previous) => copyNested(part, level, previous, false),
  isDeep: true,
};

export function copyDeep(data: object, previous?: object): object | undefined {
  return copyObject(data as Plain, 1, previous, false);
}

/**
 * Isolation `deep` where versions are kept: what equals its counterpart in `previous` is shared with it too, so
 * that a version costs what changed, also when a caller sends the whole data anew.
 */
export const DEEP_AND_SHARING: Isolation = {
  copy: (data, previous) => copyObject(data as Plain, 1, previous, true),
  copyPart: (part, level, previous) => copyNested(part, level, previous, true),
  isDeep: true,
};

/** Isolation `shallow`, the letter of section 6.20: a one-level copy that holds nested values by reference. */
export const SHALLOW: Isolation = {
  copy: (data) => ({ ...data }),
  copyPart: (part) => part,
  isDeep: false,
};

/**
 * A frozen copy of `value`, `level` levels below the top, or `previous` where `sharing` is asked for and that is
 * equal; `undefined` when the value is refused.
 */
function copyNested(value: object, level: number, previous: unknown, sharing: boolean): object | undefined {
  if (level > MAX_DEPTH) return undefined;
  if (Array.isArray(value)) return isPlainArray(value) ? copyArray(value, level, previous, sharing) : undefined;
  return isPlainObject(value) ? copyObject(value, level, previous, sharing) : undefined;
}

/**
 * Spread first, then replace what is nested: for 20 flat keys this is 30 times faster than copying key by key.
 * Spread also reads every getter exactly once.
 */
function copyObject(source: Plain, level: number, previous: unknown, sharing: boolean): Plain | undefined {
  const before = isRecord(previous) ? previous : undefined;
  let keysBefore: readonly string[] | undefined;
  let copy: Plain = { ...source };
  let absent = false;
  let index = -1;
  for (const key in copy) {
    index += 1;
    const value = copy[key];
    if (isScalar(value)) continue;
    let counterpart: unknown;
    if (before !== undefined) {
      // What is only inherited is nobody's own: a `__proto__`, or what somebody has put on Object.prototype. Most keys
      // stand where they stood, and then that need not be asked.
      keysBefore ??= Object.keys(before);
      if (keysBefore[index] === key || Object.hasOwn(before, key)) counterpart = before[key];
    }
    if (value === counterpart && value !== undefined) continue;
    if (!Object.hasOwn(copy, key)) continue;
    if (value === undefined) {
      absent = true;
      continue;
    }
    if (typeof value !== "object" || value === null) return undefined;
    const nested = copyNested(value, level + 1, counterpart, sharing);
    if (nested === undefined) return undefined;
    setOwn(copy, key, nested);
  }
  if (absent) copy = withoutUndefined(copy);
  if (level === 1) return copy;
  if (sharing && before !== undefined && hasSameFields(copy, before)) return before;
  return finish(copy) as Plain;
}

function copyArray(
  source: readonly unknown[],
  level: number,
  previous: unknown,
  sharing: boolean,
): readonly unknown[] | undefined {
  const copy = elementsOf(source);
  const before = Array.isArray(previous) ? elementsOf(previous) : NOTHING;
  const fromEnd = before.length - copy.length;
  const { start, end } = changedRange(copy, before);
  // Up to the first element that differs, counterparts are found from the start, and from there on from the end.
  let shift = 0;
  let copied = 0;
  let moved: ReadonlySet<unknown> | undefined;
  for (let index = start; index < end; index++) {
    const value = copy[index];
    if (isScalar(value)) continue;
    if (typeof value !== "object" || value === null) return undefined;
    const counterpart = elementAt(before, index + shift);
    if (value === counterpart || moved?.has(value) === true) continue;
    const nested = copyNested(value, level + 1, counterpart, sharing);
    if (nested === undefined) return undefined;
    if (nested !== counterpart) shift = fromEnd;
    copy[index] = nested;
    copied += 1;
    // Much has been moved, or is new: by now a look at all there was costs less than copying on.
    if (copied * 4 > before.length && before.length > 0) moved ??= new Set(before);
  }
  if (sharing && before !== NOTHING && hasSameElements(copy, before)) return previous as readonly unknown[];
  return Object.freeze(copy);
}

/**
 * The elements of an array to read one by one. From a frozen array V8 reads each in a call of its own, while it spreads
 * the whole at once: with 500 elements in a tenth of the time. `slice` would take 60 times as long as a spread.
 */
export function elementsOf(array: readonly unknown[]): unknown[] {
  return [...array];
}

/** Where an array differs from the one before: what stands outside, at its start and at its end, is the same. */
export function changedRange(copy: readonly unknown[], before: readonly unknown[]): { start: number; end: number } {
  const shorter = Math.min(copy.length, before.length);
  let start = 0;
  while (start < shorter && copy[start] === before[start]) start++;
  const fromEnd = before.length - copy.length;
  let end = copy.length;
  while (end > start && end + fromEnd > start && copy[end - 1] === before[end - 1 + fromEnd]) end--;
  return { start, end };
}

/** Reading beyond the ends of an array would make V8 forget how to read it fast. */
function elementAt(elements: readonly unknown[], index: number): unknown {
  return index >= 0 && index < elements.length ? elements[index] : undefined;
}

const NOTHING: readonly unknown[] = [];

export function hasSameElements(copy: readonly unknown[], before: readonly unknown[]): boolean {
  if (copy.length !== before.length) return false;
  for (let index = 0; index < copy.length; index++) if (copy[index] !== before[index]) return false;
  return true;
}

/** In the same order too: what is read is what was written. */
function hasSameFields(copy: Plain, before: Plain): boolean {
  const keys = Object.keys(copy);
  const keysBefore = Object.keys(before);
  return (
    keys.length === keysBefore.length && keys.every((key, at) => key === keysBefore[at] && copy[key] === before[key])
  );
}

/** Of what this has made: no more than that must be asked. */
function isRecord(previous: unknown): previous is Plain {
  return typeof previous === "object" && previous !== null && !Array.isArray(previous);
}

/** One comparison after the other: for a `switch` over its type, V8 has the type looked up by a call. */
export function isScalar(value: unknown): boolean {
  if (typeof value === "string") return true;
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value === "boolean" || value === null;
}

/** `delete` would turn the copy into a slow dictionary, and every later spread of it with it. */
function withoutUndefined(copy: Plain): Plain {
  const kept: Plain = {};
  for (const key of Object.keys(copy)) {
    if (copy[key] !== undefined) setOwn(kept, key, copy[key]);
  }
  return kept;
}

/** Makes one level of a copy safe to hand out. Symbol keys, which spread copies, are left out as JSON does. */
export function finish(copy: object): object {
  const symbols = Object.getOwnPropertySymbols(copy);
  if (symbols.length > 0) {
    for (const symbol of symbols) Reflect.deleteProperty(copy, symbol);
  }
  return Object.freeze(copy);
}

/** Plain assignment, except that a key `__proto__` stays a key. */
export function setOwn(target: Plain, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    target[key] = value;
  }
}

/** Also true for objects without a prototype and for plain objects of another realm. */
export function isPlainObject(value: unknown): value is Plain {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || isOfAnotherRealm(value, prototype as object);
}

/** Nothing else inherits from an object that inherits from nothing and has what every `Object.prototype` has. */
function isOfAnotherRealm(value: object, prototype: object): boolean {
  return (
    Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf") && !Array.isArray(value)
  );
}

/** Not an instance of a subclass: only the prototype of plain arrays, of any realm, is itself an array. */
export function isPlainArray(value: readonly unknown[]): boolean {
  return Array.isArray(Object.getPrototypeOf(value)) && !Object.hasOwn(value, "constructor");
}
