import { generateText, isStepCount } from "ai";
import { MockLanguageModelV4 } from "ai/test";
import { SharedContextManager } from "shared-context-manager";
import { contextTools } from "shared-context-manager/tools";

const model = scripted(
  ["context_read", () => ({ id: "plan" })],
  ["context_write", ({ version }) => ({ id: "plan", base_version: version, merge_patch: { step: 2 } })],
);

// #region tools
const manager = new SharedContextManager();
manager.create("plan", { goal: "ship it", step: 1 });

const tools = contextTools({ manager, agentId: "planner" });
const { text } = await generateText({
  model,
  tools,
  stopWhen: isStepCount(10),
  prompt: "Read the plan and take the next step.",
});
console.log(text); // prints: Done.
console.log(manager.get("plan")?.data, manager.get("plan")?.updatedBy); // prints: { goal: 'ship it', step: 2 } planner
// #endregion

type Call = readonly [toolName: string, input: (last: Record<string, unknown>) => Record<string, unknown>];

/** A model that makes these calls in this order, each from the last result, and then says that it is done. */
function scripted(...calls: readonly Call[]): MockLanguageModelV4 {
  const usage = {
    inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: 1, text: 1, reasoning: 0 },
  };
  let turn = 0;
  return new MockLanguageModelV4({
    // oxlint-disable-next-line typescript/require-await -- a real model is asked over the network
    doGenerate: async ({ prompt }) => {
      const call = calls[turn];
      turn += 1;
      if (call === undefined) {
        const finishReason = { unified: "stop", raw: undefined } as const;
        return { content: [{ type: "text", text: "Done." }], finishReason, usage, warnings: [] };
      }
      const last = prompt.at(-1);
      const part = last?.role === "tool" ? last.content[0] : undefined;
      const output = part?.type === "tool-result" && part.output.type === "json" ? part.output.value : {};
      const [toolName, input] = call;
      return {
        content: [
          {
            type: "tool-call",
            toolCallId: `call-${turn}`,
            toolName,
            input: JSON.stringify(input(output as Record<string, unknown>)),
          },
        ],
        finishReason: { unified: "tool-calls", raw: undefined },
        usage,
        warnings: [],
      };
    },
  });
}
