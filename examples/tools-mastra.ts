import { createTool } from "@mastra/core/tools";
import { SharedContextManager } from "shared-context-manager";
import { contextTools } from "shared-context-manager/tools";

// #region tools
const manager = new SharedContextManager();
manager.create("plan", { goal: "ship it", step: 1 });

const tools = Object.fromEntries(
  Object.values(contextTools({ manager, agentId: "planner" })).map(({ name, execute, ...tool }) => [
    name,
    createTool({ id: name, ...tool, execute: async (input) => execute(input) }),
  ]),
);
// #endregion

const result = await tools["context_read"]?.execute?.({ id: "plan", paths: ["/step"] }, {} as never);
console.log(result); // prints: {
// prints:   id: 'plan',
// prints:   version: '1.1',
// prints:   updated_by: null,
// prints:   values: { '/step': 1 },
// prints:   notices: []
// prints: }
