import { Agent, type Model, type ModelResponse, run, setTracingDisabled, tool, Usage } from "@openai/agents";
import { SharedContextManager } from "shared-context-manager";
import { contextTools } from "shared-context-manager/tools";

setTracingDisabled(true);
const model = scripted(
  ["context_read", () => ({ id: "plan" })],
  ["context_write", ({ version }) => ({ id: "plan", base_version: version, merge_patch: { step: 2 } })],
);

// #region tools
const manager = new SharedContextManager();
manager.create("plan", { goal: "ship it", step: 1 });

const tools = Object.values(contextTools({ manager, agentId: "planner" })).map(
  ({ name, description, inputSchema, execute }) => {
    // Not strict: so that what is wrong with an input is told by the tool, and not by a general error.
    const parameters = inputSchema["~standard"].jsonSchema.input({ target: "draft-07" });
    return tool({ name, description, parameters: parameters as never, strict: false, execute });
  },
);
const planner = new Agent({ name: "planner", instructions: "Keep the plan up to date.", model, tools });
const { finalOutput } = await run(planner, "Read the plan and take the next step.");
console.log(finalOutput); // prints: Done.
console.log(manager.get("plan")?.data, manager.get("plan")?.updatedBy); // prints: { goal: 'ship it', step: 2 } planner
// #endregion

type Call = readonly [name: string, input: (last: Record<string, unknown>) => Record<string, unknown>];

/** A model that makes these calls in this order, each from the last result, and then says that it is done. */
function scripted(...calls: readonly Call[]): Model {
  let turn = 0;
  return {
    // oxlint-disable-next-line typescript/require-await -- a real model is asked over the network
    async getResponse({ input }): Promise<ModelResponse> {
      const call = calls[turn];
      turn += 1;
      const usage = new Usage();
      if (call === undefined) {
        const content = [{ type: "output_text", text: "Done." } as const];
        return { usage, output: [{ type: "message", role: "assistant", status: "completed", content }] };
      }
      const last = typeof input === "string" ? undefined : input.at(-1);
      const output = last?.type === "function_call_result" ? last.output : "{}";
      const text = typeof output === "string" ? output : "text" in output ? output.text : "{}";
      const [name, argumentsOf] = call;
      const given = JSON.stringify(argumentsOf(JSON.parse(text) as Record<string, unknown>));
      return {
        usage,
        output: [{ type: "function_call", callId: `call-${turn}`, name, status: "completed", arguments: given }],
      };
    },
    getStreamedResponse(): never {
      throw new Error("this model does not stream");
    },
  };
}
