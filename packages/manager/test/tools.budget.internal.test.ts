/** Every word of a tool is paid for in every conversation. */

import fc from "fast-check";
import { countTokens } from "gpt-tokenizer";
import { SharedContextManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { contextTools } from "shared-context-manager/tools";
import { tokensOf } from "../src/tools/tokens.ts";

const manager = new SharedContextManager();
const byName = contextTools({ manager, agentId: "reader" }, { claims: true });
const tools = Object.values(byName);

describe("what models read of the tools", () => {
  it("is at most 1,800 tokens: all names, descriptions and schemas", () => {
    const target = { target: "draft-2020-12" };
    const costs = tools.map(({ name, title, description, inputSchema, outputSchema }) => {
      const schemas = [
        inputSchema["~standard"].jsonSchema.input(target),
        outputSchema["~standard"].jsonSchema.output(target),
      ];
      const texts = [name, title, description, ...schemas.map((schema) => JSON.stringify(schema))];
      return { name, tokens: texts.reduce((sum, text) => sum + countTokens(text), 0) };
    });
    const sum = costs.reduce((sum, { tokens }) => sum + tokens, 0);
    expect(tools).toHaveLength(8);
    expect(sum, JSON.stringify(costs)).toBeLessThanOrEqual(1_800);
  });
});

describe("context_read", () => {
  const words = fc.array(fc.lorem({ maxCount: 8 }), { maxLength: 12 });
  const record = fc.record({
    id: fc.uuid(),
    title: fc.lorem(),
    done: fc.boolean(),
    cost: fc.double({ noNaN: true, noDefaultInfinity: true }),
  });
  const data = fc.record({ words, tasks: fc.array(record, { maxLength: 60 }), log: fc.string({ maxLength: 4_000 }) });

  it("is never longer than asked for, whatever is read", { timeout: 60_000 }, async () => {
    let count = 0;
    await fc.assert(
      fc.asyncProperty(
        data,
        fc.integer({ min: 100, max: 3_000 }),
        fc.subarray(["", "/tasks", "/tasks/0", "/log", "/none"]),
        async (data, max, paths) => {
          const id = `read-${(count += 1)}`;
          manager.create(id, data);
          const results = [
            await byName.context_read.execute({ id, max_tokens: max }),
            await byName.context_read.execute({ id, max_tokens: max, paths }),
          ];
          manager.agent("writer").update(id, { log: data.log.slice(1) }, "1");
          const [since] = results.map(({ version }) => version);
          results.push(await byName.context_read.execute({ id, max_tokens: max, since }));
          for (const result of results) expect(countTokens(JSON.stringify(result))).toBeLessThanOrEqual(max);
        },
      ),
      { numRuns: Number(process.env["SHARED_CONTEXT_RUNS"] ?? 60), endOnFailure: true },
    );
  });

  it("shows an outline of what is long, whose paths can be read", async () => {
    const tasks = Array.from({ length: 500 }, (_, id) => ({ id, title: `task ${id}` }));
    manager.create("long", { goal: "ship", tasks, notes: { a: "x".repeat(9_000) } });
    const { outline, data, next } = await byName.context_read.execute({ id: "long", max_tokens: 400 });
    expect(data).toBeUndefined();
    expect(next).toContain("paths");
    const lines = outline as Record<string, string>;
    expect(lines["/tasks"]).toMatch(/^array of 500, about \d+ tokens$/);
    expect(lines["/goal"]).toMatch(/^string/);
    const paths = Object.keys(lines).slice(-2);
    const { missing = [] } = await byName.context_read.execute({ id: "long", paths });
    expect(missing).toEqual([]);
  });

  it("counts rather too many tokens than too few", () => {
    const texts = [
      "Plan the release. ".repeat(50),
      JSON.stringify(tools),
      "日本語の文章です。".repeat(30),
      "0123456789".repeat(30),
    ];
    for (const text of texts) expect(tokensOf(text)).toBeGreaterThanOrEqual(countTokens(JSON.stringify(text)));
  });
});
