/** The tools inside the AI SDK, with its own mock model; the examples show them inside others. */

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { asSchema, generateText, isStepCount } from "ai";
import { MockLanguageModelV4 } from "ai/test";
import { SharedContextManager } from "shared-context-manager";
import { describe, expect, expectTypeOf, it } from "vitest";
import { type ContextTool, contextTools } from "shared-context-manager/tools";

describe("the tools in the AI SDK", () => {
  it("show schemas that leave room for any data", async () => {
    const { context_write } = contextTools({ manager: new SharedContextManager(), agentId: "ann" });
    const schema = await asSchema(context_write.inputSchema).jsonSchema;
    expect(schema.properties?.["merge_patch"]).toMatchObject({ type: "object", additionalProperties: {} });
    expect(schema.additionalProperties).toBe(false);
  });

  it("tell the model of a conflict in a result, from which it goes on", async () => {
    const manager = new SharedContextManager();
    manager.create("plan", { step: 1 });
    const tools = contextTools({ manager, agentId: "ann" });
    await tools.context_read.execute({ id: "plan" });
    manager.agent("bob").patch("plan", { step: 5 });
    const model = scripted([
      () => ({ id: "plan", base_version: "1.1", merge_patch: { step: 2 } }),
      ({ version, conflicts }) => {
        expect(conflicts).toMatchObject([{ path: "/step", base: 1, yours: 2, theirs: 5, written_by: "bob" }]);
        return { id: "plan", base_version: version, merge_patch: { step: 6 } };
      },
    ]);
    const { text } = await generateText({ model, tools, stopWhen: isStepCount(5), prompt: "Take the next step." });
    expect(text).toBe("Done.");
    expect(manager.get("plan")).toMatchObject({ data: { step: 6 }, updatedBy: "ann" });
  });
});

describe("the schemas of the tools", () => {
  it("are Standard Schema and Standard JSON Schema as published", () => {
    expectTypeOf<ContextTool["inputSchema"]>().toExtend<StandardSchemaV1 & StandardJSONSchemaV1>();
    expectTypeOf<ContextTool["outputSchema"]>().toExtend<StandardSchemaV1 & StandardJSONSchemaV1>();
  });

  it("take null for what is left out, as strict modes make models send it", async () => {
    const manager = new SharedContextManager();
    manager.create("plan", { step: null });
    const { context_read, context_wait } = contextTools({ manager, agentId: "ann" });
    const input = { id: "plan", paths: null, since: null, max_tokens: null };
    expect(await context_read.execute(input)).toMatchObject({ data: { step: null } });
    // ... but a value to compare with may be null.
    const wait = { id: "plan", path: "/step", equals: null, timeout_seconds: 0 };
    expect(await context_wait.execute(wait)).toMatchObject({ done: true });
  });
});

type Input = (last: Record<string, unknown>) => Record<string, unknown>;

/** A model that calls context_write with these inputs, each made from the last result. */
function scripted(inputs: readonly Input[]): MockLanguageModelV4 {
  const usage = {
    inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: 1, text: 1, reasoning: 0 },
  };
  let turn = 0;
  return new MockLanguageModelV4({
    // oxlint-disable-next-line typescript/require-await -- a real model is asked over the network
    doGenerate: async ({ prompt }) => {
      const inputOf = inputs[turn];
      turn += 1;
      const rest = { usage, warnings: [] };
      if (inputOf === undefined) {
        return {
          ...rest,
          content: [{ type: "text", text: "Done." }],
          finishReason: { unified: "stop", raw: undefined },
        };
      }
      const last = prompt.at(-1);
      const part = last?.role === "tool" ? last.content[0] : undefined;
      const output = part?.type === "tool-result" && part.output.type === "json" ? part.output.value : {};
      const input = JSON.stringify(inputOf(output as Record<string, unknown>));
      return {
        ...rest,
        content: [{ type: "tool-call", toolCallId: `call-${turn}`, toolName: "context_write", input }],
        finishReason: { unified: "tool-calls", raw: undefined },
      };
    },
  });
}
