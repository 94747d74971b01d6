import { SharedContextManager } from "shared-context-manager";

const manager = new SharedContextManager<{ step: number; owner?: string }>();
const plan = manager.create("plan", { step: 1 });
const next = manager.update("plan", { ...plan.data, step: 2 }, plan); // CONFLICT if somebody else was faster

console.log(plan.version, plan.data.step, next.version, next.data.step);
// prints: 1 1 2 2
