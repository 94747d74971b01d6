/** What a commit has changed, as watchers, subscribers and the change log tell it. */

import { type SharedContext, wrap } from "./context.ts";
import type { JsonObject } from "./data.ts";
import { type Entry, isAnother } from "./entry.ts";

/**
 * - `current`: how a context was when watching began; no change.
 * - `created`, `updated`, `deleted`: of the data.
 * - `locked`, `unlocked`: a lock was granted or given back, by force too.
 * - `expired`: a lock that had lapsed was taken away, by the next holder or by a write; until then it is no change.
 * - `cleared`: every context was deleted at once.
 */
export type ChangeKind = "current" | "created" | "updated" | "locked" | "unlocked" | "expired" | "deleted" | "cleared";

/** One entry of the change log. Renewals of a lease are no change. */
export interface Change<Data extends object = JsonObject> {
  /** The revision of the commit: those of one transaction have the same. */
  readonly revision: number;
  /** What has happened. */
  readonly kind: ChangeKind;
  /** `null` when it is about all of them: `cleared`. */
  readonly contextId: string | null;
  /** Who did it; `null` when it was done without a handle. */
  readonly agentId: string | null;
  /** What was said about it: the note of a write, the reason of a forced unlock; or `null`. */
  readonly note: string | null;
  /** The context after it; `undefined` when it is there no more. */
  readonly context: SharedContext<Data> | undefined;
  /** The context before it; `undefined` when it was not there, or is not known. */
  readonly previous: SharedContext<Data> | undefined;
}

/** Which contexts: the one with this id, or those whose ids begin so. */
export type ContextFilter = string | { readonly prefix: string };

/** A change as it is kept: entries make no snapshots before somebody looks. */
export interface ChangeRecord {
  readonly revision: number;
  readonly kind: ChangeKind;
  readonly contextId: string | null;
  readonly agentId: string | null;
  readonly note: string | null;
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
}

/** Who acts and why, where the entries do not tell. */
export interface Act {
  readonly agentId: string | null;
  readonly note: string | null;
  /** What the holder of a lock that goes with it is told. */
  readonly reason?: string;
}

/** A change for one reader: what it does to the object is seen by nobody else. Whoever hands it to several, freezes it. */
export function changeOf<Data extends object>(record: ChangeRecord): Change<Data> {
  const { revision, kind, contextId, agentId, note, before, after } = record;
  return {
    revision,
    kind,
    contextId,
    agentId,
    note,
    context: after && wrap<Data>(after),
    previous: before && wrap<Data>(before),
  };
}

/** What a context is when watching begins. */
export function currentOf(entry: Entry): ChangeRecord {
  const { revision, contextId, updatedBy, note } = entry;
  return { revision, kind: "current", contextId, agentId: updatedBy, note, before: undefined, after: entry };
}

/** The one change that a commit makes to a context where it writes its data and nothing else: by far the most frequent. */
export function writeBetween(
  before: Entry | undefined,
  after: Entry | undefined,
  revision: number,
): ChangeRecord | undefined {
  if (before === undefined || after === undefined) return undefined;
  if (after.lock !== before.lock || after.incarnation !== before.incarnation) return undefined;
  const { contextId, updatedBy: agentId, note } = after;
  return { revision, kind: "updated", contextId, agentId, note, before, after };
}

/** The changes that one commit makes to one context, in the order in which they make sense; none for a renewal. */
export function changesBetween(
  contextId: string,
  before: Entry | undefined,
  after: Entry | undefined,
  revision: number,
  act: Act | undefined,
): ChangeRecord[] {
  const write = writeBetween(before, after, revision);
  if (write !== undefined) return [write];
  const changes: ChangeRecord[] = [];
  const about = { revision, contextId };
  const add = (kind: ChangeKind, { agentId, note }: Act): void => {
    changes.push({ ...about, kind, agentId, note, before, after });
  };
  if (after === undefined) {
    add("deleted", act ?? NOBODY);
    return changes;
  }
  const written: Act = { agentId: after.updatedBy, note: after.note };
  if (before === undefined || isAnother(before, after)) {
    if (before !== undefined)
      changes.push({ ...about, kind: "deleted", ...(act ?? written), before, after: undefined });
    changes.push({ ...about, kind: "created", ...written, before: undefined, after });
    return changes;
  }
  const isWrite = before.version !== after.version;
  if (before.lock !== null && before.lock.token !== after.lock?.token) {
    const isTakenAway = isWrite || after.lock !== null;
    const owner = after.lock?.owner ?? (isWrite ? after.updatedBy : before.lock.owner);
    add(isTakenAway ? "expired" : "unlocked", act ?? { agentId: owner, note: null });
  }
  if (isWrite) add("updated", written);
  if (after.lock !== null && after.lock.token !== before.lock?.token) {
    add("locked", { agentId: after.lock.owner, note: null });
  }
  return changes;
}

const NOBODY: Act = { agentId: null, note: null };
