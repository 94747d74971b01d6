/** The words that rules, store and dictionaries share: what a context is when nobody is looking at it. */

import { finish } from "./data.ts";
import type { LockHolding } from "./errors.ts";
import type { Chains } from "./increments.ts";

/** One context as it is stored. */
export interface Entry {
  readonly contextId: string;
  readonly version: string;
  readonly data: object;
  /** Whether `data` has been finished, because somebody outside may hold it. The one field that changes in place. */
  exposed: boolean;
  readonly lock: Lock | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** Who wrote `data`, and what they said about it; `null` for an anonymous write and for no note. */
  readonly updatedBy: string | null;
  readonly note: string | null;
  readonly revision: number;
  readonly incarnation: number;
  /** What is known about numbers that agents have incremented. */
  readonly chains: Chains | undefined;
}

export interface Lock {
  readonly owner: string;
  /** The revision that granted the lock. */
  readonly token: number;
  /** Wall time, for people. */
  readonly sinceMs: number;
  /** Wall time, for people; `null` for a lock that never expires. */
  readonly expiresAtMs: number | null;
  /** Lease time from which the lock may be taken over; `null` for never. */
  readonly deadlineMs: number | null;
}

/** Law 9: wall time for what people read, lease time (monotonic) for expiry. */
export interface Time {
  readonly wallMs: number;
  readonly leaseMs: number;
}

/** What the caller believes the context to be at. Without an incarnation the version alone counts. */
export interface Expected {
  readonly version: string;
  readonly incarnation: number | undefined;
}

/**
 * Who writes, and by what right it passes a lock: a lease by its token, an agent by its name, an anonymous
 * caller (`agentId` null) by nothing.
 */
export interface Author {
  readonly agentId: string | null;
  readonly token: number | null;
}

export const ANONYMOUS: Author = { agentId: null, token: null };

/** Stands for the revision that a commit will get; `stamp` puts it in. No committed revision is 0. */
export const PENDING = 0;

/** Puts the revision of a commit into an entry that a rule has just made and nobody has seen. */
export function stamp(entry: Entry, revision: number): void {
  const draft = entry as { -readonly [Key in keyof Entry]: Entry[Key] };
  draft.revision = revision;
  if (draft.incarnation === PENDING) draft.incarnation = revision;
  if (draft.lock !== null && draft.lock.token === PENDING) (draft.lock as { token: number }).token = revision;
}

/** The last moment whose year has four digits, which is all that dictionaries, and Python, can tell. */
export const LAST_DATE_MS: number = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

export const FIRST_VERSION = "1";

export function versionAfter(version: string): string {
  return String(Number(version) + 1);
}

/** One commit is one version, however often it has written: puts it into an entry that a rule has just made of it. */
export function setVersion(entry: Entry, committed: Entry | undefined): void {
  const isNew = committed === undefined || isAnother(committed, entry);
  if (!isNew && committed.version === entry.version) return;
  (entry as { version: string }).version = isNew ? FIRST_VERSION : versionAfter(committed.version);
}

/** Whether one commit has deleted a context and created it again. */
export function isAnother(before: Entry, after: Entry): boolean {
  return after.incarnation !== before.incarnation;
}

/** Whether a commit changes data, and not only a lock. */
export function changesData(before: Entry | undefined, after: Entry | undefined): boolean {
  if (before === undefined || after === undefined) return before !== after;
  return before.version !== after.version || isAnother(before, after);
}

/** The data of an entry, finished before its first reader sees it. */
export function expose(entry: Entry): object {
  if (!entry.exposed) {
    finish(entry.data);
    entry.exposed = true;
  }
  return entry.data;
}

/** Whether a lock may be taken over. Until somebody does, its owner may still write and renew. */
export function hasLapsed(lock: Lock, leaseMs: number): boolean {
  return lock.deadlineMs !== null && leaseMs >= lock.deadlineMs;
}

/** The agent that a context is held by; `null` when nobody holds it, or when its lock may be taken over. */
export function holderOf(entry: Entry | undefined, leaseMs: number): string | null {
  const lock = entry?.lock ?? null;
  return lock === null || hasLapsed(lock, leaseMs) ? null : lock.owner;
}

/** Who holds a lock, as error details tell it. */
export function holding({ owner, sinceMs, expiresAtMs }: Lock): LockHolding {
  return { owner, since: new Date(sinceMs), expiresAt: expiresAtMs === null ? null : new Date(expiresAtMs) };
}
