/** How transactions become arguments of the script, and what the server holds becomes entries again. */

import { decodeEntry, encodeEntry } from "../../codec.ts";
import type { EngineChange, LoggedChange, Transaction, Write } from "../../engine.ts";
import type { Entry, Lock } from "../../entry.ts";
import { ContextError } from "../../errors.ts";

/** The numbers that a commit gives to an entry stand before its text; the ones in the text count for nothing. */
export function numbersOf({ revision, incarnation, lock }: Entry): string {
  return `${revision} ${incarnation} ${lock?.token ?? 0}`;
}

/** An entry that was stored as `text`: `revision incarnation token sequence` and a line further on the rest. */
export interface StoredText {
  readonly numbers: string;
  readonly sequence: number;
  readonly body: string;
}

const HEADER = /^(\d+ \d+ \d+) (\d+)\n/;

export function parseStored(contextId: string, text: string): StoredText {
  const [header, numbers, sequence] = HEADER.exec(text) ?? [];
  if (header === undefined || numbers === undefined) {
    throw corrupt(`what is stored of context ${JSON.stringify(contextId)}`, "its revision is missing");
  }
  return { numbers, sequence: Number(sequence), body: text.slice(header.length) };
}

export function entryOf(contextId: string, numbers: string, body: string): Entry {
  const entry = decodeEntry(contextId, body);
  const [revision = 0, incarnation = 0, token = 0] = numbers.split(" ").map(Number);
  const draft = entry as { -readonly [Key in keyof Entry]: Entry[Key] };
  draft.revision = revision;
  draft.incarnation = incarnation;
  if (entry.lock !== null) (draft.lock as { -readonly [Key in keyof Lock]: Lock[Key] }).token = token;
  return entry;
}

/**
 * A transaction as the script takes it. Each entry is encoded once, though the context and the log both get it.
 *
 * @returns the text of each entry.
 */
export function encodeTransaction(
  { opId, writes, changes, clears = false }: Transaction,
  to: string[],
): ReadonlyMap<Entry, string> {
  const entries: Entry[] = [];
  const placeOf = (entry: Entry | null | undefined): string => {
    if (entry === null || entry === undefined) return "0";
    const found = entries.lastIndexOf(entry);
    return String(found === -1 ? entries.push(entry) : found + 1);
  };
  const places = writes.map(({ next }) => placeOf(next));
  const loggedPlaces = changes.map(({ entry }) => placeOf(entry));
  to.push(opId, clears ? "1" : "0", String(entries.length), String(writes.length), String(changes.length));
  const bodies = new Map(entries.map((entry) => [entry, encodeEntry(entry)]));
  for (const [entry, body] of bodies) to.push(numbersOf(entry), body);
  for (const [index, write] of writes.entries()) {
    to.push(write.id, String(write.expect), places[index] as string, modeOf(write));
  }
  for (const [index, { kind, contextId, agentId, note }] of changes.entries()) {
    to.push(JSON.stringify({ kind, contextId, agentId, note }), loggedPlaces[index] as string);
  }
  return bodies;
}

function modeOf({ next, keeps }: Write): "check" | "keep" | "forget" | "replace" {
  if (next === undefined) return "check";
  if (keeps === null) return "forget";
  return keeps ? "keep" : "replace";
}

/** One item of the stream: its id, and names and values in turn. */
export type LogItem = readonly [id: string, fields: readonly string[]];

export function revisionOf([id]: LogItem): number {
  return Number(id.slice(0, id.indexOf("-")));
}

/** The changes of a transaction: three lines for each, since no JSON of ours has a line break in it. */
export function decodeItem(item: LogItem): { readonly opId: string; readonly changes: readonly EngineChange[] } {
  const revision = revisionOf(item);
  const [, opId, , text] = item[1];
  if (opId === undefined || text === undefined) throw corruptItem(revision);
  const lines = text === "" ? [] : text.split("\n");
  const changes: EngineChange[] = [];
  for (let line = 0; line < lines.length; line += 3) {
    const [about = "", numbers = "", body = ""] = lines.slice(line, line + 3);
    const { kind, contextId, agentId, note } = parseAbout(about, revision);
    const entry = body === "" || contextId === null ? null : entryOf(contextId, numbers, body);
    changes.push({ kind, contextId, agentId, note, revision, opId, entry });
  }
  return { opId, changes };
}

function parseAbout(text: string, revision: number): Omit<LoggedChange, "entry"> {
  try {
    return JSON.parse(text) as LoggedChange;
  } catch {
    throw corruptItem(revision);
  }
}

function corruptItem(revision: number): ContextError {
  return corrupt(`revision ${revision} of the change log`, "it is no item of ours");
}

export function corrupt(where: string, reason: string): ContextError<"CORRUPT"> {
  return new ContextError("CORRUPT", { where, reason });
}
