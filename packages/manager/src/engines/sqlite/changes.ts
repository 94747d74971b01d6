/** What a row of the log says has changed. */

import { encodeEntry } from "../../codec.ts";
import type { LoggedChange, Transaction } from "../../engine.ts";
import type { Entry } from "../../entry.ts";

/** The one version that a transaction makes, where it makes one and no more: its row has that apart. */
export function madeBy({ writes, changes }: Transaction): Entry | undefined {
  const [write] = writes;
  if (write?.next == null || writes.length > 1 || changes.at(-1)?.entry !== write.next) return undefined;
  const isSameVersion = write.keeps === false && write.expect !== 0;
  return isSameVersion ? undefined : write.next;
}

/** @param apart - the entry of the last change, where the row has that apart. */
export function encodeChanges(
  changes: readonly LoggedChange[],
  apart: Entry | undefined,
  texts: ReadonlyMap<Entry, string>,
): string {
  const parts = changes.map(({ kind, contextId, agentId, note, entry }, index) => {
    const about = JSON.stringify({ kind, contextId, agentId, note });
    const isApart = entry === apart && index === changes.length - 1;
    if (entry === null || isApart) return about;
    return `${about.slice(0, -1)},"entry":${texts.get(entry) ?? encodeEntry(entry)}}`;
  });
  return `[${parts.join(",")}]`;
}
