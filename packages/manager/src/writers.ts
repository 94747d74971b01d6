import type { Entry } from "./entry.ts";
import { isEqual } from "./equal.ts";
import type { Writer } from "./errors.ts";
import { locate, parsePath } from "./pointer.ts";

/**
 * Who wrote what is at a path in the last of these versions, oldest first; `null` when that was before them, or in
 * one that is missing.
 */
export function writerOf(path: string, versions: readonly Entry[]): Writer | null {
  const tokens = parsePath(path) ?? [];
  const valueIn = (entry: Entry | undefined): unknown => locate(entry?.data, tokens).value;
  let first = versions.length - 1;
  const value = valueIn(versions[first]);
  while (first > 0 && isEqual(valueIn(versions[first - 1]), value)) first -= 1;
  const entry = versions[first];
  if (entry === undefined) return null;
  const before = versions[first - 1]?.version ?? "0";
  if (Number(entry.version) - Number(before) !== 1) return null;
  return { agentId: entry.updatedBy, version: entry.version, note: entry.note };
}
