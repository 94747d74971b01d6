import { SharedContextManager } from "shared-context-manager";

const manager = new SharedContextManager<{ tasks: string[] }>();
const tasks = ["parse"];
const before = manager.create("plan", { tasks });

tasks.push("mine"); // the caller's own array: the store has a copy
manager.update("plan", { tasks: ["parse", "test"] }, before);

console.log(before.data.tasks.join(), manager.get("plan")?.data.tasks.join());
// prints: parse parse,test
console.log(Object.isFrozen(before.data.tasks));
// prints: true
