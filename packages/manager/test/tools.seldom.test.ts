/** The tools where there is much, where others are in the way, and where a call makes no sense. */

import { openManager, SharedContextManager } from "shared-context-manager";
import {
  type ContextTools,
  contextTools,
  type ContextToolsOptions,
  type ToolResult,
} from "shared-context-manager/tools";
import { describe, expect, it } from "vitest";

const CLAIMS: ContextToolsOptions = { claims: true, claimTtlMs: 1_000 };

function start(options: ContextToolsOptions = CLAIMS): { manager: SharedContextManager; ann: ContextTools } {
  const manager = new SharedContextManager({ historyLimit: 8 });
  return { manager, ann: contextTools({ manager, agentId: "ann" }, options) };
}

async function versionOf(tools: ContextTools, id: string): Promise<unknown> {
  return (await tools.context_read.execute({ id }))["version"];
}

describe("contextTools", () => {
  it("says which of its arguments is none", () => {
    const { manager } = start();
    expect(() => contextTools(null as never)).toThrow('owner at "/manager"');
    expect(() => contextTools({ manager, agentId: "ann" }, null as never)).toThrow("options: expected an object");
  });
});

describe("an id that is not there", () => {
  it("is answered with some that are: the like first, a handful, and none that is endless", async () => {
    const { manager, ann } = start();
    for (let index = 0; index < 8; index++) manager.create(`other-${index}`, {});
    manager.create("x".repeat(200), {});
    const some = await ann.context_read.execute({ id: "plan" });
    expect((some["next"] as string).match(/"other-\d"/g)).toHaveLength(5);
    for (let index = 0; index < 8; index++) manager.create(`plan-${index}`, {});
    const near = await ann.context_read.execute({ id: "plan" });
    expect((near["next"] as string).match(/"plan-\d"/g)).toHaveLength(5);
    expect(near["next"]).not.toContain("other");
  });
});

describe("a lock", () => {
  it("that never lapses is told as such to who reads, writes and claims", async () => {
    const { manager, ann } = start();
    manager.create("plan", { step: 1 });
    const base_version = await versionOf(ann, "plan");
    manager.lock("plan", "bob");
    const lock = { locked_by: "bob", locked_until: null };
    expect(await ann.context_read.execute({ id: "plan" })).toMatchObject(lock);
    const write = { id: "plan", base_version, merge_patch: { step: 2 } };
    expect(await ann.context_write.execute(write)).toMatchObject({ code: "LOCKED", ...lock });
    const claim = await ann.context_claim?.execute({ id: "plan" });
    expect(claim).toMatchObject({ code: "LOCKED", ...lock, message: expect.not.stringContaining("until") });
  });

  it("that lapses is told with its time as dictionaries write it", async () => {
    const { manager, ann } = start();
    manager.create("plan", { step: 1 });
    const base_version = await versionOf(ann, "plan");
    manager.lock("plan", "bob", { ttlMs: 60_000 });
    const until = manager.get("plan")?.toDict().lock_expires_at;
    expect(until).toMatch(/\+00:00$/);
    const lock = { locked_by: "bob", locked_until: until };
    expect(await ann.context_read.execute({ id: "plan" })).toMatchObject(lock);
    const write = { id: "plan", base_version, merge_patch: { step: 2 } };
    const refused = { code: "LOCKED", ...lock, message: expect.stringContaining(`expires ${until}`) };
    expect(await ann.context_write.execute(write)).toMatchObject(refused);
    const claim = await ann.context_claim?.execute({ id: "plan" });
    expect(claim).toMatchObject({ ...lock, message: expect.stringContaining(`until ${until}`) });
  });

  it("of the same agent, through other tools, is to be waited for", async () => {
    const { manager, ann } = start();
    manager.create("plan", { step: 1 });
    const twin = contextTools({ manager, agentId: "ann" }, CLAIMS);
    await twin.context_claim?.execute({ id: "plan" });
    const again = await ann.context_claim?.execute({ id: "plan" });
    expect(again).toMatchObject({ isError: true, code: "DEADLOCK", next: expect.stringContaining("under your id") });
  });
});

describe("a claim", () => {
  it("that has gone is not released, and the result says so", async () => {
    const { manager, ann } = start();
    manager.create("plan", { step: 1 });
    await ann.context_claim?.execute({ id: "plan" });
    const release = ann.context_release?.execute({ id: "plan" });
    manager.forceUnlock("plan", { reason: "it hangs" });
    expect(await release).toMatchObject({ released: false });
  });

  it("on a manager that is closed meanwhile cannot be renewed: the next call says to stop", async () => {
    const manager = await openManager("memory:");
    await manager.create("plan", { step: 1 });
    const ann = contextTools({ manager, agentId: "ann" }, CLAIMS);
    await ann.context_claim?.execute({ id: "plan" });
    await manager.close();
    const result = await ann.context_list.execute({});
    expect(result).toMatchObject({ isError: true, code: "CLOSED", next: expect.stringContaining("Stop") });
  });
});

describe("many contexts", () => {
  it("do not make the tools remember all: the oldest are forgotten, and read from the history", async () => {
    const { manager, ann } = start({ ...CLAIMS, maxConflicts: 2 });
    const conflict = async (id: string, base_version: unknown): Promise<ToolResult> =>
      ann.context_write.execute({ id, base_version, merge_patch: { step: -1 } });
    const versions: unknown[] = [];
    for (let index = 0; index < 300; index++) {
      manager.create(`c${index}`, { step: 0 });
      versions.push(await versionOf(ann, `c${index}`));
      manager.agent("bob").patch(`c${index}`, { step: index + 1 });
    }
    const first = await conflict("c0", versions[0]);
    expect(first).toMatchObject({ code: "CONFLICT", conflicts: [{ path: "/step", base: 0, theirs: 1 }] });
    for (let index = 1; index < 300; index++) await conflict(`c${index}`, versions[index]);
    expect(await conflict("c299", versions[299])).toMatchObject({ stop: true });
    expect(await conflict("c0", versions[0])).not.toHaveProperty("stop");
  });

  it("with much in conflict tell as much as fits, and how much more there is", async () => {
    const { manager, ann } = start({ maxTokens: 300 });
    const long = (text: string): Record<string, string> =>
      Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`key-${index}`, text.repeat(10)]));
    manager.create("plan", long("base "));
    const base_version = await versionOf(ann, "plan");
    manager.agent("bob").patch("plan", long("theirs "));
    const result = await ann.context_write.execute({ id: "plan", base_version, merge_patch: long("yours ") });
    const shown = (result["conflicts"] as unknown[]).length;
    expect(result).toMatchObject({ code: "CONFLICT", more_conflicts: 40 - shown });
  });

  it("that are read since a version tell which values are too long", async () => {
    const { manager, ann } = start({ maxTokens: 300 });
    manager.create("plan", { text: "" });
    const since = await versionOf(ann, "plan");
    manager.agent("bob").patch("plan", { text: "many words ".repeat(500) });
    const read = await ann.context_read.execute({ id: "plan", since });
    expect(read).toMatchObject({ changes: [{ op: "replace", path: "/text", too_long: true }] });
    const ahead = String(since).replace(/\d+$/, "99");
    expect(await ann.context_read.execute({ id: "plan", since: ahead })).not.toHaveProperty("changes");
  });

  it("of which more paths are asked for than fit tell how many were left out", async () => {
    const { manager, ann } = start({ maxTokens: 300 });
    manager.create("plan", {});
    const paths = Array.from({ length: 60 }, (_, index) => `/a rather long name of what is not there, number ${index}`);
    const read = await ann.context_read.execute({ id: "plan", paths });
    expect((read["missing"] as string[]).length + (read["omitted"] as number)).toBe(60);
  });
});

describe("a call that makes no sense", () => {
  it("is refused with what would", async () => {
    const { manager, ann } = start();
    manager.create("plan", { größe: "Ω  ∑  ж" });
    const wait = async (input: object): Promise<ToolResult> => ann.context_wait.execute({ id: "plan", ...input });
    expect(await wait({ equals: 1, unlocked: true })).toMatchObject({
      code: "INVALID",
      next: expect.stringContaining("path"),
    });
    for (const cursor of ["3", "null", '{"since":3}', "{"]) {
      expect(await wait({ cursor })).toMatchObject({
        code: "INVALID",
        next: expect.stringContaining("without cursor"),
      });
    }
    const base_version = String(await versionOf(ann, "plan")).replace(/\d+$/, "9");
    const ahead = await ann.context_write.execute({ id: "plan", base_version, merge_patch: { größe: null } });
    expect(ahead).toMatchObject({ code: "CONFLICT", message: expect.stringContaining("no read returned it") });
    manager.agent("bob").update("plan", { größe: "Ω  ∑  ж" }, "1");
    expect(await ann.context_history.execute({ id: "plan" })).toMatchObject({ versions: [{ changed: [""] }, {}] });
  });
});
