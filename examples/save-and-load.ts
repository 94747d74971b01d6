import { SharedContext, SharedContextManager } from "shared-context-manager";

const manager = new SharedContextManager<{ step: number }>();
const plan = manager.create("plan", { step: 1 });

const text = JSON.stringify(manager); // what manager.toDict() gives
const again = SharedContextManager.fromDict<{ step: number }>(JSON.parse(text));
console.log(again.update("plan", { step: 2 }, plan).version);
// prints: 2

const fromPython = { context_id: "plan", version: "7", data: { step: 6 }, created_at: "2026-01-31T09:30:00.123456" };
const snapshot = SharedContext.fromDict<{ step: number }>(fromPython);
console.log(snapshot.version, snapshot.createdAt.toISOString());
// prints: 7 2026-01-31T09:30:00.123Z
