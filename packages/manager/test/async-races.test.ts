/** What happens in one turn, or while something is under way, over an engine that answers later. */

import { type AsyncSharedContextManager, openManager, SharedContextManager } from "shared-context-manager";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { manualClock, refusalOf, settled } from "./support.ts";

let manager: AsyncSharedContextManager;

beforeEach(async () => {
  manager = await openManager("memory:");
});

afterEach(() => manager.close());

describe("commands of one turn", () => {
  it("find in the history what those before them replace", async () => {
    const ann = manager.agent("ann");
    const first = await ann.create("plan", { step: 1 });
    const [, restored] = await Promise.all([ann.update("plan", { step: 2 }, first), ann.restore("plan", "1")]);
    expect(restored.data).toEqual({ step: 1 });
    expect(restored.version).toBe("3");
  });

  it("are all before a clear, or all after it", async () => {
    const created = manager.create("before", {});
    const cleared = manager.clear();
    const after = manager.create("after", {});
    await Promise.all([created, cleared, after]);
    expect(await manager.listContexts()).toEqual(["after"]);
  });

  it("do not clear what is empty: there is no revision for nothing", async () => {
    await manager.clear();
    expect((await manager.stats()).revision).toBe(0);
  });

  it("do not pass maxContexts together, in transactions either", async () => {
    const few = await openManager("memory:", { maxContexts: 1 });
    const both = ["a", "b"].map((id) => few.agent(id).transact((tx) => tx.create(id, {})));
    const outcomes = await Promise.allSettled(both);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await few.size()).toBe(1);
    await few.close();
  });
});

it("a transaction takes the data as it is when it is handed in", async () => {
  const data = { n: 1 };
  await manager.agent("ann").transact(async (tx) => {
    const created = tx.create("x", data);
    data.n = 2;
    await created;
  });
  expect((await manager.get("x"))?.data).toEqual({ n: 1 });
});

it("two who begin to wait for each other in the same turn are a deadlock, and one of them hears of it", async () => {
  const [ann, bob] = [manager.agent("ann"), manager.agent("bob")];
  for (const id of ["draft", "budget"]) await manager.create(id, {});
  const held = [await ann.acquire("draft"), await bob.acquire("budget")];
  const first = ann.acquire("budget", { timeoutMs: 10_000 });
  const { details } = await refusalOf("DEADLOCK", bob.acquire("draft", { timeoutMs: 10_000 }));
  expect(details.cycle.map(({ agentId }) => agentId)).toEqual(["bob", "ann"]);
  await held[1]?.release();
  expect((await first).agentId).toBe("ann");
});

describe("a lease on several contexts", () => {
  it("that has lost one gives the others back when it is released", async () => {
    const ann = manager.agent("ann");
    for (const id of ["a", "b", "c"]) await manager.create(id, {});
    const lease = await ann.acquire(["a", "b", "c"], { ttlMs: Infinity });
    await manager.forceUnlock("a", { reason: "test" });
    await manager.forceUnlock("b", { reason: "test" });
    await refusalOf("LEASE_LOST", lease.release());
    const snapshots = await Promise.all(["a", "b", "c"].map((id) => manager.get(id)));
    expect(snapshots.map((context) => context?.lockedBy)).toEqual([null, null, null]);
  });

  it("says INVALID to a wrong argument before it says that it is lost", async () => {
    await manager.create("a", {});
    const lease = await manager.agent("ann").acquire("a");
    await manager.forceUnlock("a", { reason: "test" });
    await refusalOf("LEASE_LOST", lease.renew());
    await refusalOf("INVALID", lease.update("a", 42 as never, "1"));
    const foreign = await refusalOf("INVALID", lease.update("b", {}, "1"));
    expect(foreign.details.argument).toBe("contextId");
    await refusalOf("LEASE_LOST", lease.update("a", {}, "1"));
  });
});

it("a lease is never shortened by renewing itself", async () => {
  const clock = manualClock();
  const timed = await openManager("memory:", { clock });
  await timed.create("a", {});
  await timed.agent("ann").acquire("a", { ttlMs: 3_000, maxHoldMs: 1_500 });
  const before = (await timed.get("a"))?.lock?.expiresAt?.getTime();
  clock.advance(1_000);
  await settled();
  expect((await timed.get("a"))?.lock?.expiresAt?.getTime()).toBe(before);
  await timed.close();
});

it("a page goes on where one has ended, and nowhere else", async () => {
  const { details } = await refusalOf("INVALID", manager.page({ after: "garbage" }));
  expect(details.path).toBe("/after");
});

it("a lock that would have lapsed keeps no timer once its context is deleted", async () => {
  const clock = manualClock();
  const local = new SharedContextManager({ clock });
  local.create("a", {});
  local.lock("a", "ann", { ttlMs: 10_000 });
  const waiting = local.agent("bob").acquire("a", { timeoutMs: 60_000 });
  local.delete("a");
  await refusalOf("NOT_FOUND", waiting);
  expect(clock.timers).toBe(0);
});
