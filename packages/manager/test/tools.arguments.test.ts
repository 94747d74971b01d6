/** What the tools take, and what they say to what they do not. */

import { type JsonObject, SharedContextManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { contextTools } from "shared-context-manager/tools";

describe("the tools", () => {
  const manager = new SharedContextManager();
  const tools = contextTools({ manager, agentId: "ann" });

  it("are six, and eight with claims; only then is there a release", () => {
    const names = (claims: boolean): string[] => Object.keys(contextTools({ manager, agentId: "ann" }, { claims }));
    expect(names(false)).toHaveLength(6);
    expect(names(true)).toHaveLength(8);
    const schema = tools.context_write.inputSchema["~standard"].jsonSchema.input({ target: "draft-07" });
    expect(schema["properties"]).not.toHaveProperty("release");
  });

  it("never take an identity as an argument", async () => {
    const result = await tools.context_create.execute({ id: "x", data: {}, agent_id: "root" });
    expect(result).toMatchObject({ isError: true, code: "INVALID" });
    expect(result["message"]).toBe('agent_id: expected only id, data, note; received "agent_id": leave it out');
  });

  it("say of every wrong argument what was expected and what came", async () => {
    const messages = async (input: unknown): Promise<unknown> => (await tools.context_write.execute(input))["message"];
    expect(await messages("plan")).toBe('the arguments: expected an object; received "plan"');
    expect(await messages({ id: 3, base_version: "1.1", merge_patch: '{"a":1}' })).toBe(
      "id: expected a string; received 3; merge_patch: expected an object; received a string with JSON in it: send the JSON itself, without quotes around it",
    );
    expect(await messages({ id: "x" })).toBe("base_version: expected a string; received nothing");
    expect(await messages({ id: "x", base_version: "1.1" })).toBe(
      "expected exactly one of merge_patch, operations, replace_all; received none",
    );
    expect(await messages({ id: "x", base_version: "1.1", operations: [{ op: "add", path: "/a" }] })).toBe(
      'operations/0/op: expected one of set, remove, append, increment, test; received "add"',
    );
    const wait = await tools.context_wait.execute({ id: "x", timeout_seconds: 60, path: "/a" });
    expect(wait["message"]).toBe("timeout_seconds: expected a whole number from 0 to 20; received 60");
  });

  it("show their schemas for the drafts they know, anew each time", () => {
    const { jsonSchema } = tools.context_read.inputSchema["~standard"];
    const schema = jsonSchema.input({ target: "draft-2020-12" });
    expect(schema).toMatchObject({ type: "object", required: ["id"], additionalProperties: false });
    expect(jsonSchema.input({ target: "draft-07" })).not.toBe(schema);
    expect(() => jsonSchema.output({ target: "draft-04" })).toThrow("expected one of draft-2020-12");
  });

  it("refuse an owner or options that are none", () => {
    expect(() => contextTools({ manager: {} as never, agentId: "ann" })).toThrow("owner");
    expect(() => contextTools({ manager, agentId: 1 as never })).toThrow("agentId");
    expect(() => contextTools({ manager, agentId: "ann" }, { maxTokens: 1 })).toThrow("a number from 300 up");
  });

  it("page through a long list", async () => {
    const many = new SharedContextManager();
    const { context_list } = contextTools({ manager: many, agentId: "ann" });
    for (let index = 0; index < 120; index++) many.create(`task-${index}`, {});
    const seen: unknown[] = [];
    let after: unknown;
    for (let more: unknown = true; more === true;) {
      const page = await context_list.execute({ prefix: "task-", ...(after !== undefined && { after }) });
      const ids = (page["contexts"] as JsonObject[]).map(({ id }) => id);
      seen.push(...ids);
      after = ids.at(-1);
      ({ more } = page);
    }
    expect(seen).toEqual(many.listContexts());
    expect(await context_list.execute({ after: "gone" })).toMatchObject({ code: "INVALID" });
  });

  it("stop waiting when the framework aborts the call", async () => {
    manager.create("slow", {});
    const call = { abortSignal: AbortSignal.timeout(10) };
    await expect(tools.context_wait.execute({ id: "slow", path: "/never" }, call)).rejects.toThrow(/time/i);
  });

  it("say that all is over when the manager is closed", async () => {
    const closing = new SharedContextManager();
    const { context_read } = contextTools({ manager: closing, agentId: "ann" });
    closing.close();
    expect(await context_read.execute({ id: "x" })).toMatchObject({ isError: true, code: "CLOSED" });
  });

  it("say what to do for each refusal of what is underneath", async () => {
    const small = new SharedContextManager({ maxContexts: 1, maxDataBytes: 60 });
    const { context_create, context_write, context_history, context_wait } = contextTools({
      manager: small,
      agentId: "ann",
    });
    const { version } = await context_create.execute({ id: "a", data: { text: "x" } });
    expect(await context_create.execute({ id: "b", data: {} })).toMatchObject({ code: "LIMIT" });
    const write = { id: "a", base_version: version };
    const long = await context_write.execute({ ...write, merge_patch: { text: "x".repeat(99) } });
    expect(long).toMatchObject({ code: "TOO_LARGE", next: expect.stringContaining("Write less") });
    const misfit = await context_write.execute({ ...write, operations: [{ op: "append", path: "/text", value: 1 }] });
    expect(misfit).toMatchObject({ code: "INVALID", message: expect.stringContaining("an array to append to") });
    expect(await context_history.execute({ id: "a", path: "text" })).toMatchObject({ code: "INVALID" });
    expect(await context_history.execute({ id: "b" })).toMatchObject({ code: "NOT_FOUND" });
    for (const wait of [{}, { equals: 1 }, { path: "text" }, { cursor: "{" }, { cursor: '{"since":1}' }]) {
      expect(await context_wait.execute({ id: "a", timeout_seconds: 0, ...wait })).toMatchObject({ code: "INVALID" });
    }
  });

  it("shorten what is long in conflicts and changes, and say so", async () => {
    const many = new SharedContextManager({ historyLimit: 9 });
    const list = Array.from({ length: 400 }, (_, index) => index);
    many.create("a", { list, small: 1 });
    const { context_read, context_write, context_history } = contextTools({ manager: many, agentId: "ann" });
    const { version } = await context_read.execute({ id: "a" });
    many.agent("bob").patch("a", { list: list.map((index) => -index), small: 2 });
    const write = { id: "a", base_version: version, merge_patch: { list: [1], small: 3 } };
    const { conflicts } = await context_write.execute(write);
    expect(conflicts).toMatchObject([
      { path: "/list", yours: [1], too_long: ["base", "theirs"] },
      { path: "/small", yours: 3, theirs: 2 },
    ]);
    const changes = await context_read.execute({ id: "a", since: version, max_tokens: 200 });
    expect(changes).toMatchObject({ omitted: expect.any(Number), next: expect.stringContaining("without since") });
    const { versions } = await context_history.execute({ id: "a" });
    expect(versions).toMatchObject([{ more_changed: expect.any(Number) }, {}]);
    const old = await context_read.execute({ id: "a", since: "1.77" });
    expect(old.notices).toEqual([expect.stringContaining("is not kept")]);
  });
});
