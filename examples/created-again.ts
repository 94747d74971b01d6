import { isContextError, SharedContextManager } from "shared-context-manager";

const manager = new SharedContextManager();
const read = manager.create("plan", { goal: "ship" });

manager.delete("plan");
const again = manager.create("plan", { goal: "rewrite" });
console.log(again.version === read.version, read.incarnation, again.incarnation);
// prints: true 1 3

try {
  manager.update("plan", { goal: "ship", step: 1 }, read);
} catch (error) {
  if (!isContextError(error, "CONFLICT")) throw error;
  console.log(error.details.recreated);
  // prints: true
}
