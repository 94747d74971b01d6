/** Whatever is sent to whatever tool: a result that keeps to its schema comes back, and the store is as it was told. */

import fc from "fast-check";
import { SharedContextManager } from "shared-context-manager";
import { expect, it } from "vitest";
import { type ContextTool, contextTools } from "shared-context-manager/tools";

const CASES = Number(process.env["SHARED_CONTEXT_FUZZ"] ?? 200);
const seed = process.env["FC_SEED"];

const manager = new SharedContextManager({ historyLimit: 4 });
manager.create("plan", { step: 1, tasks: [{ id: 1 }], text: "x".repeat(500) });
const tools = Object.values(contextTools({ manager, agentId: "ann" }, { claims: true, claimTtlMs: 1_000 }));

const id = fc.constantFrom("plan", "other", "new", "", "__proto__", "a/b", "\u0000", "\ud800");
const path = fc.oneof(
  fc.constantFrom("", "/step", "/tasks/id=1", "/tasks/0/id", "/__proto__/x", "no", "/~"),
  fc.string(),
);
const version = fc.oneof(
  fc.constantFrom("1.1", "1.2", "1.3", "2.1", "999.1", "1.999999999999999", "", "1.-1"),
  fc.string(),
);
const json = fc.jsonValue({ maxDepth: 3 });
const object = fc.dictionary(fc.oneof(fc.string(), fc.constantFrom("step", "tasks", "__proto__", "constructor")), json);
const operation = fc.record(
  { op: fc.constantFrom("set", "remove", "append", "increment", "test", "move"), path, value: json },
  { requiredKeys: ["op", "path"] },
);
const likely: Record<string, fc.Arbitrary<unknown>> = {
  id,
  data: object,
  paths: fc.array(path, { maxLength: 4 }),
  path,
  since: version,
  base_version: version,
  max_tokens: fc.integer({ min: 50, max: 600 }),
  merge_patch: object,
  replace_all: object,
  operations: fc.array(operation, { maxLength: 4 }),
  note: fc.string(),
  release: fc.boolean(),
  limit: fc.integer({ min: 0, max: 60 }),
  prefix: fc.string({ maxLength: 2 }),
  after: id,
  equals: json,
  unlocked: fc.boolean(),
  cursor: fc.oneof(fc.constant('{"since":"1.1"}'), fc.json()),
  timeout_seconds: fc.constantFrom(0, 0, 0, -1, 21, 0.5),
  wait_seconds: fc.constantFrom(0, 0, -1, 99, Number.NaN),
};
/** Most arguments as they are meant, some of any kind, some missing, some of another tool. */
const input = fc.oneof(
  { weight: 12, arbitrary: fc.record(likely, { requiredKeys: [] }) },
  { weight: 1, arbitrary: fc.anything() },
  { weight: 2, arbitrary: fc.dictionary(fc.constantFrom(...Object.keys(likely)), fc.anything()) },
);

/** Only what the tool knows, and what it needs: so that most cases reach the manager. */
function fitted(tool: ContextTool, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const { properties } = tool.inputSchema["~standard"].jsonSchema.input({ target: "draft-07" });
  const entries = Object.entries(value).filter(([key]) => Object.hasOwn(properties as object, key));
  const { id: contextId = "plan", ...rest } = Object.fromEntries(entries);
  if (tool.name === "context_list") return rest;
  const timeout = tool.name === "context_wait" ? { timeout_seconds: 0 } : {};
  return { ...timeout, id: contextId, ...rest };
}

it(`every tool answers every input, ${CASES} cases`, { timeout: 20_000 + CASES * 20 }, async () => {
  let results = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...tools), input, fc.boolean(), async (tool, raw, fits) => {
      const before = JSON.stringify(manager.toDict().contexts);
      const head = manager.stats().writes;
      const result = await tool.execute(fits ? fitted(tool, raw) : raw);
      results += 1;
      const { issues } = tool.outputSchema["~standard"].validate(result);
      expect(issues, JSON.stringify(result)).toBeUndefined();
      expect(() => JSON.stringify(result)).not.toThrow();
      if (result.isError === true) {
        expect(result).toMatchObject({
          code: expect.any(String),
          message: expect.any(String),
          next: expect.any(String),
        });
        expect(manager.stats().writes, "a refusal writes nothing").toBe(head);
      }
      if (tool.annotations.readOnlyHint) expect(manager.stats().writes).toBe(head);
      if (manager.stats().writes === head)
        expect(dataOf(JSON.stringify(manager.toDict().contexts))).toBe(dataOf(before));
    }),
    { numRuns: CASES, endOnFailure: true, ...(seed !== undefined && { seed: Number(seed) }) },
  );
  expect(results).toBe(CASES);
});

/** Without locks and revisions, which claims move. */
function dataOf(contexts: string): string {
  return JSON.stringify((JSON.parse(contexts) as { data: unknown }[]).map(({ data }) => data));
}
