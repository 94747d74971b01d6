/** The overview: which contexts are shown, and in which order. */

import type { Summary } from "./types.ts";

export type SortKey = "context_id" | "version" | "bytes" | "updated_by" | "updated_at" | "locked_by";

export interface ListQuery {
  /** Somewhere in the id, the writer or the holder; without regard to case. */
  readonly search: string;
  readonly prefix: string;
  readonly sort: SortKey;
  readonly isDescending: boolean;
}

export function select(items: Iterable<Summary>, { search, prefix, sort, isDescending }: ListQuery): Summary[] {
  const wanted = search.toLowerCase();
  const found: Summary[] = [];
  for (const item of items) {
    if (!item.context_id.startsWith(prefix)) continue;
    if (wanted !== "" && !textOf(item).includes(wanted)) continue;
    found.push(item);
  }
  const sign = isDescending ? -1 : 1;
  return found.sort(
    (one, other) => sign * (compareBy(sort, one, other) || compareTexts(one.context_id, other.context_id)),
  );
}

function textOf({ context_id: id, updated_by: writer, locked_by: holder }: Summary): string {
  return `${id}\n${writer ?? ""}\n${holder ?? ""}`.toLowerCase();
}

function compareBy(key: SortKey, one: Summary, other: Summary): number {
  switch (key) {
    case "version":
      return Number(one.version) - Number(other.version);
    case "bytes":
      return (one.bytes ?? 0) - (other.bytes ?? 0);
    // ISO 8601 in UTC: their order as texts is that of time.
    case "updated_at":
      return compareTexts(one.updated_at, other.updated_at);
    case "updated_by":
    case "locked_by":
      return compareTexts(one[key] ?? "", other[key] ?? "");
    case "context_id":
      return 0;
  }
}

/** By code units: a locale's order takes fifty times as long. */
function compareTexts(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
