/** How engines keep entries as text. What comes back is never trusted. */

import { copyDeep, isPlainObject } from "./data.ts";
import type { Entry, Lock } from "./entry.ts";
import type { EngineChange, LoggedChange } from "./engine.ts";
import { ContextError } from "./errors.ts";

/** An entry as JSON, without its id: that is its key. What is null is left out: that was a sixth of a small entry. */
export function encodeEntry(entry: Entry): string {
  const { version, data, lock, createdAtMs, updatedAtMs, updatedBy, note, revision, incarnation, chains } = entry;
  return JSON.stringify({
    version,
    data,
    lock: lock ?? undefined,
    createdAtMs,
    updatedAtMs,
    updatedBy: updatedBy ?? undefined,
    note: note ?? undefined,
    revision,
    incarnation,
    chains: chains && [...chains],
  });
}

/** @throws ContextError CORRUPT. */
export function decodeEntry(contextId: string, text: string): Entry {
  return entryFrom(contextId, parseStored(contextId, text));
}

/** An entry from its fields, whatever they are. @throws ContextError CORRUPT. */
export function entryFrom(contextId: string, stored: unknown): Entry {
  if (!isPlainObject(stored)) throw corrupt(contextId, "it is no object");
  const { version, data, lock, createdAtMs, updatedAtMs, updatedBy, note, revision, incarnation, chains } = stored;
  const copied = isPlainObject(data) ? copyDeep(data) : undefined;
  if (copied === undefined) throw corrupt(contextId, "its data is no plain object of JSON values");
  if (typeof version !== "string" || !/^[1-9]\d{0,15}$/.test(version)) {
    throw corrupt(contextId, "its version is no decimal string from 1 up");
  }
  if (lock != null && !isLock(lock)) throw corrupt(contextId, "its lock is none");
  return {
    contextId,
    version,
    data: copied,
    exposed: false,
    lock: lock ?? null,
    createdAtMs: asNumber(contextId, "createdAtMs", createdAtMs),
    updatedAtMs: asNumber(contextId, "updatedAtMs", updatedAtMs),
    updatedBy: asText(contextId, "updatedBy", updatedBy),
    note: asText(contextId, "note", note),
    revision: asNumber(contextId, "revision", revision),
    incarnation: asNumber(contextId, "incarnation", incarnation),
    chains: Array.isArray(chains) ? new Map(chains as [string, never][]) : undefined,
  };
}

function asNumber(contextId: string, name: string, value: unknown): number {
  if (typeof value !== "number") throw corrupt(contextId, `its ${name} is no number`);
  return value;
}

function asText(contextId: string, name: string, value: unknown): string | null {
  if (value != null && typeof value !== "string") throw corrupt(contextId, `its ${name} is no string`);
  return value ?? null;
}

function isLock(lock: unknown): lock is Lock {
  if (!isPlainObject(lock)) return false;
  const { owner, token, sinceMs, expiresAtMs, deadlineMs } = lock;
  const isTime = (value: unknown): boolean => value === null || typeof value === "number";
  return (
    typeof owner === "string" && [token, sinceMs].every(Number.isFinite) && [expiresAtMs, deadlineMs].every(isTime)
  );
}

/** @throws ContextError CORRUPT. */
export function parseStored(contextId: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw corrupt(contextId, "it is no JSON");
  }
}

function corrupt(contextId: string, reason: string): ContextError {
  return new ContextError("CORRUPT", { where: `what is stored of context ${JSON.stringify(contextId)}`, reason });
}

/** The changes of one transaction, as an engine has logged them: a list of `LoggedChange` as JSON. */
export function decodeChanges(revision: number, opId: string, text: string): EngineChange[] {
  try {
    const logged = JSON.parse(text) as readonly (LoggedChange & { readonly entry?: unknown })[];
    return logged.map(({ kind, contextId, agentId, note, entry }) => ({
      revision,
      opId,
      kind,
      contextId,
      agentId,
      note,
      entry: entry == null || contextId === null ? null : entryFrom(contextId, entry),
    }));
  } catch (error) {
    if (error instanceof ContextError) throw error;
    throw new ContextError("CORRUPT", { where: `revision ${revision} of the change log`, reason: "it is no JSON" });
  }
}
