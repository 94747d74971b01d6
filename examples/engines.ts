import { openManager } from "shared-context-manager";

await using manager = await openManager("memory:"); // or "sqlite:contexts.db?namespace=swarm"
const plan = await manager.create("plan", { step: 1 });
await manager.update("plan", { step: 2 }, plan);
console.log((await manager.get("plan"))?.version, manager.supports);
// prints: 2 { durable: false, shared: false }
