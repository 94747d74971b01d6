/**
 * The rules, pure (law 2): each takes the entry it finds, a command and the time, and gives the entry it
 * leaves, or a `Rejection`. `undefined` is a context that is not there. A rule that gives back the very
 * entry it found asks for no write. Nothing here reads a clock, keeps state or throws a refusal.
 *
 * Arguments have been checked before (`arguments.ts`); refusals come in the order of law 11.
 */

import { type Copy, explain } from "./data.ts";
import { type Author, type Entry, type Expected, hasLapsed, holding, type Lock, PENDING, type Time } from "./entry.ts";
import type { ErrorCode, ErrorDetails } from "./errors.ts";

export interface CreateCommand {
  readonly contextId: string;
  readonly data: object;
  readonly author: Author;
  readonly note: string | null;
}

export interface UpdateCommand extends CreateCommand {
  readonly expected: Expected;
}

export interface RestoreCommand {
  readonly contextId: string;
  readonly version: string;
  readonly author: Author;
  readonly note: string | null;
}

export interface RemoveCommand {
  readonly contextId: string;
  readonly expected: Expected | undefined;
  /** `undefined` deletes whoever holds the lock, as section 6.20 does. */
  readonly author: Author | undefined;
}

export interface LockCommand {
  readonly contextId: string;
  readonly agentId: string;
  /** `undefined` never expires, and leaves the expiry of a lock that the agent holds already. */
  readonly ttlMs: number | undefined;
}

export interface UnlockCommand {
  readonly contextId: string;
  readonly agentId: string;
}

export interface LeaseCommand {
  readonly contextId: string;
  readonly token: number;
}

export interface RenewCommand extends LeaseCommand {
  readonly ttlMs: number;
}

const LAST_DATE_MS = 8.64e15;

/** A refusal as a value. Its details are those of the error it becomes, with an entry for the snapshot. */
export class Rejection<Code extends ErrorCode = ErrorCode> {
  readonly code: Code;
  readonly details: RejectionDetails[Code];

  constructor(code: Code, details: RejectionDetails[Code]) {
    this.code = code;
    this.details = details;
  }
}

export type RejectionDetails = {
  readonly [Code in ErrorCode]: Code extends "CONFLICT"
    ? Omit<ErrorDetails["CONFLICT"], "current"> & { readonly current: Entry }
    : ErrorDetails[Code];
};

/** What a rule leaves: an entry, the absence of one, or a refusal. */
export type Outcome = Entry | undefined | Rejection;

export function create(found: Entry | undefined, command: CreateCommand, time: Time, copy: Copy): Entry | Rejection {
  if (found !== undefined) return new Rejection("EXISTS", { contextId: command.contextId });
  const data = copy(command.data);
  if (data === undefined) return invalidData("initialData", command.data);
  return {
    contextId: command.contextId,
    version: "1",
    data,
    exposed: false,
    lock: null,
    createdAtMs: time.wallMs,
    updatedAtMs: time.wallMs,
    updatedBy: command.author.agentId,
    note: command.note,
    revision: PENDING,
    incarnation: PENDING,
  };
}

export function update(found: Entry | undefined, command: UpdateCommand, time: Time, copy: Copy): Entry | Rejection {
  if (found === undefined) return notFound(command.contextId);
  const refused =
    found.lock === null && command.author.token === null ? undefined : barred(found, command.author, time);
  if (refused !== undefined) return refused;
  if (!matches(found, command.expected)) return conflict(found, command.expected);
  const data = copy(command.data, found.data);
  if (data === undefined) return invalidData("data", command.data);
  return written(found, data, false, command, time);
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
  if (command.version === found.version) return found;
  if (kept === undefined) {
    return new Rejection("NOT_FOUND", { contextId: command.contextId, version: command.version });
  }
  return written(found, kept.data, kept.exposed, command, time);
}

/** The next version of a context. A write through another's lapsed lock takes that lock away. */
function written(
  found: Entry,
  data: object,
  exposed: boolean,
  command: { readonly author: Author; readonly note: string | null },
  time: Time,
): Entry {
  return {
    contextId: found.contextId,
    version: String(Number(found.version) + 1),
    data,
    exposed,
    lock: found.lock !== null && found.lock.owner === command.author.agentId ? found.lock : null,
    createdAtMs: found.createdAtMs,
    updatedAtMs: time.wallMs,
    updatedBy: command.author.agentId,
    note: command.note,
    revision: PENDING,
    incarnation: found.incarnation,
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
  if (found.lock === null || found.lock.token !== command.token) return leaseLost(found, command.token);
  return withLock(found, extended(found.lock, command.ttlMs, time));
}

export function release(found: Entry | undefined, command: LeaseCommand): Entry | Rejection {
  if (found === undefined) return notFound(command.contextId);
  if (found.lock === null || found.lock.token !== command.token) return leaseLost(found, command.token);
  return withLock(found, null);
}

/** Takes the lock away from whoever holds it. */
export function breakLock(found: Entry | undefined, command: { readonly contextId: string }): Entry | Rejection {
  if (found === undefined) return notFound(command.contextId);
  return found.lock === null ? found : withLock(found, null);
}

/** LEASE_LOST before LOCKED (law 11). A lapsed lock bars nobody: the write takes it away. */
function barred(entry: Entry, { agentId, token }: Author, time: Time): Rejection | undefined {
  const { lock } = entry;
  if (token !== null) return lock !== null && lock.token === token ? undefined : leaseLost(entry, token);
  if (lock === null || lock.owner === agentId || hasLapsed(lock, time.leaseMs)) return undefined;
  return locked(entry, lock);
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

/** `undefined` and `Infinity` are for ever, and so is whatever ends after the last `Date`. */
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
    reason: "the lock has been released or taken over",
  });
}

function conflict(entry: Entry, expected: Expected): Rejection {
  return new Rejection("CONFLICT", {
    contextId: entry.contextId,
    expected: expected.version,
    version: entry.version,
    current: entry,
    recreated: expected.incarnation !== undefined && expected.incarnation !== entry.incarnation,
  });
}

function invalidData(argument: string, data: object): Rejection {
  return new Rejection("INVALID", { argument, ...explain(data) });
}
