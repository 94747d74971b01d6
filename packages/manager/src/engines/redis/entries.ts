/** How a batch becomes arguments of the script, and what the server holds becomes entries again. */

import type { Entry } from "../../entry.ts";
import { ContextError } from "../../errors.ts";
import type { Step } from "../batch.ts";
import { decodeLines, decodeStored, type LoggedTransaction } from "../lines.ts";

/** An entry as it is stored: `revision sequence first next`, and a line further on the rest; a version only the revision. */
export interface StoredText {
  readonly revision: number;
  /** Its place in the order of creation. */
  readonly sequence: number;
  /** The number of the first version that is kept, and the one that the next will have. */
  readonly first: number;
  readonly next: number;
  readonly body: string;
}

export function parseStored(contextId: string, text: string): StoredText {
  const end = text.indexOf("\n");
  const [revision = 0, sequence = 0, first = 1, next = 1] = text.slice(0, end).split(" ").map(Number);
  if (end <= 0 || !(revision > 0)) {
    throw corrupt(`what is stored of context ${JSON.stringify(contextId)}`, "its revision is missing");
  }
  return { revision, sequence, first, next, body: text.slice(end + 1) };
}

/** Of what is stored as `text`. */
export function entryOf(contextId: string, text: string): Entry {
  const { revision, body } = parseStored(contextId, text);
  return decodeStored(contextId, body, revision);
}

/** The fields of the versions that are kept of a context, the oldest first. */
export function fieldsOf({ sequence, first, next }: StoredText, limit: number): string[] {
  const from = Math.max(first, next - limit);
  return Array.from({ length: Math.max(0, next - from) }, (_, index) => `${sequence}:${from + index}`);
}

/** What the script makes of what is there. */
const ACTS = { check: 0, replace: 1, forget: 2, keep: 3 } as const;
/** The script reads `-1` as any revision. */
const ANY = -1;

/** The part of the script's plan that is about contexts: all of their numbers in one argument. */
export function numbersOf(steps: readonly Step[]): number[] {
  const numbers: number[] = [];
  for (const step of steps) {
    const { expect = ANY, last, between } = step;
    numbers.push(expect, actOf(step), last === undefined ? 0 : last.line + 1, last?.rank ?? 0, between.length);
  }
  for (const { between } of steps) for (const { line, rank } of between) numbers.push(line + 1, rank);
  return numbers;
}

function actOf({ forgets, keepsStored, last }: Step): number {
  if (forgets) return ACTS.forget;
  if (keepsStored) return ACTS.keep;
  return last === undefined ? ACTS.check : ACTS.replace;
}

/**
 * One item of the stream: its id, which is the last of its revisions; and in turn names and values, which are the word `first`
 * or nothing, the first of its revisions, and the lines, or all lines as one text.
 */
export type LogItem = readonly [id: string, fields: readonly string[]];

export function lastOf([id]: LogItem): number {
  return Number(id.slice(0, id.indexOf("-")));
}

export function firstOf([id, fields]: LogItem): number {
  const revision = Number(fields[placeOfFirst(fields)]);
  if (!(revision > 0)) throw corrupt(`the change log at ${id}`, "it is no item of ours");
  return revision;
}

export function decodeItem(item: LogItem): LoggedTransaction[] {
  const lines = item[1].slice(placeOfFirst(item[1]) + 1);
  return decodeLines(firstOf(item), lines[0] === "" ? (lines[1] ?? "").split("\n") : lines);
}

function placeOfFirst([word]: readonly string[]): number {
  return word === "first" ? 1 : 0;
}

export function corrupt(where: string, reason: string): ContextError<"CORRUPT"> {
  return new ContextError("CORRUPT", { where, reason });
}
