/**
 * What a context may hold, and how it is kept apart from the caller's own objects (law 1).
 *
 * Data is copied on its way in. Every nested object and array of a copy is frozen and carries a private
 * brand, so that the next write recognises it and shares it instead of copying it again: in
 * `{ ...context.data, step: 2 }` only the top level is new. The top level itself stays unfinished until
 * somebody reads it (`SharedContext.data`): many versions of a busy context are never read.
 */

/** A value that survives a trip through JSON unchanged. */
export type JsonValue = string | number | boolean | null | JsonObject | readonly JsonValue[];

/** A plain object of JSON values; a property whose value is `undefined` counts as absent. */
export interface JsonObject {
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

/** Returning an object from a base constructor puts the subclass's private field on that object: a brand nobody can forge. */
class Branded {
  constructor(target: object) {
    return target;
  }
}

/** On nested values that the store made, froze and may share between versions and contexts. */
class Owned extends Branded {
  readonly #height: number;

  constructor(target: object, height: number) {
    super(target);
    this.#height = height;
  }

  /** Levels of nesting in an owned value, 1 when it is flat; 0 for a value that is not owned. */
  static height(value: object): number {
    return #height in value ? value.#height : 0;
  }
}

/** Whether a nested value is the store's own: it never changes, and may be shared. */
export function isOwned(value: object): boolean {
  return Owned.height(value) > 0;
}

/**
 * How a manager copies data: `undefined` when the data is refused, and then `explain` says why. `previous` is
 * what the data replaces, if anything.
 */
export type Copy = (data: object, previous?: object) => object | undefined;

/** Isolation `deep`: JSON values only, nothing mutable shared with the caller. */
export function copyDeep(data: object): object | undefined {
  return copyObject(data as Plain, 1, undefined);
}

/**
 * Isolation `deep` where versions are kept: what equals its counterpart in `previous` is shared with it, so
 * that a version costs what changed, also when a caller sends the whole data anew.
 */
export function copySharing(data: object, previous?: object): object | undefined {
  return copyObject(data as Plain, 1, previous);
}

/** Isolation `shallow`, the letter of section 6.20: a one-level copy that holds nested values by reference. */
export function copyShallow(data: object): object {
  return { ...data };
}

/**
 * An owned copy of `value`, which is not owned yet, `level` levels below the top, or `previous` if that is equal;
 * `undefined` when the value is refused.
 */
function own(value: object, level: number, previous: unknown): object | undefined {
  if (level > MAX_DEPTH) return undefined;
  if (Array.isArray(value)) return isPlainArray(value) ? copyArray(value, level, previous) : undefined;
  return isPlainObject(value) ? copyObject(value, level, previous) : undefined;
}

/**
 * Spread first, then replace what is nested: for 20 flat keys this is 30 times faster than copying key by key.
 * Spread also reads every getter exactly once.
 */
function copyObject(source: Plain, level: number, previous: unknown): Plain | undefined {
  const before = isPlainObject(previous) ? previous : undefined;
  let copy: Plain = { ...source };
  let absent = false;
  let height = 1;
  for (const key in copy) {
    const value = copy[key];
    if (isScalar(value)) continue;
    let below = heightOf(value);
    if (below === 0) {
      if (!Object.hasOwn(copy, key)) continue; // somebody extended Object.prototype
      if (value === undefined) {
        absent = true;
        continue;
      }
      if (typeof value !== "object" || value === null) return undefined;
      const owned = own(value, level + 1, before !== undefined && Object.hasOwn(before, key) ? before[key] : undefined);
      if (owned === undefined) return undefined;
      setOwn(copy, key, owned);
      below = Owned.height(owned);
    }
    if (level + below > MAX_DEPTH) return undefined;
    if (below >= height) height = below + 1;
  }
  if (absent) copy = withoutUndefined(copy);
  if (level === 1) return copy;
  if (before !== undefined && hasSameFields(copy, before)) return before;
  new Owned(finish(copy), height);
  return copy;
}

function copyArray(source: readonly unknown[], level: number, previous: unknown): unknown[] | undefined {
  const copy: unknown[] = [...source]; // on a frozen array `slice` takes 60 times as long, and so does `every`
  const before: unknown[] = Array.isArray(previous) ? previous : NOTHING;
  // Up to the first element that differs, counterparts are found from the start, and from there on from the end.
  let shift = 0;
  let height = 1;
  for (let index = 0; index < copy.length; index++) {
    const value = copy[index];
    if (isScalar(value)) continue;
    if (typeof value !== "object" || value === null) return undefined;
    let below = Owned.height(value);
    if (below === 0) {
      const counterpart = before[index + shift];
      const owned = own(value, level + 1, counterpart);
      if (owned === undefined) return undefined;
      if (owned !== counterpart) shift = before.length - copy.length;
      copy[index] = owned;
      below = Owned.height(owned);
    }
    if (level + below > MAX_DEPTH) return undefined;
    if (below >= height) height = below + 1;
  }
  if (before !== NOTHING && hasSameElements(copy, before)) return before;
  new Owned(finish(copy), height);
  return copy;
}

const NOTHING: unknown[] = [];

/**
 * Makes the copy of an owned value the store's own where it is, with a look only at what is not shared: the values at
 * `changed`. Where one of them cannot be kept nothing is done, and whoever copies it sees why.
 *
 * @param hasLost - whether it lacks values of `base`.
 */
export function adopt(
  copy: Plain | unknown[],
  base: object,
  changed: ReadonlySet<string | number>,
  hasLost: boolean,
): void {
  const before = Owned.height(base);
  if (before === 0) return;
  let height = 1;
  let heightLost = hasLost ? before : 1;
  for (const key of changed) {
    const old = Object.hasOwn(base, key) ? (base as Plain)[key] : undefined;
    const value = (copy as Plain)[key];
    heightLost = Math.max(heightLost, heightOf(old) + 1);
    if (isScalar(value)) continue;
    if (typeof value !== "object" || value === null) return;
    const owned = isOwned(value) ? value : own(value, 2, old);
    if (owned === undefined) return;
    setOwn(copy as Plain, String(key), owned);
    height = Math.max(height, Owned.height(owned) + 1);
  }
  // It is as deep as before if it has kept what made it so, or something as deep.
  const keepsDepth = (): boolean => Object.values(copy).some((value) => heightOf(value) === before - 1);
  if (heightLost < before || height >= before || keepsDepth()) new Owned(finish(copy), Math.max(before, height));
}

function heightOf(value: unknown): number {
  return typeof value === "object" && value !== null ? Owned.height(value) : 0;
}

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

function isScalar(value: unknown): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value);
    default:
      return value === null;
  }
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
  if (prototype === Object.prototype || prototype === null) return true;
  return (
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype as object, "isPrototypeOf") &&
    !Array.isArray(value)
  );
}

/** Not an instance of a subclass: only the prototype of plain arrays, of any realm, is itself an array. */
export function isPlainArray(value: readonly unknown[]): boolean {
  return Array.isArray(Object.getPrototypeOf(value)) && !Object.hasOwn(value, "constructor");
}
