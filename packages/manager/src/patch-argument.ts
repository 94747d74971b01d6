/** What a caller hands in as a patch, checked and made the store's own. */

import { type Copy, isPlainObject, isScalar } from "./data.ts";
import { describe } from "./describe.ts";
import { explain } from "./fault.ts";
import { invalid } from "./errors.ts";
import type { Edit, PatchOperation, Step } from "./patch.ts";
import { parsePath } from "./pointer.ts";

/** @throws ContextError INVALID naming the part of the patch that is wrong. */
export function readPatch(patch: unknown, copy: Copy): Edit {
  if (Array.isArray(patch)) {
    return { kind: "steps", steps: Array.from(patch, (operation, index) => readStep(operation, `/${index}`, copy)) };
  }
  if (!isPlainObject(patch)) {
    throw invalid("patch", "", "a merge patch (a plain object) or an array of operations", describe(patch));
  }
  return { kind: "merge patch", patch: copyIn(patch, "", copy) };
}

const OPERATIONS: Readonly<Record<PatchOperation["op"], "required" | "optional" | "none">> = {
  set: "required",
  remove: "none",
  append: "required",
  increment: "optional",
  test: "optional",
};

function readStep(operation: unknown, at: string, copy: Copy): Step {
  if (!isPlainObject(operation)) throw invalid("patch", at, "an operation { op, path, value }", describe(operation));
  const { op, path, value } = operation;
  if (typeof op !== "string" || !Object.hasOwn(OPERATIONS, op)) {
    throw invalid("patch", `${at}/op`, `one of ${Object.keys(OPERATIONS).join(", ")}`, describe(op));
  }
  const tokens = typeof path === "string" ? parsePath(path) : undefined;
  if (tokens === undefined) {
    throw invalid("patch", `${at}/path`, 'a JSON Pointer such as "/tasks/id=3/owner", or ""', describe(path));
  }
  const kind = op as PatchOperation["op"];
  if (OPERATIONS[kind] === "required" && value === undefined)
    throw invalid("patch", `${at}/value`, "a value", "nothing");
  if (OPERATIONS[kind] === "none" || value === undefined) {
    return { op: kind, path: tokens, value: kind === "increment" ? 1 : undefined };
  }
  if (kind === "increment" && !Number.isFinite(value)) {
    throw invalid("patch", `${at}/value`, "a finite number", describe(value));
  }
  const own = isScalar(value) ? value : (copyIn({ value }, at, copy) as { value: unknown }).value;
  return { op: kind, path: tokens, value: own };
}

function copyIn(data: object, at: string, copy: Copy): object {
  const copied = copy(data);
  if (copied !== undefined) return copied;
  const { path, expected, received } = explain(data);
  throw invalid("patch", `${at}${path}`, expected, received);
}
