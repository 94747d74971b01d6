import { isContextError, SharedContextManager } from "shared-context-manager";

const manager = new SharedContextManager();
const budget = manager.create("budget", { tokens: 1000 });

if (manager.lock("budget", "auditor")) {
  try {
    manager.update("budget", { tokens: 900 }, budget);
  } catch (error) {
    if (!isContextError(error, "LOCKED")) throw error;
    console.log(`locked by ${error.details.owner}`);
    // prints: locked by auditor
  }
  manager.unlock("budget", "auditor");
}
// The lock did not move the version, so what was read before it still counts.
console.log(manager.update("budget", { tokens: 900 }, budget).version);
// prints: 2
