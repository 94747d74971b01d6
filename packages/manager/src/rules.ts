/**
 * The rules, pure (law 2): each takes the entry it finds, a command and the time, and gives the entry it
 * leaves, or a `Rejection`. `undefined` is a context that is not there. A rule that gives back the very
 * entry it found asks for no write. Nothing here reads a clock, keeps state or throws a refusal.
 *
 * Arguments have been checked before (`arguments.ts`); refusals come in the order of law 11.
 */

import type { Admission } from "./admission.ts";
import {
  type Author,
  type Entry,
  type Expected,
  expose,
  FIRST_VERSION,
  hasLapsed,
  isAnother,
  holding,
  LAST_DATE_MS,
  type Lock,
  PENDING,
  type Time,
  versionAfter,
} from "./entry.ts";
import { finish } from "./data.ts";
import { unfit } from "./fault.ts";
import { isEqual } from "./equal.ts";
import type { PathConflict } from "./errors.ts";
import { type Chains, chainsOn } from "./increments.ts";
import { type Edited, merged, type Misfit } from "./edited.ts";
import { applyEdit } from "./patch.ts";
import { Rejection } from "./rejection.ts";
import type {
  CreateCommand,
  EditCommand,
  LeaseCommand,
  LockCommand,
  RemoveCommand,
  RenewCommand,
  RestoreCommand,
  UnlockCommand,
  UpdateCommand,
} from "./rule-commands.ts";
import type { Overlap } from "./merge.ts";
import { writerOf } from "./writers.ts";

export type * from "./rule-commands.ts";

/** What a rule leaves: an entry, the absence of one, or a refusal. */
export type Outcome = Entry | undefined | Rejection;

/** How many contexts there are, and may be. */
export interface Room {
  readonly contexts: number;
  readonly maxContexts: number;
}

export function create(
  found: Entry | undefined,
  command: CreateCommand,
  time: Time,
  { admit }: Admission,
  room: Room,
): Entry | Rejection {
  const { contextId } = command;
  if (found !== undefined) return new Rejection("EXISTS", { contextId });
  const data = admit(contextId, "initialData", command);
  if (data instanceof Rejection) return data;
  const { contexts, maxContexts } = room; // only now: what ran while the data was read may have created some
  if (contexts >= maxContexts) return new Rejection("LIMIT", { contextId, contexts, maxContexts });
  return {
    contextId: command.contextId,
    version: FIRST_VERSION,
    data: finish(data),
    exposed: true,
    lock: null,
    createdAtMs: time.wallMs,
    updatedAtMs: time.wallMs,
    updatedBy: command.author.agentId,
    note: command.note,
    revision: PENDING,
    incarnation: PENDING,
    chains: undefined,
  };
}

export function update(
  found: Entry | undefined,
  command: UpdateCommand,
  time: Time,
  { admit }: Admission,
): Entry | Rejection {
  if (found === undefined) return notFound(command.contextId);
  const refused =
    found.lock === null && command.author.token === null ? undefined : barred(found, command.author, time);
  if (refused !== undefined) return refused;
  const { expected } = command;
  if (expected !== undefined && !matches(found, expected)) return conflict(found, expected);
  const data = admit(command.contextId, "data", command, found.data);
  if (data instanceof Rejection) return data;
  return written(found, data, false, chainsOn(data, found.chains), command, time);
}

/**
 * Puts a change together with what others have changed since the caller read. A change that makes no difference
 * leaves the version as it is (law 4).
 *
 * @param kept - the versions before the present one that are kept, the oldest first.
 */
export function edit(
  found: Entry | undefined,
  command: EditCommand,
  time: Time,
  admission: Admission,
  kept: readonly Entry[],
): Entry | Rejection {
  if (found === undefined) return notFound(command.contextId);
  const refused = barred(found, command.author, time);
  if (refused !== undefined) return refused;
  const base = baseOf(found, command, kept);
  if (base === undefined) return conflict(found, command.expected as Expected);
  const edited = editedFrom(base, found, command, admission);
  if (edited instanceof Rejection) return edited;
  if ("misfit" in edited) return misfit(edited.misfit);
  if ("overlaps" in edited) {
    // What the refusal tells may be the data itself: frozen before anybody can touch it.
    expose(base);
    expose(found);
    return conflict(found, base, edited.overlaps, versionsFrom(base, kept, found));
  }
  if (edited.differs !== true && isEqual(edited.data, found.data)) return found;
  const data = admission.admit(command.contextId, "data", edited, found.data);
  if (data instanceof Rejection) return data;
  if (admission.alters && isEqual(data, found.data)) return found; // it may have put back what was taken away
  return written(found, data, false, chainsOn(data, edited.chains), command, time);
}

/** What the caller has read, if that is known: without it, only the version can be compared. */
function baseOf(found: Entry, { expected, read }: EditCommand, kept: readonly Entry[]): Entry | undefined {
  if (expected === undefined || matches(found, expected)) return found;
  if (expected.incarnation !== undefined && expected.incarnation !== found.incarnation) return undefined;
  const base = kept.find((entry) => entry.version === expected.version && !isAnother(entry, found)) ?? read;
  return base !== undefined && isNewer(found, base) ? base : undefined;
}

function versionsFrom(base: Entry, kept: readonly Entry[], found: Entry): Entry[] {
  const isKnown = base === found || kept.some(({ version }) => version === base.version);
  return isKnown ? [...kept, found] : [base, ...kept.filter((entry) => isNewer(entry, base)), found];
}

function isNewer(entry: Entry, other: Entry): boolean {
  return Number(entry.version) > Number(other.version);
}

function editedFrom(base: Entry, found: Entry, command: EditCommand, admission: Admission): Edited | Rejection {
  if (command.edit.kind !== "data") return applyEdit(command.edit, base, found, admission);
  const { data, isOwn } = command.edit;
  const yours = isOwn === true ? data : admission.copy(data, base.data);
  return yours === undefined ? unfit("data", data) : merged(yours, base, found, []);
}

/** Old data as a new version; `kept` is the entry that had it, if the history has. The present version stays. */
export function restore(
  found: Entry | undefined,
  command: RestoreCommand,
  time: Time,
  kept: Entry | undefined,
): Entry | Rejection {
  if (found === undefined) return notFound(command.contextId);
  const refused = barred(found, command.author, time);
  if (refused !== undefined) return refused;
  const { expected } = command;
  if (expected !== undefined && !matches(found, expected)) return conflict(found, expected);
  if (command.version === found.version) return found;
  if (kept === undefined) {
    return new Rejection("NOT_FOUND", { contextId: command.contextId, version: command.version });
  }
  return written(found, kept.data, kept.exposed, chainsOn(kept.data, found.chains), command, time);
}

/** The next version of a context. A write through another's lapsed lock takes that lock away. */
function written(
  found: Entry,
  data: object,
  exposed: boolean,
  chains: Chains | undefined,
  command: { readonly author: Author; readonly note: string | null },
  time: Time,
): Entry {
  return {
    contextId: found.contextId,
    version: versionAfter(found.version),
    data,
    exposed,
    lock: found.lock !== null && found.lock.owner === command.author.agentId ? found.lock : null,
    createdAtMs: found.createdAtMs,
    updatedAtMs: time.wallMs,
    updatedBy: command.author.agentId,
    note: command.note,
    revision: PENDING,
    incarnation: found.incarnation,
    chains,
  };
}

/** An absent context is left absent, so that deleting twice does no harm. */
export function remove(found: Entry | undefined, command: RemoveCommand, time: Time): undefined | Rejection {
  if (found === undefined) return undefined;
  const refused = command.author && barred(found, command.author, time);
  if (refused !== undefined) return refused;
  return command.expected === undefined || matches(found, command.expected)
    ? undefined
    : conflict(found, command.expected);
}

/** Takes the lock, or keeps it: the owner's lock keeps its token, and a new expiry only where one is asked for. */
export function lock(found: Entry | undefined, command: LockCommand, time: Time): Entry | Rejection {
  if (found === undefined) return notFound(command.contextId);
  if (found.lock === null || found.lock.owner !== command.agentId) return grant(found, command, time);
  return command.ttlMs === undefined ? found : withLock(found, extended(found.lock, command.ttlMs, time));
}

/** A new lock with a token of its own, where there is none or where the one there has lapsed. */
export function grant(found: Entry | undefined, command: LockCommand, time: Time): Entry | Rejection {
  if (found === undefined) return notFound(command.contextId);
  if (found.lock !== null && !hasLapsed(found.lock, time.leaseMs)) return locked(found, found.lock);
  return withLock(found, lockUntil(command.agentId, PENDING, time.wallMs, command.ttlMs, time));
}

export function unlock(found: Entry | undefined, command: UnlockCommand): Entry | Rejection {
  if (found === undefined) return notFound(command.contextId);
  if (found.lock === null) return found;
  return found.lock.owner === command.agentId ? withLock(found, null) : locked(found, found.lock);
}

export function renew(found: Entry | undefined, command: RenewCommand, time: Time): Entry | Rejection {
  if (found === undefined) return notFound(command.contextId);
  if (!isHeldBy(found.lock, command)) return leaseLost(found, command.token);
  return withLock(found, extended(found.lock, command.ttlMs, time));
}

export function release(found: Entry | undefined, command: LeaseCommand): Entry | Rejection {
  if (found === undefined) return notFound(command.contextId);
  if (!isHeldBy(found.lock, command)) return leaseLost(found, command.token);
  return withLock(found, null);
}

/** Takes the lock away from whoever holds it. */
export function breakLock(found: Entry | undefined, command: { readonly contextId: string }): Entry | Rejection {
  if (found === undefined) return notFound(command.contextId);
  return found.lock === null ? found : withLock(found, null);
}

/** LEASE_LOST before LOCKED (law 11). A lapsed lock bars nobody: the write takes it away. */
function barred(entry: Entry, author: Author, time: Time): Rejection | undefined {
  const { lock } = entry;
  const { agentId, token } = author;
  if (token !== null) return isHeldBy(lock, author) ? undefined : leaseLost(entry, token);
  if (lock === null || lock.owner === agentId || hasLapsed(lock, time.leaseMs)) return undefined;
  return locked(entry, lock);
}

/** A token is no secret, readers see it: it is worth something to the agent that it was granted to. */
function isHeldBy(lock: Lock | null, { agentId, token }: Author): lock is Lock {
  return lock !== null && lock.token === token && lock.owner === agentId;
}

function matches(entry: Entry, expected: Expected): boolean {
  return (
    entry.version === expected.version &&
    (expected.incarnation === undefined || expected.incarnation === entry.incarnation)
  );
}

function extended({ owner, token, sinceMs }: Lock, ttlMs: number, time: Time): Lock {
  return lockUntil(owner, token, sinceMs, ttlMs, time);
}

/** `undefined` and `Infinity` are for ever, and so is whatever ends after the last date. */
function lockUntil(owner: string, token: number, sinceMs: number, ttlMs: number | undefined, time: Time): Lock {
  return ttlMs === undefined || time.wallMs + ttlMs > LAST_DATE_MS
    ? { owner, token, sinceMs, expiresAtMs: null, deadlineMs: null }
    : { owner, token, sinceMs, expiresAtMs: time.wallMs + ttlMs, deadlineMs: time.leaseMs + ttlMs };
}

/** Every field by name: a spread of the entry takes several times as long. */
function withLock(entry: Entry, lock: Lock | null): Entry {
  return {
    contextId: entry.contextId,
    version: entry.version,
    data: entry.data,
    exposed: entry.exposed,
    lock,
    createdAtMs: entry.createdAtMs,
    updatedAtMs: entry.updatedAtMs,
    updatedBy: entry.updatedBy,
    note: entry.note,
    revision: PENDING,
    incarnation: entry.incarnation,
    chains: entry.chains,
  };
}

function notFound(contextId: string): Rejection {
  return new Rejection("NOT_FOUND", { contextId });
}

function locked(entry: Entry, lock: Lock): Rejection {
  return new Rejection("LOCKED", { contextId: entry.contextId, ...holding(lock) });
}

function leaseLost(entry: Entry, token: number): Rejection {
  return new Rejection("LEASE_LOST", {
    contextId: entry.contextId,
    token,
    owner: entry.lock?.owner ?? null,
    reason: entry.lock?.token === token ? "another agent has it" : "the lock has been released or taken over",
  });
}

function conflict(
  entry: Entry,
  expected: { readonly version: string; readonly incarnation: number | undefined },
  overlaps: readonly Overlap[] = [],
  versions: readonly Entry[] = [],
): Rejection {
  return new Rejection("CONFLICT", {
    contextId: entry.contextId,
    expected: expected.version,
    version: entry.version,
    current: entry,
    recreated:
      overlaps.length === 0 && expected.incarnation !== undefined && expected.incarnation !== entry.incarnation,
    conflicts: overlaps as readonly PathConflict[],
    writers: overlaps.map(({ path }) => writerOf(path, versions)),
  });
}

function misfit({ path, expected, received }: Misfit): Rejection {
  return new Rejection("INVALID", { argument: "patch", path, expected, received });
}
