/** What an engine is handed for a plan. */

import { changesBetween } from "../changes.ts";
import type { LoggedChange, Transaction, Write } from "../engine.ts";
import { isAnother } from "../entry.ts";
import type { Step } from "../plan.ts";

export function transactionOf(opId: string, steps: readonly Step[]): Transaction {
  const writes: Write[] = [];
  const changes: LoggedChange[] = [];
  for (const step of steps) {
    const { contextId: id, found, next, act } = step;
    const expect = found?.revision ?? 0;
    if (next === found) {
      writes.push({ id, expect, next: undefined, keeps: false });
      continue;
    }
    writes.push({ id, expect, next: next ?? null, keeps: keeps(step) });
    for (const { kind, contextId, agentId, note, after } of changesBetween(id, found, next, 0, act)) {
      changes.push({ kind, contextId, agentId, note, entry: after ?? null });
    }
  }
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
