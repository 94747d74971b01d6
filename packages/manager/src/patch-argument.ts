/** What a caller hands in as a patch, checked and made the store's own. */

import { type Copy, elementsOf, isPlainObject, isScalar } from "./data.ts";
import { describe } from "./describe.ts";
import { explain } from "./fault.ts";
import { invalid } from "./errors.ts";
import type { Edit, PatchOperation, Step } from "./patch.ts";
import { ParsedPaths } from "./parsed-paths.ts";

/** @throws ContextError INVALID naming the part of the patch that is wrong. */
export function readPatch(patch: unknown, copy: Copy): Edit {
  if (Array.isArray(patch)) {
    const steps = elementsOf(patch).map((operation, index) => readStep(operation, index, copy));
    return { kind: "steps", steps };
  }
  if (!isPlainObject(patch)) {
    throw invalid("patch", "", "a merge patch (a plain object) or an array of operations", describe(patch));
  }
  return { kind: "merge patch", patch: copyIn(patch, "", copy) };
}

const paths = new ParsedPaths();

/** Whether an operation has a value. */
const OPERATIONS: ReadonlyMap<unknown, "required" | "optional" | "none"> = new Map([
  ["set", "required"],
  ["remove", "none"],
  ["append", "required"],
  ["increment", "optional"],
  ["test", "optional"],
]);

function readStep(operation: unknown, index: number, copy: Copy): Step {
  if (!isPlainObject(operation)) {
    throw invalid("patch", `/${index}`, "an operation { op, path, value }", describe(operation));
  }
  const { op, path, value } = operation;
  const takesValue = OPERATIONS.get(op);
  if (takesValue === undefined) {
    throw invalid("patch", `/${index}/op`, `one of ${[...OPERATIONS.keys()].join(", ")}`, describe(op));
  }
  const tokens = typeof path === "string" ? paths.parse(path) : undefined;
  if (tokens === undefined) {
    throw invalid("patch", `/${index}/path`, 'a JSON Pointer such as "/tasks/id=3/owner", or ""', describe(path));
  }
  const kind = op as PatchOperation["op"];
  if (takesValue === "required" && value === undefined) {
    throw invalid("patch", `/${index}/value`, "a value", "nothing");
  }
  if (takesValue === "none" || value === undefined) {
    return { op: kind, path: tokens, value: kind === "increment" ? 1 : undefined };
  }
  if (kind === "increment" && !Number.isFinite(value)) {
    throw invalid("patch", `/${index}/value`, "a finite number", describe(value));
  }
  const own = isScalar(value) ? value : (copyIn({ value }, `/${index}`, copy) as { value: unknown }).value;
  return { op: kind, path: tokens, value: own };
}

function copyIn(data: object, at: string, copy: Copy): object {
  const copied = copy(data);
  if (copied !== undefined) return copied;
  const { path, expected, received } = explain(data);
  throw invalid("patch", `${at}${path}`, expected, received);
}
