// #region setup
import { isContextError, SharedContextManager } from "shared-context-manager";

const manager = new SharedContextManager<{ tokens: number }>();
manager.create("draft", { tokens: 0 });
manager.create("budget", { tokens: 100 });
const ann = manager.agent("ann");
const bob = manager.agent("bob");
// #endregion

// #region all-or-none
await ann.withLock(["draft", "budget"], (lease) => {
  const draft = manager.get("draft")!;
  const budget = manager.get("budget")!;
  lease.update("budget", { tokens: budget.data.tokens - 10 }, budget);
  lease.update("draft", { tokens: draft.data.tokens + 10 }, draft);
});
console.log(manager.get("draft")?.data.tokens, manager.get("budget")?.data.tokens);
// prints: 10 90
// #endregion

// #region one-by-one
const draft = await ann.acquire("draft");
const budget = await bob.acquire("budget");
const turn = ann.acquire("budget"); // Ann waits for Bob

try {
  await bob.acquire("draft"); // and Bob would wait for Ann
} catch (error) {
  if (!isContextError(error, "DEADLOCK")) throw error;
  for (const { agentId, contextId } of error.details.cycle) console.log(`${agentId} waits for ${contextId}`);
  // prints: bob waits for draft
  // prints: ann waits for budget
  budget.release(); // Bob gives up what he holds, and Ann has her turn
}
(await turn).release();
// #endregion

// #region own-ids
try {
  await ann.acquire("draft"); // she holds it already, under the name that this task has too
} catch (error) {
  if (!isContextError(error, "DEADLOCK")) throw error;
  console.log(error.details.cycle);
  // prints: [ { agentId: 'ann', contextId: 'draft' } ]
}

const tasks = ["ann/1", "ann/2"].map((agentId) =>
  manager.agent(agentId).withLock("draft", () => {
    console.log(agentId);
    // prints: ann/1
    // prints: ann/2
  }),
);
draft.release();
await Promise.all(tasks); // one after the other
// #endregion
