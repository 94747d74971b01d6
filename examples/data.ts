import { isContextError, SharedContextManager } from "shared-context-manager";

const manager = new SharedContextManager<Record<string, unknown>>();

// #region sharing
const first = manager.create("plan", { step: 1, notes: ["long", "list"] });
const second = manager.update("plan", { ...first.data, step: 2 }, first);
console.log(second.data["notes"] === first.data["notes"]);
// prints: true
// #endregion

// #region refusal
try {
  manager.update("plan", { tasks: [{ due: new Date() }] }, second);
} catch (error) {
  if (!isContextError(error, "INVALID")) throw error;
  console.log(error.message);
  // prints: data at "/tasks/0/due": expected a JSON value; store date.toISOString(); received an instance of Date
}
// #endregion
