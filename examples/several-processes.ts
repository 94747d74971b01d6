import { openManager } from "shared-context-manager";

await using manager = await openManager<{ step: number }>("sqlite::memory:"); // or a file that several processes open
const planner = manager.agent("planner");
const plan = await planner.create("plan", { step: 1 });
await manager.agent("reviewer").patch("plan", [{ op: "increment", path: "/step" }]); // maybe in another process
const { data, version } = await planner.patch("plan", [{ op: "increment", path: "/step" }], plan);
console.log(data.step, version);
// prints: 3 3
