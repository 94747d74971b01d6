/**
 * The rules, pure (law 2): each takes the entry it finds, a command and the time, and gives the entry it
 * leaves, or a `Rejection`. `undefined` is a context that is not there. A rule that gives back the very
 * entry it found asks for no write. Nothing here reads a clock, keeps state or throws a refusal.
 *
 * Arguments have been checked before (`arguments.ts`); refusals come in the order of law 11.
 */

import { type Copy, explain, finish } from "./data.ts";
import type { ErrorCode, ErrorDetails } from "./errors.ts";

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
  readonly revision: number;
  readonly incarnation: number;
}

export interface Lock {
  readonly owner: string;
  /** The revision that granted the lock. */
  readonly token: number;
}

/** Stands for the revision that a commit will get; `stamp` puts it in. No committed revision is 0. */
export const PENDING = 0;

export interface CreateCommand {
  readonly contextId: string;
  readonly data: object;
}

export interface UpdateCommand {
  readonly contextId: string;
  readonly data: object;
  readonly expected: Expected;
}

export interface LockCommand {
  readonly contextId: string;
  readonly agentId: string;
}

export interface DeleteCommand {
  readonly contextId: string;
  readonly expected: Expected | undefined;
}

/** What the caller believes the context to be at. Without an incarnation the version alone counts. */
export interface Expected {
  readonly version: string;
  readonly incarnation: number | undefined;
}

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

export function create(
  entry: Entry | undefined,
  command: CreateCommand,
  wallMs: number,
  copy: Copy,
): Entry | Rejection {
  if (entry !== undefined) return new Rejection("EXISTS", { contextId: command.contextId });
  const data = copy(command.data);
  if (data === undefined) return invalidData("initialData", command.data);
  return {
    contextId: command.contextId,
    version: "1",
    data,
    exposed: false,
    lock: null,
    createdAtMs: wallMs,
    updatedAtMs: wallMs,
    revision: PENDING,
    incarnation: PENDING,
  };
}

/** Section 6.20: a lock refuses every update, its owner's too. */
export function update(
  entry: Entry | undefined,
  command: UpdateCommand,
  wallMs: number,
  copy: Copy,
): Entry | Rejection {
  if (entry === undefined) return notFound(command.contextId);
  if (entry.lock !== null) return locked(entry, entry.lock);
  if (!matches(entry, command.expected)) return conflict(entry, command.expected);
  const data = copy(command.data);
  if (data === undefined) return invalidData("data", command.data);
  return {
    contextId: entry.contextId,
    version: String(Number(entry.version) + 1),
    data,
    exposed: false,
    lock: null,
    createdAtMs: entry.createdAtMs,
    updatedAtMs: wallMs,
    revision: PENDING,
    incarnation: entry.incarnation,
  };
}

export function lock(entry: Entry | undefined, command: LockCommand): Entry | Rejection {
  if (entry === undefined) return notFound(command.contextId);
  if (entry.lock === null) return withLock(entry, { owner: command.agentId, token: PENDING });
  return entry.lock.owner === command.agentId ? entry : locked(entry, entry.lock);
}

export function unlock(entry: Entry | undefined, command: LockCommand): Entry | Rejection {
  if (entry === undefined) return notFound(command.contextId);
  if (entry.lock === null) return entry;
  return entry.lock.owner === command.agentId ? withLock(entry, null) : locked(entry, entry.lock);
}

/** Section 6.20: deletion ignores locks. */
export function remove(entry: Entry | undefined, command: DeleteCommand): undefined | Rejection {
  if (entry === undefined || command.expected === undefined || matches(entry, command.expected)) return undefined;
  return conflict(entry, command.expected);
}

/** Puts the revision of a commit into an entry that a rule has just made and nobody has seen. */
export function stamp(entry: Entry, revision: number): void {
  const draft = entry as { -readonly [Key in keyof Entry]: Entry[Key] };
  draft.revision = revision;
  if (draft.incarnation === PENDING) draft.incarnation = revision;
  if (draft.lock !== null && draft.lock.token === PENDING) (draft.lock as { token: number }).token = revision;
}

/** The data of an entry, finished before its first reader sees it. */
export function expose(entry: Entry): object {
  if (!entry.exposed) {
    finish(entry.data);
    entry.exposed = true;
  }
  return entry.data;
}

function matches(entry: Entry, expected: Expected): boolean {
  return (
    entry.version === expected.version &&
    (expected.incarnation === undefined || expected.incarnation === entry.incarnation)
  );
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
    revision: PENDING,
    incarnation: entry.incarnation,
  };
}

function notFound(contextId: string): Rejection {
  return new Rejection("NOT_FOUND", { contextId });
}

function locked(entry: Entry, { owner }: Lock): Rejection {
  return new Rejection("LOCKED", { contextId: entry.contextId, owner });
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
