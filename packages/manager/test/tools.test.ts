/** The tools for models, on every kind of manager. */

import { setTimeout as sleep } from "node:timers/promises";
import { type JsonObject, openManager, SharedContextManager } from "shared-context-manager";
import { afterEach, describe, expect, it } from "vitest";
import {
  type ContextTools,
  contextTools,
  type ContextToolsOptions,
  type ToolsManager,
} from "shared-context-manager/tools";

type Opened = ToolsManager & { close(): unknown };

const hasSqlite = process.getBuiltinModule?.("node:sqlite") !== undefined;
const kinds: [name: string, open: () => Opened | Promise<Opened>][] = [
  ["a synchronous manager", () => new SharedContextManager()],
  ["a synchronous manager with history", () => new SharedContextManager({ historyLimit: 16 })],
  ["memory:", () => openManager("memory:")],
  ...(hasSqlite ? [["sqlite:", () => openManager("sqlite::memory:")] as [string, () => Promise<Opened>]] : []),
];

const opened: Opened[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((manager) => manager.close()));
});

describe.each(kinds)("the tools on %s", (kind, open) => {
  const keepsHistory = kind !== "a synchronous manager";

  async function start(
    options?: ContextToolsOptions,
  ): Promise<{ manager: Opened; ann: ContextTools; bob: ContextTools }> {
    const manager = await open();
    opened.push(manager);
    const ann = contextTools({ manager, agentId: "ann" }, options);
    const bob = contextTools({ manager, agentId: "bob" }, options);
    const data = { title: "plan", step: 1, tasks: [{ id: 7, owner: null }], notes: { a: 1, b: 2 } };
    await ann.context_create.execute({ id: "plan", data });
    return { manager, ann, bob };
  }

  async function versionOf(tools: ContextTools): Promise<string> {
    return (await tools.context_read.execute({ id: "plan" }))["version"] as string;
  }

  async function dataOf(tools: ContextTools): Promise<JsonObject> {
    return (await tools.context_read.execute({ id: "plan" }))["data"] as JsonObject;
  }

  it("read what was written, in the name of their agent", async () => {
    const { ann, bob } = await start();
    const base_version = await versionOf(bob);
    expect(base_version).toMatch(/^\d+\.1$/);
    const written = await bob.context_write.execute({
      id: "plan",
      base_version,
      operations: [
        { op: "test", path: "/tasks/id=7/owner", value: null },
        { op: "set", path: "/tasks/id=7/owner", value: "bob" },
      ],
      note: "mine",
    });
    expect(written).toEqual({ id: "plan", version: base_version.replace(/1$/, "2"), notices: [] });
    const read = await ann.context_read.execute({ id: "plan", paths: ["/tasks/id=7", "/none"] });
    expect(read).toMatchObject({ updated_by: "bob", note: "mine", missing: ["/none"] });
    expect(read["values"]).toEqual({ "/tasks/id=7": { id: 7, owner: "bob" } });
    const { contexts } = await ann.context_list.execute({});
    expect(contexts).toMatchObject([{ id: "plan", updated_by: "bob" }]);
    const { versions } = await ann.context_history.execute({ id: "plan" });
    expect((versions as JsonObject[])[0]).toMatchObject({ updated_by: "bob", note: "mine" });
    expect((versions as JsonObject[])[0]?.["changed"]).toEqual(keepsHistory ? ["/tasks/0/owner"] : undefined);
  });

  it("merge a stale write that touches other paths", async () => {
    const { ann, bob } = await start();
    const base_version = await versionOf(ann);
    expect(await versionOf(bob)).toBe(base_version);
    await bob.context_write.execute({ id: "plan", base_version, merge_patch: { step: 2 } });
    const merged = await ann.context_write.execute({ id: "plan", base_version, merge_patch: { title: "better" } });
    expect(merged).toMatchObject({ merged: true, notices: [] });
    expect(merged["next"]).toContain(base_version);
    expect(await dataOf(bob)).toMatchObject({ title: "better", step: 2 });
    const { changes } = await bob.context_read.execute({ id: "plan", since: base_version });
    expect(changes).toEqual([
      { op: "replace", path: "/title", value: "better" },
      { op: "replace", path: "/step", value: 2 },
    ]);
    const some = await bob.context_read.execute({ id: "plan", since: base_version, paths: ["/step"] });
    expect(some["changes"]).toEqual([{ op: "replace", path: "/step", value: 2 }]);
  });

  it("answer a conflict with all that is needed to decide, and tell to stop after several", async () => {
    const { ann, bob } = await start();
    const base_version = await versionOf(ann);
    await bob.context_write.execute({ id: "plan", base_version, merge_patch: { step: 2 }, note: "reviewed" });
    const mine = { id: "plan", base_version, merge_patch: { step: 5, title: "x" } };
    const first = await ann.context_write.execute(mine);
    expect(first).toMatchObject({ isError: true, code: "CONFLICT", updated_by: "bob" });
    expect(first["conflicts"]).toEqual([
      {
        path: "/step",
        base: 1,
        yours: 5,
        theirs: 2,
        written_by: "bob",
        in_version: "2",
        note: "reviewed",
      },
    ]);
    expect(first["message"]).toContain('"bob"');
    expect(first["next"]).toContain(`base_version "${first["version"] as string}"`);
    expect(await dataOf(ann)).toMatchObject({ title: "plan", step: 2 });
    await ann.context_write.execute(mine);
    const third = await ann.context_write.execute(mine);
    expect(third).toMatchObject({ stop: true });
    expect(third["next"]).toMatch(/^Stop: 3 conflicts in a row/);
    const base = first["version"];
    expect(await ann.context_write.execute({ ...mine, base_version: base })).not.toHaveProperty("isError");
    expect(await ann.context_write.execute(mine)).not.toHaveProperty("stop");
  });

  it("replace a whole document only when asked to, and only the version that was read", async () => {
    const { ann, bob } = await start();
    const base_version = await versionOf(ann);
    await bob.context_write.execute({ id: "plan", base_version, merge_patch: { step: 2 } });
    const stale = await ann.context_write.execute({ id: "plan", base_version, replace_all: { title: "new", step: 9 } });
    expect(stale).toMatchObject({ isError: true, code: "CONFLICT" });
    expect(stale["conflicts"]).toEqual([{ path: "/step", base: 1, yours: 9, theirs: 2 }]);
    expect(stale["next"]).toContain("merge_patch");
    await ann.context_write.execute({ id: "plan", base_version: stale["version"], replace_all: { title: "new" } });
    expect(await dataOf(bob)).toEqual({ title: "new" });
  });

  it("merge a whole stale document that comes as a merge patch", async () => {
    const { ann, bob } = await start();
    const base_version = await versionOf(ann);
    const whole = await dataOf(ann);
    await bob.context_write.execute({ id: "plan", base_version, merge_patch: { step: 2 } });
    await ann.context_write.execute({ id: "plan", base_version, merge_patch: { ...whole, title: "new" } });
    expect(await dataOf(bob)).toMatchObject({ title: "new", step: 2 });
  });

  it("refuse versions that no read returned, and those of a context that is gone", async () => {
    const { manager, ann } = await start();
    const base_version = await versionOf(ann);
    const write = { id: "plan", base_version, merge_patch: { step: 2 } };
    expect(await ann.context_write.execute({ ...write, base_version: "3" })).toMatchObject({ code: "INVALID" });
    const ahead = await ann.context_write.execute({ ...write, base_version: base_version.replace(/1$/, "99") });
    expect(ahead).toMatchObject({ code: "CONFLICT", version: base_version });
    expect(ahead["conflicts"]).toEqual([{ path: "/step", yours: 2, theirs: 1 }]);
    await Promise.resolve((manager as unknown as SharedContextManager).delete("plan"));
    expect(await ann.context_write.execute(write)).toMatchObject({ code: "NOT_FOUND" });
    await ann.context_create.execute({ id: "plan", data: { step: 1 } });
    const anew = await ann.context_write.execute(write);
    expect(anew).toMatchObject({ code: "CONFLICT" });
    expect(anew["message"]).toContain("created anew");
    expect(await dataOf(ann)).toEqual({ step: 1 });
  });

  it("say of what is not there which ids are", async () => {
    const { ann } = await start();
    const nowhere = await ann.context_read.execute({ id: "the-plan" });
    expect(nowhere).toMatchObject({ isError: true, code: "NOT_FOUND" });
    expect(nowhere["next"]).toContain('"plan"');
    const again = await ann.context_create.execute({ id: "plan", data: {} });
    expect(again).toMatchObject({ isError: true, code: "EXISTS" });
    expect(again["next"]).toContain("context_read");
  });

  it("wait for a change, a path, a value, and are pending rather than wrong", async () => {
    const { ann, bob } = await start();
    const since = await versionOf(ann);
    const pending = await ann.context_wait.execute({ id: "plan", path: "/step", equals: 2, timeout_seconds: 0 });
    expect(pending).toMatchObject({ done: false, pending: true, version: since });
    const { cursor } = pending;
    const waits = [
      ann.context_wait.execute({ id: "plan", since }),
      ann.context_wait.execute({ id: "plan", path: "/approved" }),
      ann.context_wait.execute({ id: "plan", cursor }),
      ann.context_wait.execute({ id: "later", path: "" }),
    ];
    await bob.context_write.execute({ id: "plan", base_version: since, merge_patch: { step: 2, approved: false } });
    await bob.context_create.execute({ id: "later", data: {} });
    for (const result of await Promise.all(waits)) expect(result).toMatchObject({ done: true, notices: [] });
    expect(await ann.context_wait.execute({ id: "nowhere", path: "", timeout_seconds: 0 })).toMatchObject({
      exists: false,
    });
  });

  it("claim for a while, write and release, and tell who holds it", async () => {
    const { ann, bob } = await start({ claims: true, claimTtlMs: 5_000 });
    const claimed = await ann.context_claim?.execute({ id: "plan" });
    expect(claimed).toMatchObject({ claimed: true });
    const base_version = claimed?.["version"];
    expect(JSON.stringify(claimed)).not.toContain("token");
    const refused = await bob.context_write.execute({ id: "plan", base_version, merge_patch: { step: 2 } });
    expect(refused).toMatchObject({ isError: true, code: "LOCKED", locked_by: "ann" });
    expect(refused["next"]).toContain("context_wait");
    const busy = await bob.context_claim?.execute({ id: "plan" });
    expect(busy).toMatchObject({ isError: true, code: "LOCKED", locked_by: "ann" });
    const notMine = await bob.context_release?.execute({ id: "plan" });
    expect(notMine).toMatchObject({ isError: true, locked_by: "ann" });
    const waiting = bob.context_wait.execute({ id: "plan", unlocked: true });
    const queued = bob.context_claim?.execute({ id: "plan", wait_seconds: 20 });
    await sleep(20);
    const { notices } = await ann.context_read.execute({ id: "plan" });
    expect(notices).toEqual(['2 wait for "plan", which you have claimed: finish and release it.']);
    const done = await ann.context_write.execute({ id: "plan", base_version, merge_patch: { step: 2 }, release: true });
    expect(done).toMatchObject({ released: true, notices: [] });
    expect(await waiting).toMatchObject({ done: true });
    expect(await queued).toMatchObject({ claimed: true });
    expect(await bob.context_release?.execute({ id: "plan" })).toMatchObject({ released: true });
    expect(await bob.context_release?.execute({ id: "plan" })).toMatchObject({ released: false });
  });

  it("lose a claim that no call has renewed, and say so once", async () => {
    const { ann, bob } = await start({ claims: true, claimTtlMs: 40 });
    const claimed = await ann.context_claim?.execute({ id: "plan" });
    const base_version = claimed?.["version"];
    expect(await bob.context_wait.execute({ id: "plan", unlocked: true })).toMatchObject({ done: true });
    await bob.context_write.execute({ id: "plan", base_version, merge_patch: { step: 2 } });
    const { notices } = await ann.context_read.execute({ id: "plan" });
    expect(notices).toEqual([expect.stringContaining('Your claim on "plan" is lost')]);
    expect(await ann.context_list.execute({})).toMatchObject({ notices: [] });
  });

  it("do not renew a claim for ever", async () => {
    const { ann, bob } = await start({ claims: true, claimTtlMs: 60, maxClaimMs: 30 });
    const held = await ann.context_claim?.execute({ id: "plan" });
    expect(held?.notices).toEqual([expect.stringContaining("is not renewed any more")]);
    const free = bob.context_wait.execute({ id: "plan", unlocked: true, timeout_seconds: 2 });
    for (let call = 0; call < 20; call++) {
      await ann.context_list.execute({});
      await sleep(10);
    }
    expect(await free).toMatchObject({ done: true });
    expect(await bob.context_claim?.execute({ id: "plan" })).toMatchObject({ claimed: true });
  });

  it("know that another set of the same agent holds the claim", async () => {
    const { manager, ann } = await start({ claims: true });
    const again = contextTools({ manager, agentId: "ann" }, { claims: true });
    const claimed = await ann.context_claim?.execute({ id: "plan" });
    const refused = await again.context_claim?.execute({ id: "plan" });
    expect(refused).toMatchObject({ isError: true });
    expect(refused?.["next"]).toContain("Another run under your id holds it");
    const write = { id: "plan", base_version: claimed?.["version"], merge_patch: { step: 2 } };
    expect(await again.context_write.execute(write)).not.toHaveProperty("isError");
    expect(await ann.context_write.execute({ ...write, merge_patch: { title: "y" }, release: true })).toMatchObject({
      merged: true,
      released: true,
    });
  });
});
