/** A stretch of the change log: all that has happened after one revision and up to another. */

import { passes } from "../audience.ts";
import type { ChangeRecord } from "../changes.ts";
import type { Reader, Records } from "../cursor.ts";

export interface Stretch extends Records {
  readonly after: number;
}

/** What of it is for a reader that has read all before; `undefined` for one that has to ask the log itself. */
export function readStretch(stretch: Stretch, reader: Reader, limit: number): Records | undefined {
  const { after, through, hasMore, records } = stretch;
  if (reader.after < after || reader.after >= through) return undefined;
  // Nearly always it is one change that all of them wait for: they need no list of their own.
  if (records.length <= limit && records.every(isFor, reader)) return stretch;
  const own = records.filter(isFor, reader);
  return own.length > limit || (hasMore && own.length === 0) ? undefined : { records: own, through, hasMore };
}

function isFor(this: Reader, { revision, contextId }: ChangeRecord): boolean {
  return revision > this.after && passes(this.filter, contextId);
}
