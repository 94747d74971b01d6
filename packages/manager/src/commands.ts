/** What the methods of managers, agents, leases and transactions make of their arguments: commands for the rules. */

import {
  checkData,
  checkId,
  checkVersion,
  type ExpectedVersion,
  readBase,
  readContextIds,
  readExpected,
  readMs,
  readNote,
  readSignal,
  readSnapshot,
  readTimeout,
  type WriteOptions,
} from "./arguments.ts";
import type { AnySharedContext } from "./context.ts";
import type { Copy } from "./data.ts";
import type { Author, Entry } from "./entry.ts";
import { readPatch } from "./patch-argument.ts";
import type { CreateCommand, EditCommand, RemoveCommand, RestoreCommand, UpdateCommand } from "./rules.ts";

export function createCommand(
  author: Author,
  contextId: string,
  initialData: object,
  options: WriteOptions | undefined,
): CreateCommand {
  checkId("contextId", contextId);
  checkData("initialData", initialData);
  return { contextId, data: initialData, author, note: readNote(options) };
}

/** @param present - what the transaction at hand has made of the context, here and below. */
export function updateCommand(
  author: Author,
  contextId: string,
  data: object,
  expected: ExpectedVersion,
  options: WriteOptions | undefined,
  present?: Entry,
): UpdateCommand {
  checkId("contextId", contextId);
  checkData("data", data);
  const note = readNote(options);
  return { contextId, data, expected: readExpected(contextId, expected, present), author, note };
}

export function patchCommand(
  author: Author,
  contextId: string,
  patch: unknown,
  expected: ExpectedVersion | undefined,
  options: WriteOptions | undefined,
  copy: Copy,
  present?: Entry,
): EditCommand {
  checkId("contextId", contextId);
  const edit = readPatch(patch, copy);
  const read = expected === undefined ? undefined : readExpected(contextId, expected, present);
  return { contextId, edit, expected: read, read: readBase(expected), author, note: readNote(options) };
}

export function mergeCommand(
  author: Author,
  base: AnySharedContext,
  data: object,
  options: WriteOptions | undefined,
): EditCommand {
  const { read, expected } = readSnapshot("base", base);
  checkData("data", data);
  const edit = { kind: "data", data } as const;
  return { contextId: read.contextId, edit, expected, read, author, note: readNote(options) };
}

export function restoreCommand(
  author: Author,
  contextId: string,
  version: string,
  options: WriteOptions | undefined,
): RestoreCommand {
  checkId("contextId", contextId);
  checkVersion(version);
  return { contextId, version, expected: undefined, author, note: readNote(options) };
}

/** @param author - `undefined` deletes whoever holds the lock. */
export function removeCommand(
  author: Author | undefined,
  contextId: string,
  expected: ExpectedVersion | undefined,
  options: WriteOptions | undefined,
  present?: Entry,
): RemoveCommand {
  checkId("contextId", contextId);
  const read = expected === undefined ? undefined : readExpected(contextId, expected, present);
  return { contextId, expected: read, author, note: readNote(options) };
}

/** How to acquire; every wait ends. */
export interface AcquireOptions {
  /** How long the lease lasts without renewal: 30,000 by default. `Infinity` for a lock that never expires. */
  readonly ttlMs?: number;
  /** How long the lease renews itself: 600,000 by default. */
  readonly maxHoldMs?: number;
  /** How long to wait in the queue: 30,000 by default; 0 takes what is free or fails at once. */
  readonly timeoutMs?: number;
  /** Gives up waiting; the promise rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** What an agent waits for, and how it holds it then. */
export interface AcquireCommand {
  readonly agentId: string;
  readonly contextIds: readonly string[];
  readonly ttlMs: number;
  readonly maxHoldMs: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

const DEFAULT_TTL_MS = 30_000;
const DEFAULT_MAX_HOLD_MS = 600_000;

export function acquireCommand(
  agentId: string,
  contextIds: string | readonly string[],
  options: AcquireOptions | undefined,
): AcquireCommand {
  return {
    agentId,
    contextIds: readContextIds(contextIds),
    ttlMs: readMs(options, "ttlMs", 1) ?? DEFAULT_TTL_MS,
    maxHoldMs: readMs(options, "maxHoldMs", 0) ?? DEFAULT_MAX_HOLD_MS,
    timeoutMs: readTimeout(options),
    signal: readSignal(options),
  };
}
