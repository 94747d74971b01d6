import { formatPath } from "../pointer.ts";
import type { Edit } from "../patch.ts";

/** A patch as it is sent: a JSON Merge Patch or a list of operations. */
export function patchBody(edit: Edit): unknown {
  if (edit.kind === "merge patch") return edit.patch;
  return edit.steps.map(({ op, path, value }) => ({ op, path: formatPath(path), value }));
}
