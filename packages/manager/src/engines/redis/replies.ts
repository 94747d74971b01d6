/** What the server answers, in the words of this package. */

import type { Time } from "../../entry.ts";
import { ContextError } from "../../errors.ts";
import { corrupt } from "./entries.ts";

/** What the server has refused; what it said is the cause. */
export function translated(error: unknown): unknown {
  if (error instanceof ContextError) return error;
  const reason = error instanceof Error ? error.message : "it did not answer";
  const failure = reason.startsWith("CORRUPT ")
    ? corrupt("the store", reason.slice("CORRUPT ".length))
    : new ContextError("UNAVAILABLE", { reason: `Redis: ${reason}` });
  failure.cause = error;
  return failure;
}

/** A command of ours that came a second time, after it had been given up. */
export function isFenced(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("FENCED ");
}

/** The server's wall clock is the only one that all of its clients share. */
export function timeFrom([seconds, microseconds]: readonly string[]): Time {
  const ms = Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  return { wallMs: Math.floor(ms), leaseMs: ms };
}

/** Members with their scores: in turn, or in pairs, depending on the protocol. */
export function pairsOf(reply: readonly unknown[]): (readonly [id: string, sequence: number])[] {
  const flat = reply.flat();
  return Array.from({ length: flat.length / 2 }, (_, index) => [
    flat[2 * index] as string,
    Number(flat[2 * index + 1]),
  ]);
}
