/** The answer to a repeated write again, from what the change log says that it has done. */

import type { Change } from "shared-context-manager";
import { contextFields } from "./bodies.ts";
import type { Reply } from "./exchange.ts";
import type { Call, Route } from "./route.ts";
import { created } from "./routes/contexts.ts";
import { held, heldAll } from "./routes/locks.ts";
import { contextAnswer, jsonAnswer, noContent } from "./routes/parts.ts";
import { readSteps } from "./transactions.ts";

export async function replayed({ operationId }: Route, call: Call, changes: readonly Change[]): Promise<Reply> {
  if (operationId === "transact") return jsonAnswer({ results: await resultsAgain(call, changes) });
  const contexts = changes.flatMap(({ kind, context }) =>
    context === undefined || kind === "expired" ? [] : [context],
  );
  if (operationId === "takeLocks") return heldAll(contexts);
  const [{ kind, context }] = changes.slice(-1) as [Change];
  if (context === undefined || kind === "unlocked") return noContent();
  if (kind === "created") return created(context);
  return kind === "locked" ? held(context) : contextAnswer(context);
}

/** Each context as the transaction has left it; what it has only read, as it is now. */
async function resultsAgain(call: Call, changes: readonly Change[]): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const { verb, contextId } of readSteps(call)) {
    const change = changes.findLast((one) => one.contextId === contextId);
    const left = change === undefined ? await call.manager.get(contextId) : change.context;
    results.push(verb === "delete" || (left === undefined ? null : contextFields(left)));
  }
  return results;
}
