/** What became of transactions, also where the engine cannot say (law 6). */

import type { Eventually } from "../cursor.ts";
import { type CommitOutcome, type Engine, settle, type Transaction } from "../engine.ts";
import { ContextError } from "../errors.ts";
import { unavailable } from "./reading.ts";

/**
 * Of a transaction; `undefined` for one that was a mismatch, INDETERMINATE for one that may have happened, UNAVAILABLE for one
 * that was cut off and has not.
 */
export type Revision = number | undefined | ContextError;

const CHANGES_AT_ONCE = 1_000;

/** @param since - a revision before all of them. */
export function revisionsOf(
  engine: Engine,
  outcomes: readonly CommitOutcome[],
  transactions: readonly Transaction[],
  since: number,
): Eventually<Revision[]> {
  const revisions: Revision[] = [];
  for (const outcome of outcomes) {
    if (outcome.kind === "indeterminate") return revisionsInDoubt(engine, outcomes, transactions, since);
    revisions.push(outcome.kind === "ok" ? outcome.revision : undefined);
  }
  return revisions;
}

async function revisionsInDoubt(
  engine: Engine,
  outcomes: readonly CommitOutcome[],
  transactions: readonly Transaction[],
  since: number,
): Promise<Revision[]> {
  const doubtful = transactions.filter((_, index) => outcomes[index]?.kind === "indeterminate");
  const found = await inTheLog(engine, doubtful, since);
  const revisions = outcomes.map((outcome, index): Revision => {
    if (outcome.kind !== "indeterminate") return outcome.kind === "ok" ? outcome.revision : undefined;
    const { opId: operationId, writes } = transactions[index] as Transaction;
    if (found !== undefined) return found.get(operationId) ?? unavailable(outcome.cause);
    const unknown = new ContextError("INDETERMINATE", { contextIds: writes.map(({ id }) => id), operationId });
    unknown.cause = outcome.cause;
    return unknown;
  });
  settleFound(outcomes, transactions, revisions);
  return revisions;
}

/**
 * Looks into the change log for operations whose outcome is not known: for all of them at once, since they build on one
 * another.
 *
 * @returns the revisions of those that have happened; `undefined` when the log does not tell.
 */
async function inTheLog(
  engine: Engine,
  transactions: readonly Transaction[],
  since: number,
): Promise<Map<string, number> | undefined> {
  const wanted = new Set(transactions.map(({ opId }) => opId));
  const found = new Map<string, number>();
  try {
    for (let after = since; ;) {
      const { changes, head, oldest } = await engine.changes({ after, limit: CHANGES_AT_ONCE });
      if (oldest > after + 1) return undefined;
      for (const { opId, revision } of changes) if (wanted.has(opId)) found.set(opId, revision);
      after = changes.at(-1)?.revision ?? head;
      if (found.size === wanted.size || after >= head) return found;
    }
  } catch {
    return undefined;
  }
}

/** What was found in the log to have happened, the engine has not put its revisions into. */
function settleFound(
  outcomes: readonly CommitOutcome[],
  transactions: readonly Transaction[],
  revisions: readonly Revision[],
): void {
  const known = revisions.map((revision) => (typeof revision === "number" ? revision : Number.NaN));
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.kind !== "indeterminate" || typeof revisions[index] !== "number") continue;
    for (const { next } of transactions[index]?.writes ?? []) if (next) settle(next, known);
  }
}
