/** What a row of the log says has changed. */

import type { ChangeKind } from "../../changes.ts";
import { decodeChanges, decodeEntry, encodeEntry } from "../../codec.ts";
import type { EngineChange, LoggedChange, Transaction } from "../../engine.ts";
import type { Entry } from "../../entry.ts";

/** The one version that a transaction makes, where it makes one and no more: its row has that apart. */
export function madeBy({ writes, changes }: Transaction): Entry | undefined {
  const [write] = writes;
  if (write?.next == null || writes.length > 1 || changes.at(-1)?.entry !== write.next) return undefined;
  const isSameVersion = write.keeps === false && write.expect !== 0;
  return isSameVersion ? undefined : write.next;
}

/**
 * A list as JSON, in which the entry of the last change is left out if the row has that apart. Where that says
 * everything else too, as of almost every update, the kind is enough.
 */
export function encodeChanges(
  changes: readonly LoggedChange[],
  apart: Entry | undefined,
  texts: ReadonlyMap<Entry, string>,
): string {
  const [only] = changes;
  if (only !== undefined && changes.length === 1 && apart !== undefined && isToldBy(apart, only)) return only.kind;
  const parts = changes.map(({ kind, contextId, agentId, note, entry }, index) => {
    const about = JSON.stringify({ kind, contextId, agentId, note });
    const isApart = entry === apart && index === changes.length - 1;
    if (entry === null || isApart) return about;
    return `${about.slice(0, -1)},"entry":${texts.get(entry) ?? encodeEntry(entry)}}`;
  });
  return `[${parts.join(",")}]`;
}

function isToldBy(apart: Entry, { contextId, agentId, note, entry }: LoggedChange): boolean {
  return entry === apart && contextId === apart.contextId && agentId === apart.updatedBy && note === apart.note;
}

export interface ChangesRow {
  readonly revision: number;
  readonly op: string;
  readonly id: string | null;
  readonly changes: string;
  /** What is left out there. */
  readonly entry: string | null;
}

/** @throws ContextError CORRUPT. */
export function changesIn({ revision, op, id, changes, entry }: ChangesRow): EngineChange[] {
  const apart = id === null || entry === null ? undefined : decodeEntry(id, entry);
  if (apart !== undefined && /^[a-z]+$/.test(changes)) {
    const { contextId, updatedBy: agentId, note } = apart;
    return [{ revision, opId: op, kind: changes as ChangeKind, contextId, agentId, note, entry: apart }];
  }
  const told = decodeChanges(revision, op, changes);
  const last = told.at(-1);
  return apart === undefined || last === undefined ? told : [...told.slice(0, -1), { ...last, entry: apart }];
}
