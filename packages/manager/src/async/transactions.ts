/** What an engine is handed for a plan. */

import { changesBetween } from "../changes.ts";
import type { LoggedChange, Transaction, Write } from "../engine.ts";
import { isAnother } from "../entry.ts";
import type { Step } from "../plan.ts";

export function transactionOf(opId: string, steps: readonly Step[]): Transaction {
  const writes = steps.map((step): Write => {
    const { contextId: id, found, next } = step;
    const expect = found?.revision ?? 0;
    return next === found
      ? { id, expect, next: undefined, keeps: false }
      : { id, expect, next: next ?? null, keeps: keeps(step) };
  });
  const changes = steps
    .filter(({ found, next }) => next !== found)
    .flatMap(({ contextId, found, next, act }) => changesBetween(contextId, found, next, 0, act))
    .map(({ kind, contextId, agentId, note, after }): LoggedChange => ({
      kind,
      contextId,
      agentId,
      note,
      entry: after ?? null,
    }));
  return { opId, writes, changes };
}

/** A version goes into the history when the next one comes; a deletion takes it along. */
function keeps({ found, next }: Step): boolean | null {
  if (next === undefined || (found !== undefined && isAnother(found, next))) return null;
  return found !== undefined && found.version !== next.version;
}

/** Removes every context. */
export function clearingTransaction(opId: string): Transaction {
  return { opId, writes: [], changes: [CLEARED], clears: true };
}

const CLEARED: LoggedChange = { kind: "cleared", contextId: null, agentId: null, note: null, entry: null };
