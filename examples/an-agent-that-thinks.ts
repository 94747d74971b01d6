// #region setup
import { setTimeout } from "node:timers/promises";
import { SharedContextManager } from "shared-context-manager";

const manager = new SharedContextManager<{ goal: string; steps: string[] }>();
manager.create("plan", { goal: "ship", steps: [] });
const planner = manager.agent("planner");
const critic = manager.agent("critic");

/** Stands for the call of a model. It takes 120 ms here, twice as long as the lease lives without renewal. */
function think(goal: string, signal: AbortSignal): Promise<string[]> {
  return setTimeout(120, [`build what "${goal}" needs`, goal], { signal });
}
// #endregion

// #region with-lock
await planner.withLock(
  "plan",
  async (lease) => {
    console.log(critic.lock("plan"));
    // prints: false
    const plan = manager.get("plan")!; // read under the lease: what it says stays true until the lease ends
    const steps = await think(plan.data.goal, lease.signal);
    lease.update("plan", { ...plan.data, steps }, plan, { note: "first draft" });
  },
  { ttlMs: 60 },
);
const plan = manager.get("plan")!;
console.log(`version ${plan.version} by ${plan.updatedBy}: ${plan.note}`);
// prints: version 2 by planner: first draft
// #endregion

// #region acquire
const lease = await critic.acquire("plan", { timeoutMs: 1_000 }); // waits at most a second for its turn
try {
  lease.update("plan", { ...plan.data, steps: plan.data.steps.slice(1) }, plan);
} finally {
  lease.release();
}
console.log(manager.get("plan")?.data.steps, manager.get("plan")?.lockedBy);
// prints: [ 'ship' ] null
// #endregion
