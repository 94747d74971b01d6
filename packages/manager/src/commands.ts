/** What the methods of managers, agents, leases and transactions make of their arguments: commands for the rules. */

import {
  checkData,
  checkId,
  checkSnapshot,
  checkVersion,
  type ExpectedVersion,
  readBase,
  readExpected,
  readNote,
  type WriteOptions,
} from "./arguments.ts";
import type { AnySharedContext } from "./context.ts";
import type { Copy } from "./data.ts";
import type { Author } from "./entry.ts";
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

export function updateCommand(
  author: Author,
  contextId: string,
  data: object,
  expected: ExpectedVersion,
  options: WriteOptions | undefined,
): UpdateCommand {
  checkId("contextId", contextId);
  checkData("data", data);
  const note = readNote(options);
  return { contextId, data, expected: readExpected(contextId, expected), author, note };
}

export function patchCommand(
  author: Author,
  contextId: string,
  patch: unknown,
  expected: ExpectedVersion | undefined,
  options: WriteOptions | undefined,
  copy: Copy,
): EditCommand {
  checkId("contextId", contextId);
  const edit = readPatch(patch, copy);
  const read = expected === undefined ? undefined : readExpected(contextId, expected);
  return { contextId, edit, expected: read, read: readBase(expected), author, note: readNote(options) };
}

export function mergeCommand(
  author: Author,
  base: AnySharedContext,
  data: object,
  options: WriteOptions | undefined,
): EditCommand {
  checkSnapshot("base", base);
  checkData("data", data);
  const { contextId } = base;
  const edit = { kind: "data", data } as const;
  const expected = readExpected(contextId, base);
  return { contextId, edit, expected, read: readBase(base), author, note: readNote(options) };
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
): RemoveCommand {
  checkId("contextId", contextId);
  const read = expected === undefined ? undefined : readExpected(contextId, expected);
  return { contextId, expected: read, author, note: readNote(options) };
}
