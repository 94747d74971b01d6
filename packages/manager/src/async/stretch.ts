/** A stretch of the change log: all that has happened after one revision and up to another. */

import { passes } from "../audience.ts";
import type { ChangeRecord } from "../changes.ts";
import type { Reader, Records } from "../cursor.ts";

export interface Stretch {
  readonly after: number;
  readonly through: number;
  /** The revision of the log when it was read. */
  readonly head: number;
  readonly records: readonly ChangeRecord[];
}

/** What of it is for a reader that has read all before; `undefined` for one that has to ask the log itself. */
export function readStretch(
  { after, through, head, records }: Stretch,
  reader: Reader,
  limit: number,
): Records | undefined {
  if (reader.after < after || reader.after >= through) return undefined;
  const own = records.filter(({ revision, contextId }) => revision > reader.after && passes(reader.filter, contextId));
  const hasMore = through < head;
  return own.length > limit || (hasMore && own.length === 0) ? undefined : { records: own, through, hasMore };
}
