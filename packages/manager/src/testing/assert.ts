/** What the cases state, without a test runner: each throws with what was expected and what was received. */

import { type ErrorCode, isContextError } from "../errors.ts";

const LONGEST = 600;

/** A value as text: equal texts, equal values. Keys are sorted, and one whose value is `undefined` is left out. */
export function show(value: unknown): string {
  if (value === undefined) return "undefined";
  if (typeof value === "number") return String(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Map) return `Map${show([...value])}`;
  if (value instanceof Set) return `Set${show([...value])}`;
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  const pairs = Object.entries(value).filter(([, inner]) => inner !== undefined);
  pairs.sort(([one], [other]) => (one < other ? -1 : 1));
  return `{ ${pairs.map(([key, inner]) => `${JSON.stringify(key)}: ${show(inner)}`).join(", ")} }`;
}

/** @param what - the claim, as part of a sentence: "the entry after the commit". */
export function equal(actual: unknown, expected: unknown, what: string): void {
  const received = show(actual);
  const wanted = show(expected);
  if (received !== wanted) throw new Error(`${what}\n${difference(wanted, received)}`);
}

export function holds(condition: boolean, what: string, received?: unknown): void {
  if (!condition)
    throw new Error(received === undefined ? what : `${what}\n  received: ${shortened(show(received), 0)}`);
}

/** That a promise rejects with this code. */
export async function refused(code: ErrorCode, promise: Promise<unknown>, what: string): Promise<void> {
  let result: unknown;
  try {
    result = await promise;
  } catch (error) {
    if (isContextError(error, code)) return;
    throw new Error(`${what}\n  expected: ${code}\n  received: ${String(error)}`, { cause: error });
  }
  throw new Error(`${what}\n  expected: ${code}\n  received: ${shortened(show(result), 0)}`);
}

/** What a promise rejects with, as a code; or what `brief` makes of its value. */
export async function outcomeOf<Value>(promise: Promise<Value>, brief: (value: Value) => string): Promise<string> {
  try {
    return brief(await promise);
  } catch (error) {
    if (isContextError(error)) return error.code;
    throw error;
  }
}

function difference(expected: string, received: string): string {
  let same = 0;
  while (same < expected.length && expected[same] === received[same]) same++;
  const from = Math.max(0, same - LONGEST / 2);
  return `  expected: ${shortened(expected, from)}\n  received: ${shortened(received, from)}`;
}

function shortened(text: string, from: number): string {
  const part = text.slice(from, from + LONGEST);
  return `${from > 0 ? "…" : ""}${part}${from + LONGEST < text.length ? "…" : ""}`;
}
