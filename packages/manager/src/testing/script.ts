/** Calls in a row, and what they come to: to be compared between managers. */

import type { AsyncSharedContextManager } from "../async/manager.ts";
import { isContextError } from "../errors.ts";

type Call = () => unknown;
export type Script = (manager: AsyncSharedContextManager) => Iterable<Call> | AsyncIterable<Call>;

/** What each call comes to; it is made when the one before has come to something. */
export async function outcomesOf(manager: AsyncSharedContextManager, script: Script): Promise<unknown[]> {
  const outcomes: unknown[] = [];
  for await (const call of script(manager)) outcomes.push(await outcomeOf(call));
  return outcomes;
}

/** One after the other, for functions that may not be asynchronous where the manager is not; what the last gives. */
export function inTurn(steps: readonly Call[]): unknown {
  const [step, ...others] = steps;
  const result = step?.();
  if (others.length === 0) return result;
  return result instanceof Promise ? result.then(() => inTurn(others)) : inTurn(others);
}

/** Its value, or code and details of the refusal. */
async function outcomeOf(call: Call): Promise<unknown> {
  try {
    return plain(await call());
  } catch (error) {
    if (!isContextError(error)) throw error;
    return { code: error.code, details: plain(error.details) };
  }
}

/**
 * Numbers that need not be the same everywhere: where they matter, the cases compare them. And how a lease was lost: who
 * was not there when it happened cannot tell.
 */
const VARYING = ["revision", "incarnation", "token", "lock_token", "reason"];

/** As JSON, snapshots as their dictionaries; times aside. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value ?? "nothing", (key, inner: unknown) => {
      if (VARYING.includes(key)) return undefined;
      if (inner === undefined) return "undefined";
      return typeof inner === "string" ? inner.replaceAll(TIME, "TIME") : inner;
    }),
  );
}

const TIME = /\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)/g;
