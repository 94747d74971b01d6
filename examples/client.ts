import { isContextError, openManager } from "shared-context-manager";
import { serve } from "shared-context-server";

// #region serve
await using store = await openManager("memory:");
await using server = await serve({ manager: store, port: 0 }); // or, in a shell: npx -y shared-context-server
// #endregion

// #region client
await using manager = await openManager<{ step: number; owner?: string }>(server.url, { agentId: "operator" });
const planner = manager.agent("planner");
const plan = await planner.create("plan", { step: 1 });

await manager.agent("reviewer").patch("plan", { owner: "reviewer" }); // maybe on another machine
const merged = await planner.patch("plan", { step: 2 }, plan);
console.log(merged.version, merged.data);
// prints: 3 { step: 2, owner: 'reviewer' }

await planner.withLock("plan", async (lease) => {
  await lease.modify("plan", ({ data }) => ({ ...data, step: data.step + 1 }));
});
const done = await manager.waitFor("plan", ({ data }) => data.step === 3);
console.log(done.updatedBy);
// prints: planner

const stale = manager.update("plan", { step: 9 }, plan);
const refusal = await stale.catch((error: unknown) => error);
if (isContextError(refusal, "CONFLICT")) console.log(refusal.details.current.data);
// prints: { step: 3, owner: 'reviewer' }
// #endregion
