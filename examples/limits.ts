// #region contexts
import { isContextError, SharedContextManager, type StandardSchema } from "shared-context-manager";

const few = new SharedContextManager({ maxContexts: 2 });
few.create("a", {});
few.create("b", {});
try {
  few.create("c", {});
} catch (error) {
  if (!isContextError(error, "LIMIT")) throw error;
  console.log(`${error.details.contexts} of ${error.details.maxContexts}`);
  // prints: 2 of 2
}
few.delete("a");
few.create("c", {}); // there is room again
// #endregion

// #region bytes
const small = new SharedContextManager<{ log: string[] }>({ maxDataBytes: 21 });
small.create("log", { log: ["one", "two"] }); // {"log":["one","two"]}
try {
  small.agent("writer").patch("log", [{ op: "append", path: "/log", value: "é" }]); // {"log":["one","two","é"]}
} catch (error) {
  if (!isContextError(error, "TOO_LARGE")) throw error;
  console.log(`${error.details.bytes} bytes, at most ${error.details.maxDataBytes}`);
  // prints: 26 bytes, at most 21
}
// #endregion

// #region schema
interface Plan {
  readonly title: string;
  readonly spent: number;
  readonly budget: number;
}

/** What `z.object({ ... })` of zod would be, made by hand. */
const planSchema: StandardSchema<Plan> = {
  "~standard": {
    version: 1,
    vendor: "example",
    validate(value) {
      const plan = value as Plan;
      const issues: { message: string; path: string[] }[] = [];
      if (typeof plan.title !== "string") issues.push({ message: "a title", path: ["title"] });
      if (!(plan.spent <= plan.budget)) issues.push({ message: "no more than the budget", path: ["spent"] });
      return issues.length === 0 ? { value: plan } : { issues };
    },
  },
};

const manager = new SharedContextManager<Plan>({ schema: planSchema });
const read = manager.create("plan", { title: "ship", spent: 60, budget: 100 });

try {
  manager.update("plan", { spent: 120 } as Plan, read); // what a model made of it
} catch (error) {
  if (!isContextError(error, "INVALID")) throw error;
  console.log(error.details.issues);
  // prints: [
  // prints:   { path: '/title', message: 'a title' },
  // prints:   { path: '/spent', message: 'no more than the budget' }
  // prints: ]
}
// #endregion

// #region merged
manager.agent("planner").patch("plan", { budget: 70 }, read); // fine: 60 of 70
try {
  manager.agent("worker").patch("plan", { spent: 90 }, read); // fine as well, of the 100 that the worker has read
} catch (error) {
  if (!isContextError(error, "INVALID")) throw error;
  console.log(error.message);
  // prints: data at "/spent": expected data that the schema accepts; received data of which it says: no more than the budget
}
// #endregion

// #region by-id
const mixed = new SharedContextManager<Plan | { readonly text: string }>({
  schema: (contextId) => (contextId.startsWith("plan-") ? planSchema : undefined),
});
console.log(mixed.create("notes", { text: "not checked" }).version);
// prints: 1
// #endregion
