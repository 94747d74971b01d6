import { isContextError, SharedContextManager } from "shared-context-manager";

const manager = new SharedContextManager<{ findings: string[] }>();
const ann = manager.create("review", { findings: [] });
const bob = manager.get("review")!; // both agents hold version "1"

manager.update("review", { findings: [...ann.data.findings, "ann: leak"] }, ann);

try {
  manager.update("review", { findings: [...bob.data.findings, "bob: no test"] }, bob); // would drop Ann's finding
} catch (error) {
  if (!isContextError(error, "CONFLICT")) throw error;
  console.log(`version ${error.details.version}, not ${error.details.expected}`);
  // prints: version 2, not 1
  const now = manager.get("review")!;
  manager.update("review", { findings: [...now.data.findings, "bob: no test"] }, now);
}
console.log(manager.get("review")?.data.findings.join(", "));
// prints: ann: leak, bob: no test
