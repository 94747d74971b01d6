/** Runs a transaction over a storage, again and again, until what it has read is what it commits upon. */

import { checkFunction } from "../arguments.ts";
import { wrap } from "../context.ts";
import type { JsonObject } from "../data.ts";
import { isAnother } from "../entry.ts";
import { ContextError, type ErrorCode } from "../errors.ts";
import { pause } from "../modify.ts";
import type { Plan } from "../plan.ts";
import type { Named } from "../rules.ts";
import type { SharedStore } from "./shared-store.ts";
import { type Acting, type AsyncTransaction, openTransaction } from "./transaction.ts";

const ATTEMPTS = 50;

/**
 * Runs a function on what is there, and commits what it has planned if all that it has read is still so; else runs it
 * again (Kung and Robinson, "On optimistic methods for concurrency control", 1981).
 */
export async function transact<Data extends object, Result>(
  store: SharedStore,
  run: (tx: AsyncTransaction<Data>) => Result | PromiseLike<Result>,
  acting: Acting,
  named: Named = {},
): Promise<Result> {
  checkFunction("run", run);
  for (let attempt = 1; ; attempt++) {
    store.checkOpen();
    const { tx, plan, planned, refused, checkAwaited, end } = openTransaction<Data>(store, acting);
    let result: Result;
    try {
      result = await run(tx);
      checkAwaited();
    } catch (error) {
      // What it has thrown at may have been half old and half new: then that is no reason.
      if (attempt < ATTEMPTS && !store.closed && (await isOutdated(store, plan))) continue;
      count(store, refused);
      throw error;
    } finally {
      end();
    }
    store.checkOpen();
    const commit = (): Promise<boolean> => store.commitPlan(plan, planned, named);
    if (await (acting.parting?.(plan.gone, commit) ?? commit())) {
      count(store, refused);
      return result;
    }
    if (attempt >= ATTEMPTS) throw await outpaced(store, plan);
    await pause(store.clock, attempt, undefined);
  }
}

/** What was refused on the grounds of what is so no longer, is no refusal. */
function count({ counters }: SharedStore, refused: readonly ErrorCode[]): void {
  for (const code of refused) counters.refuse(code);
}

/** Whether all that a plan has found is still so. */
export async function isCurrent(store: SharedStore, plan: Plan): Promise<boolean> {
  const { steps } = plan;
  const { entries } = await store.look(steps.map(({ contextId }) => contextId));
  return steps.every(({ found }, index) => found?.revision === entries[index]?.revision);
}

/** Where nobody can say, what was thrown is the better answer. */
async function isOutdated(store: SharedStore, plan: Plan): Promise<boolean> {
  return !(await isCurrent(store, plan).catch(() => true));
}

/** Others have been faster every time. */
async function outpaced(store: SharedStore, plan: Plan): Promise<ContextError> {
  const { steps } = plan;
  const { entries } = await store.look(steps.map(({ contextId }) => contextId));
  const changed = steps.findIndex(({ found }, index) => found?.revision !== entries[index]?.revision);
  const { contextId = "", found } = steps[Math.max(changed, 0)] ?? {};
  const current = entries[Math.max(changed, 0)];
  if (current === undefined) return store.refusal(new ContextError("NOT_FOUND", { contextId }));
  const details = {
    contextId,
    expected: found?.version ?? "",
    version: current.version,
    current: wrap<JsonObject>(current),
    recreated: found !== undefined && isAnother(found, current),
    conflicts: [],
    writers: [],
  };
  return store.refusal(new ContextError("CONFLICT", details));
}
