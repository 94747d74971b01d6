import { openManager } from "shared-context-manager";

await using manager = await openManager<{ step: number }>("memory:"); // or "sqlite:contexts.db", "postgres://...", "redis://..."
const planner = manager.agent("planner");
const plan = await planner.create("plan", { step: 1 });
await manager.agent("reviewer").patch("plan", [{ op: "increment", path: "/step" }]); // maybe in another process
const { data, version } = await planner.patch("plan", [{ op: "increment", path: "/step" }], plan);
console.log(data.step, version);
// prints: 3 3
