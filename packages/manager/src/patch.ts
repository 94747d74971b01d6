/**
 * Patches: named changes to data, as a JSON Merge Patch (RFC 7386) or as operations on paths, and how they meet
 * what others have changed since the caller read.
 */

import { isPlainObject, type JsonObject, type JsonValue, MAX_DEPTH, setOwn } from "./data.ts";
import { type Edited, merged, type Version } from "./edited.ts";
import { valueAt } from "./equal.ts";
import type { Keeping } from "./draft.ts";
import { applySteps } from "./steps.ts";

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

/**
 * Makes an edit of `base`, and puts it together with what became of `base` meanwhile.
 *
 * @param keeping - how `present` is kept, where what is made of it shall be ready to be kept too.
 */
export function applyEdit(edit: Edit, base: Version, present: Version, keeping?: Keeping): Edited {
  if (edit.kind === "steps") return applySteps(edit.steps, base, present, keeping);
  return merged(mergePatch(base.data, edit.patch) as object, base, present, []);
}

/** RFC 7386, section 2. What is deeper than data may be, in circles perhaps, is one value. */
function mergePatch(target: unknown, patch: unknown, level: number = 1): unknown {
  if (!isPlainObject(patch) || level > MAX_DEPTH) return patch;
  const result = { ...(isPlainObject(target) ? target : undefined) };
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === undefined) continue;
    if (value === null) delete result[key];
    else setOwn(result, key, mergePatch(valueAt(result, key), value, level + 1));
  }
  return result;
}
