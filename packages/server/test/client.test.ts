/** The client does what a manager over a storage does, method by method. */

import { type AsyncSharedContextManager, SharedContextManager } from "shared-context-manager";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { follow, refusalOf, take } from "../../manager/test/support.ts";
import { served, type Served } from "./client-support.ts";

const LIMITS = { historyLimit: 8, changeLogLimit: 1_000 };

let site: Served;
let manager: AsyncSharedContextManager;
/** Another client, as in another process. */
let other: AsyncSharedContextManager;

beforeEach(async () => {
  site = await served("memory:", {}, LIMITS);
  manager = await site.client();
  other = await site.client();
});

afterEach(() => site.close());

describe("reading", () => {
  it("size, iteration, pages and the dictionary show all contexts", async () => {
    for (const contextId of ["b", "a", "a/b", "..", "ä ?#%"]) await manager.create(contextId, { contextId });
    await manager.lock("a", "ann", { ttlMs: 60_000 });
    const ids: string[] = [];
    for await (const { contextId } of manager) ids.push(contextId);
    expect(ids).toEqual(["b", "a", "a/b", "..", "ä ?#%"]);
    expect([await manager.size(), await manager.listContexts()]).toEqual([5, ids]);
    const first = await manager.page({ prefix: "a", limit: 1 });
    const second = await manager.page({ prefix: "a", limit: 1, after: first.next ?? "" });
    expect([...first.contexts, ...second.contexts].map(({ contextId }) => contextId)).toEqual(["a", "a/b"]);
    const [here, there] = [await manager.toDict(), await site.store.toDict()];
    expect([here.revision, here.contexts.map(({ data }) => data)]).toEqual([
      there.revision,
      there.contexts.map(({ data }) => data),
    ]);
    expect(SharedContextManager.fromDict(here).toDict().contexts).toHaveLength(5);
  });

  it("a snapshot is that of the store, with revision, incarnation, note and lock", async () => {
    await manager.agent("ann").create("a", { step: 1 }, { note: "why" });
    await manager.lock("a", "ann", { ttlMs: 60_000 });
    const [here, there] = [await manager.get("a"), await site.store.get("a")];
    const fields = [
      "contextId",
      "version",
      "revision",
      "incarnation",
      "note",
      "updatedBy",
      "lockedBy",
      "data",
    ] as const;
    for (const field of fields) expect(here?.[field]).toEqual(there?.[field]);
    expect([here?.lock?.token, here?.lock?.expiresAt]).toEqual([there?.lock?.token, there?.lock?.expiresAt]);
    expect(Object.isFrozen(here?.data)).toBe(true);
  });

  it("every way to a context goes by its id, whatever the id", async () => {
    const ann = manager.agent("ann/é");
    for (const contextId of [".", "..", "a/../b", "a b", "%2e", "🤖"]) {
      const context = await ann.create(contextId, {});
      await ann.update(contextId, { step: 2 }, context);
      await ann.patch(contextId, [{ op: "increment", path: "/step" }]);
      await ann.restore(contextId, "1");
      expect((await manager.history(contextId)).map(({ version }) => version)).toEqual(["1", "2", "3", "4"]);
      expect((await manager.get(contextId))?.updatedBy).toBe("ann/é");
      await ann.withLock(contextId, (lease) => lease.patch(contextId, { step: 9 }));
      expect(await manager.delete(contextId)).toBe(true);
    }
  });
});

describe("two clients", () => {
  it("that write at once: one wins, the other has a CONFLICT with what is there", async () => {
    const context = await manager.create("a", { step: 1 });
    const writes = [manager.update("a", { by: 1 }, context), other.update("a", { by: 2 }, context)];
    const outcomes = await Promise.allSettled(writes);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const lost = outcomes[0]?.status === "rejected" ? 0 : 1;
    const { details } = await refusalOf("CONFLICT", writes[lost] as Promise<unknown>);
    expect(details).toMatchObject({ expected: "1", version: "2", recreated: false });
    expect(details.current.data).toEqual({ by: lost === 0 ? 2 : 1 });
    await manager.update("a", { by: 3 }, details.current);
  });

  it("lose no increment, by modify or by patch", async () => {
    await manager.create("a", { modified: 0, patched: 0 });
    const work = [manager, other].flatMap((client, index) => {
      const agent = client.agent(`agent ${index}`);
      return Array.from({ length: 5 }, async () => {
        const add = ({ data }: { data: Readonly<Record<string, unknown>> }): Record<string, number> => ({
          ...(data as Record<string, number>),
          modified: Number(data["modified"]) + 1,
        });
        await agent.modify("a", add, { attempts: 100 });
        await agent.patch("a", [{ op: "increment", path: "/patched" }]);
      });
    });
    await Promise.all(work);
    expect((await manager.get("a"))?.data).toEqual({ modified: 10, patched: 10 });
  });

  it("merge what they have read, also when the server keeps that version no more", async () => {
    const base = await manager.agent("ann").create("a", { left: 0, right: 0, turns: 0 });
    for (let turns = 1; turns <= 12; turns++) await other.agent("bob").patch("a", { turns });
    await manager.agent("ann").patch("a", { left: 1 }, base);
    const merged = await manager.agent("ann").merge(base, { left: 0, right: 1, turns: 0 });
    expect(merged.data).toEqual({ left: 1, right: 1, turns: 12 });
    expect((await manager.stats()).merges).toBeGreaterThan(0);
    const overlap = manager.agent("ann").patch("a", { turns: 99 }, base);
    expect((await refusalOf("CONFLICT", overlap)).details.conflicts).toMatchObject([{ path: "/turns", theirs: 12 }]);
  });
});

describe("watching", () => {
  it("begins with how things are, goes on with every change, and ends with close", async () => {
    await manager.create("a", {});
    const watching = follow(manager.watch());
    await expect.poll(() => watching.told).toEqual(["1 current a"]);
    await other.agent("bob").transact(async (tx) => {
      await tx.create("b", {});
      await tx.patch("a", { step: 2 });
    });
    await other.lock("a", "bob");
    await other.delete("b");
    const told = ["1 current a", "2 updated a", "2 created b", "3 locked a", "4 deleted b"];
    await expect.poll(() => [...watching.told].sort()).toEqual([...told].sort());
    expect(watching.changes.at(-1)?.agentId).toBeNull();
    await manager.close();
    await expect.poll(() => watching.end).toBe("done");
  });

  it("goes on after a revision, or says that it is kept no more", async () => {
    for (const id of ["a", "b", "c"]) await manager.create(id, {});
    expect(await take(manager.watch(undefined, { after: 1 }), 2)).toEqual(["2 created b", "3 created c"]);
    expect(await take(manager.watch({ prefix: "c" }, { after: 0 }), 1)).toEqual(["3 created c"]);
    const { details } = await refusalOf("COMPACTED", manager.watch(undefined, { after: 99 }).next());
    expect(details).toMatchObject({ after: 99, head: 3 });
  });

  it("ends with the reason of its signal", async () => {
    const controller = new AbortController();
    const next = manager.watch(undefined, controller).next();
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(next).rejects.toBe(reason);
  });

  it("subscribe hears of what is done after it, until it is ended", async () => {
    await manager.create("a", {});
    const told: string[] = [];
    const stop = manager.subscribe("a", ({ kind }) => told.push(kind));
    await manager.agent("ann").patch("a", { step: 1 });
    await other.agent("ann").patch("a", { step: 2 });
    await expect.poll(() => told).toEqual(["updated", "updated"]);
    stop();
    stop();
    await manager.agent("ann").patch("a", { step: 3 });
    expect([told.length, (await manager.stats()).watchers]).toEqual([2, 0]);
  });

  it("waitFor gives the first snapshot that satisfies, or TIMEOUT with the last one", async () => {
    const waiting = manager.waitFor("a", ({ data }) => data["step"] === 2);
    await other.create("a", { step: 1 });
    await other.agent("bob").patch("a", { step: 2 });
    expect((await waiting).version).toBe("2");
    const { details } = await refusalOf(
      "TIMEOUT",
      manager.waitFor("a", () => false, { timeoutMs: 50 }),
    );
    expect(details.current?.version).toBe("2");
  });
});

describe("what a server does otherwise", () => {
  it("the manager itself writes as the agent of its options, and as nobody without", async () => {
    const named = await site.client({ agentId: "planner" });
    expect((await named.create("a", {})).updatedBy).toBe("planner");
    expect((await manager.create("b", {})).updatedBy).toBeNull();
  });
});
