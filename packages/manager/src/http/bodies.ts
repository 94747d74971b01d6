/** What a server says of contexts and changes, as entries and records. What comes is never trusted. */

import type { ChangeKind, ChangeRecord } from "../changes.ts";
import { copyDeep, isPlainObject } from "../data.ts";
import { describe } from "../describe.ts";
import type { Entry, Lock } from "../entry.ts";
import { ContextError } from "../errors.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** @throws ContextError CORRUPT. */
export function fieldsOf(value: unknown, what: string): Fields {
  if (isPlainObject(value)) return value;
  throw corrupt(what, `it is ${describe(value)}`);
}

/** @throws ContextError CORRUPT. */
export function entryFromBody(body: unknown): Entry {
  const fields = fieldsOf(body, "a context");
  const data = isPlainObject(fields["data"]) ? copyDeep(fields["data"]) : undefined;
  if (data === undefined) throw corrupt("a context", "its data is no object");
  return {
    contextId: textOf(fields, "context_id"),
    version: textOf(fields, "version"),
    data,
    exposed: false,
    lock: lockFrom(fields),
    createdAtMs: timeOf(fields, "created_at"),
    updatedAtMs: timeOf(fields, "updated_at"),
    updatedBy: optionalText(fields, "updated_by"),
    note: optionalText(fields, "note"),
    revision: numberOf(fields, "revision"),
    incarnation: numberOf(fields, "incarnation"),
    chains: undefined,
  };
}

/** Lease time over HTTP is wall time: the server decides what has lapsed, and this is only to know when to ask. */
function lockFrom(fields: Fields): Lock | null {
  const owner = optionalText(fields, "locked_by");
  if (owner === null) return null;
  const expiresAtMs = fields["lock_expires_at"] === undefined ? null : timeOf(fields, "lock_expires_at");
  // A server that does not tell when the lock was granted has told when the data was written, or later.
  const sinceMs = timeOf(fields, fields["locked_at"] === undefined ? "updated_at" : "locked_at");
  return { owner, token: numberOf(fields, "lock_token"), sinceMs, expiresAtMs, deadlineMs: expiresAtMs };
}

/** @throws ContextError CORRUPT. */
export function changeFromBody(body: unknown): ChangeRecord {
  const fields = fieldsOf(body, "a change");
  return {
    revision: numberOf(fields, "revision"),
    kind: textOf(fields, "kind") as ChangeKind,
    contextId: optionalText(fields, "context_id"),
    agentId: optionalText(fields, "agent_id"),
    note: optionalText(fields, "note"),
    before: undefined,
    after: (fields["context"] ?? null) === null ? undefined : entryFromBody(fields["context"]),
  };
}

/** The incarnations of the contexts that a transaction has left, as far as the answer tells: it is committed, whatever that says. */
export function incarnationsIn(answer: string): ReadonlyMap<string, number> {
  const incarnations = new Map<string, number>();
  for (const result of resultsIn(answer)) {
    if (!isPlainObject(result)) continue;
    const { context_id: contextId, incarnation } = result;
    if (typeof contextId === "string" && Number.isSafeInteger(incarnation)) {
      incarnations.set(contextId, incarnation as number);
    }
  }
  return incarnations;
}

function resultsIn(answer: string): readonly unknown[] {
  try {
    return listOf(fieldsOf(JSON.parse(answer), "an answer"), "results");
  } catch {
    return [];
  }
}

export function listOf(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  if (Array.isArray(value)) return value;
  throw corrupt("an answer", `its ${name} is no list`);
}

export function numberOf(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw corrupt("an answer", `its ${name} is no whole number`);
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === "string") return value;
  throw corrupt("an answer", `its ${name} is no string`);
}

function optionalText(fields: Fields, name: string): string | null {
  const value = fields[name] ?? null;
  return value === null ? null : textOf(fields, name);
}

function timeOf(fields: Fields, name: string): number {
  const timeMs = Date.parse(textOf(fields, name));
  if (!Number.isNaN(timeMs)) return timeMs;
  throw corrupt("an answer", `its ${name} is no time`);
}

function corrupt(what: string, reason: string): ContextError {
  return new ContextError("CORRUPT", { where: `${what} from the server`, reason });
}
