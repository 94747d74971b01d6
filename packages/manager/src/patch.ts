/**
 * Patches: named changes to data, as a JSON Merge Patch (RFC 7386) or as operations on paths, and how they meet
 * what others have changed since the caller read.
 */

import { describe, escapeToken, isPlainObject, type JsonObject, type JsonValue, setOwn } from "./data.ts";
import { idOf, placesById } from "./elements.ts";
import { isEqual, valueAt } from "./equal.ts";
import { chainHolds, type Chains, extendChains } from "./increments.ts";
import { merge, type Overlap } from "./merge.ts";
import { formatPath, locate, type Place } from "./pointer.ts";

/**
 * One step of a patch. `path` is a JSON Pointer (RFC 6901); on an array, a token `id=3` names the element whose
 * `id` is 3, and an index only an element that is there.
 *
 * - `set` puts a value there, and makes the objects on the way to it.
 * - `remove` takes away what is there; nothing there is fine.
 * - `append` adds an element to an array. Appending agents do not get in each other's way.
 * - `increment` adds to a number, 1 by default. Incrementing agents do not get in each other's way.
 * - `test` stops the whole patch with CONFLICT unless the value is equal; without `value`, unless nothing is there.
 */
export type PatchOperation =
  | { readonly op: "set" | "append"; readonly path: string; readonly value: JsonValue }
  | { readonly op: "remove"; readonly path: string }
  | { readonly op: "increment"; readonly path: string; readonly value?: number }
  | { readonly op: "test"; readonly path: string; readonly value?: JsonValue };

/** A JSON Merge Patch (RFC 7386): what is named is replaced, `null` removes, objects are merged key by key. */
export type MergePatch<T> = [JsonObject] extends [T]
  ? JsonObject
  : T extends readonly unknown[]
    ? T
    : T extends object
      ? { readonly [Key in keyof T]?: MergePatch<T[Key]> | null }
      : T;

/** A step that has been checked; its value is the caller's no more. */
export interface Step {
  readonly op: PatchOperation["op"];
  readonly path: readonly string[];
  readonly value: unknown;
}

/** What is to become of the data that a caller has read. */
export type Edit =
  | { readonly kind: "steps"; readonly steps: readonly Step[] }
  | { readonly kind: "merge patch"; readonly patch: object };

/** What an edit comes to: new data, or why not. */
export type Edited =
  | { readonly data: object; readonly chains: Chains | undefined }
  | { readonly overlaps: readonly Overlap[] }
  | { readonly misfit: Misfit };

/** A step that the data has no place for. */
export interface Misfit {
  readonly path: string;
  readonly expected: string;
  readonly received: string;
}

/** One version of the data, as much as an edit must know of it. */
export interface Version {
  readonly version: string;
  readonly data: object;
  readonly chains: Chains | undefined;
}

/** Makes an edit of `base`, and puts it together with what became of `base` meanwhile. */
export function applyEdit(edit: Edit, base: Version, present: Version): Edited {
  if (edit.kind === "steps") return applySteps(edit.steps, base, present);
  return merged(mergePatch(base.data, edit.patch) as object, base, present, []);
}

/** The data with the changes of one side and of the other. */
export function merged(yours: object, base: Version, present: Version, failed: readonly Overlap[]): Edited {
  const overlaps: Overlap[] = [];
  const data = merge(base.data, yours, present.data, "", overlaps) as object;
  // A test on what the patch also changes tells the same story twice.
  const isTold = ({ path }: Overlap): boolean =>
    overlaps.some((overlap) => path === overlap.path || path.startsWith(`${overlap.path}/`));
  const all = [...overlaps, ...failed.filter((overlap) => !isTold(overlap))];
  return all.length === 0 ? { data, chains: present.chains } : { overlaps: sorted(all) };
}

function sorted(overlaps: Overlap[]): Overlap[] {
  return overlaps.sort((one, other) => (one.path < other.path ? -1 : one.path > other.path ? 1 : 0));
}

/** RFC 7386, section 2. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isPlainObject(patch)) return patch;
  const result = { ...(isPlainObject(target) ? target : undefined) };
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === undefined) continue;
    if (value === null) delete result[key];
    else setOwn(result, key, mergePatch(valueAt(result, key), value));
  }
  return result;
}

/** A step, and where it leads in what the steps before it left. */
interface Placed {
  readonly step: Step;
  readonly place: Place;
  /** It adds to what is there, and no other step of the patch says what that is. */
  adds: boolean;
}

function applySteps(steps: readonly Step[], base: Version, present: Version): Edited {
  const draft = new Draft(base.data);
  const touched = new Touched();
  const changed = new Touched();
  const placed: Placed[] = [];
  const failed: Overlap[] = [];
  for (const step of steps) {
    const place = locate(draft.root, step.path);
    if (step.op === "test") {
      const isOwnDoing = touched.isNear(place.tokens) || changed.isNear(place.tokens);
      if (isOwnDoing) touched.add(place.tokens);
      const against = isOwnDoing ? place : locate(present.data, step.path);
      if (!isEqual(against.value, step.value)) failed.push(failedTest(step, against, base));
      continue;
    }
    const misfit = misfitOf(step, place);
    if (misfit !== undefined) return failed.length > 0 ? { overlaps: sorted(failed) } : { misfit };
    draft.apply(step, place);
    const adds = step.op === "increment" || step.op === "append";
    if (!adds || touched.isNear(place.tokens)) touched.add(place.tokens);
    changed.add(place.tokens);
    placed.push({ step, place, adds });
  }
  for (const one of placed) one.adds &&= !touched.isNear(one.place.tokens);
  const adding = placed.filter(({ adds }) => adds);
  // In an array that is one value nothing commutes: its elements may not be the same ones any more.
  const commuting = adding.filter(({ place }) => !place.byIndex);
  if (base.data === present.data) {
    return failed.length > 0 ? { overlaps: sorted(failed) } : withChains(draft.root, commuting, present);
  }

  const fixed = commuting.length === 0 ? draft : new Draft(base.data);
  if (fixed !== draft) for (const one of placed) if (!commuting.includes(one)) fixed.apply(one.step, one.place);
  failed.push(...strangersTo(adding, base, present, draft.root));
  const result = merged(fixed.root, base, present, failed);
  if (commuting.length === 0 || !("data" in result)) return result;
  const last = new Draft(result.data);
  for (const { step, place } of commuting) {
    const inPresent = locate(last.root, place.tokens);
    // The same element appended by two is there once.
    if (step.op !== "append" || !hasIdOf(inPresent.value, step.value)) last.apply(step, inPresent);
  }
  return withChains(last.root, commuting, present);
}

function withChains(data: object, commuting: readonly Placed[], present: Version): Edited {
  const increments = commuting.filter(({ step }) => step.op === "increment").map(({ place }) => place.tokens);
  return { data, chains: extendChains(present, increments, data) };
}

function failedTest(step: Step, { tokens, value }: Place, base: Version): Overlap {
  return { path: formatPath(tokens), base: locate(base.data, step.path).value, yours: step.value, theirs: value };
}

function misfitOf({ op, path, value }: Step, place: Place): Misfit | undefined {
  const { deadEnd } = place;
  const at = formatPath(path);
  const misfit = (expected: string, received: unknown): Misfit => ({
    path: at,
    expected,
    received: received === undefined ? "nothing" : describe(received),
  });
  if (deadEnd !== undefined && (op !== "remove" || deadEnd.misshapen)) {
    return { path: at, expected: deadEnd.expected, received: deadEnd.received };
  }
  switch (op) {
    case "set":
      return path.length > 0 || isPlainObject(value) ? undefined : misfit("a plain object as the whole data", value);
    case "remove":
      return path.length > 0 ? undefined : misfit("a path to a part of the data; delete removes all of it", "");
    case "append":
      if (!Array.isArray(place.value)) return misfit("an array to append to", place.value);
      return hasIdOf(place.value, value)
        ? misfit("an element whose id is not in the array yet; set replaces one", value)
        : undefined;
    default:
      return typeof place.value === "number" ? undefined : misfit("a number to increment", place.value);
  }
}

/**
 * The steps that do not commute with what others have done in their place: an increment where the number was
 * set, an append where the array has changed in another way than by appending.
 */
function strangersTo(adding: readonly Placed[], base: Version, present: Version, draft: object): Overlap[] {
  const overlaps = new Map<string, Overlap>();
  for (const { step, place } of adding) {
    const path = formatPath(place.tokens);
    if (overlaps.has(path)) continue;
    const inBase = locate(base.data, place.tokens).value;
    const theirs = locate(present.data, place.tokens).value;
    const fits =
      isEqual(inBase, theirs) ||
      (!place.byIndex &&
        (step.op === "append"
          ? takesAppended(inBase, theirs, step.value)
          : chainHolds(path, base.version, inBase, theirs, present.chains)));
    if (!fits) overlaps.set(path, { path, base: inBase, yours: locate(draft, place.tokens).value, theirs });
  }
  return [...overlaps.values()];
}

function takesAppended(base: unknown, theirs: unknown, value: unknown): boolean {
  if (!Array.isArray(base) || !Array.isArray(theirs)) return false;
  const id = idOf(value);
  const places = id === undefined ? undefined : placesById(theirs);
  if (id !== undefined && places !== undefined && placesById(base)?.has(id) === false) {
    const place = places.get(id);
    return place === undefined || isEqual(theirs[place], value);
  }
  return base.length <= theirs.length && isEqual(base, theirs.slice(0, base.length));
}

/** Whether an array of elements with an `id` each has one with this `id`. */
function hasIdOf(elements: unknown, value: unknown): boolean {
  const id = idOf(value);
  if (id === undefined || !Array.isArray(elements)) return false;
  return placesById(elements)?.has(id) ?? false;
}

/** Paths that a patch changes, and what is above and below them. */
class Touched {
  readonly #paths = new Set<string>();
  readonly #above = new Set<string>();

  add(tokens: readonly string[]): void {
    let path = "";
    this.#above.add(path);
    for (const token of tokens) this.#above.add((path += `/${escapeToken(token)}`));
    this.#paths.add(path);
  }

  /** Whether this path, one above it or one below it is touched. */
  isNear(tokens: readonly string[]): boolean {
    let path = "";
    if (this.#paths.has(path)) return true;
    for (const token of tokens) if (this.#paths.has((path += `/${escapeToken(token)}`))) return true;
    return this.#above.has(path);
  }
}

type Container = Record<string, unknown> | unknown[];

/** Data in the making: containers are copied once, when something in them changes; the rest is shared. */
class Draft {
  root: object;
  readonly #own = new Set<object>();

  constructor(root: object) {
    this.root = root;
  }

  apply({ op, value }: Step, { keys, value: old }: Place): void {
    const last = keys.at(-1);
    if (last === undefined) {
      this.root = value as object;
      return;
    }
    switch (op) {
      case "set":
        if (!isEqual(old, value)) put(this.#parent(keys), last, value);
        break;
      case "remove":
        if (old !== undefined) drop(this.#parent(keys), last);
        break;
      case "append":
        (this.#owned(this.#parent(keys), last) as unknown[]).push(value);
        break;
      case "increment":
        if (value !== 0) put(this.#parent(keys), last, (old as number) + (value as number));
        break;
      default:
    }
  }

  #parent(keys: readonly (string | number)[]): Container {
    let parent = this.#own.has(this.root) ? this.root : this.#copy(this.root);
    this.root = parent;
    for (const key of keys.slice(0, -1)) parent = this.#owned(parent as Container, key);
    return parent as Container;
  }

  #owned(parent: Container, key: string | number): Container {
    const value = get(parent, key) ?? {};
    if (this.#own.has(value)) return value as Container;
    const copy = this.#copy(value);
    put(parent, key, copy);
    return copy;
  }

  #copy(value: object): Container {
    const copy: Container = Array.isArray(value) ? [...(value as unknown[])] : { ...value };
    this.#own.add(copy);
    return copy;
  }
}

function get(container: Container, key: string | number): unknown {
  return Array.isArray(container) ? container[key as number] : valueAt(container, String(key));
}

function put(container: Container, key: string | number, value: unknown): void {
  if (Array.isArray(container)) container[key as number] = value;
  else setOwn(container, String(key), value);
}

function drop(container: Container, key: string | number): void {
  if (Array.isArray(container)) container.splice(key as number, 1);
  else delete container[key];
}
