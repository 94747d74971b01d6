/** Leases over a storage, by what they hear of their contexts and what they do to them themselves. */

import { type AsyncAgent, type AsyncLease, type AsyncSharedContextManager, openManager } from "shared-context-manager";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { manualClock, type ManualClock, refusalOf } from "./support.ts";

let clock: ManualClock;
let manager: AsyncSharedContextManager;
let ann: AsyncAgent;

beforeEach(async () => {
  clock = manualClock();
  manager = await openManager("memory:", { clock });
  for (const id of ["a", "b"]) await manager.create(id, {});
  ann = manager.agent("ann");
});

afterEach(() => manager.close());

/** Lets everything happen that takes no time of its own. */
async function passing(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
}

async function ownersOf(...ids: string[]): Promise<(string | null | undefined)[]> {
  return Promise.all(ids.map(async (id) => (await manager.get(id))?.lockedBy));
}

describe.each([
  ["delete", (lease: AsyncLease) => lease.delete("a")],
  ["transact", (lease: AsyncLease) => lease.transact((tx) => tx.delete("a"))],
])("a lease that deletes one of its contexts by %s", (_how, remove) => {
  it("has not lost it, and goes on with the others", async () => {
    const lease = await ann.acquire(["a", "b"]);
    const { signal } = lease;
    await remove(lease);
    await passing();
    expect(signal.aborted).toBe(false);
    await lease.patch("b", { step: 1 });
    expect(await ownersOf("b")).toEqual(["ann"]);
    await lease.release();
    expect(await ownersOf("b")).toEqual([null]);
  });

  it("is released without a loss when it was the only one", async () => {
    const result = await ann.withLock("a", async (lease) => {
      expect(lease.signal.aborted).toBe(false);
      await remove(lease);
      return "done";
    });
    expect(result).toBe("done");
    expect((await manager.stats()).leasesLost).toBe(0);
  });

  it("writes it as its agent, once somebody has created it again", async () => {
    const lease = await ann.acquire(["a", "b"]);
    await remove(lease);
    await manager.create("a", {});
    await lease.transact(async (tx) => {
      await tx.patch("a", { step: 1 });
      await tx.patch("b", { step: 1 });
    });
    expect(await manager.get("a")).toMatchObject({ data: { step: 1 }, updatedBy: "ann" });
    await lease.release();
  });

  it("has nothing that could be renewed when it was the only one", async () => {
    const lease = await ann.acquire("a");
    await remove(lease);
    expect((await refusalOf("LEASE_LOST", lease.renew())).message).toContain("it has deleted what it held");
  });
});

describe("a lease whose deletion is refused", () => {
  it("holds the context as before, and hears when somebody else deletes it", async () => {
    const lease = await ann.acquire(["a", "b"]);
    const { signal } = lease;
    await refusalOf("CONFLICT", lease.delete("a", "7"));
    await lease.patch("a", { step: 1 });
    expect(signal.aborted).toBe(false);
    await manager.delete("a");
    await passing();
    expect(signal.aborted).toBe(true);
    expect(await ownersOf("b")).toEqual([null]);
  });

  it("has lost it when somebody else was faster, and gives the others back", async () => {
    const lease = await ann.acquire(["a", "b"]);
    const [, deleted] = await Promise.allSettled([manager.delete("a"), lease.delete("a")]);
    expect(deleted).toMatchObject({ status: "rejected", reason: { code: "LEASE_LOST" } });
    expect(await ownersOf("b")).toEqual([null]);
  });
});

it("a lease is released with what it deletes meanwhile", async () => {
  const lease = await ann.acquire(["a", "b"]);
  expect(await Promise.all([lease.delete("a"), lease.release()])).toEqual([true, undefined]);
  expect(await ownersOf("b")).toEqual([null]);
});

describe("a transaction under a lease", () => {
  it("deletes what is held, creates it again and goes on with it", async () => {
    const lease = await ann.acquire("a");
    await lease.transact(async (tx) => {
      await tx.delete("a");
      await tx.create("a", { n: 1 });
      await tx.patch("a", { n: 2 });
    });
    expect(await manager.get("a")).toMatchObject({ version: "1", data: { n: 2 }, lockedBy: null });
  });

  it("holds still what it would have deleted, when its function throws", async () => {
    const lease = await ann.acquire("a");
    const undone = lease.transact(async (tx) => {
      await tx.delete("a");
      throw new Error("undo");
    });
    await expect(undone).rejects.toThrow("undo");
    await lease.transact((tx) => tx.patch("a", { n: 1 }));
    expect(await manager.get("a")).toMatchObject({ data: { n: 1 }, lockedBy: "ann" });
  });
});

describe("a lease on several contexts", () => {
  it("notices when it renews itself that one was deleted, and gives the others back", async () => {
    const lease = await ann.acquire(["a", "b"], { ttlMs: 900 });
    await manager.delete("a");
    clock.advance(300);
    await passing();
    expect(await ownersOf("b")).toEqual([null]);
    expect((await refusalOf("LEASE_LOST", lease.patch("b", {}))).details.reason).toBe("the context was deleted");
  });
});

describe("who has unlocked by force, and why,", () => {
  it.each([
    [{ reason: "hang", agentId: "op" }, '"op" had it unlocked by force: hang'],
    [{ reason: "hang" }, "it was unlocked by force: hang"],
  ])("is told to the holder: %j", async (options, reason) => {
    const lease = await ann.acquire("a");
    const { signal } = lease;
    await manager.forceUnlock("a", options);
    await passing();
    expect(signal.reason).toMatchObject({ code: "LEASE_LOST", details: { reason } });
    expect((await refusalOf("LEASE_LOST", lease.patch("a", {}))).details.reason).toBe(reason);
  });

  it.each([
    [{ reason: "hang", agentId: "op" }, '"op" had it unlocked by force: hang'],
    [{ reason: "hang" }, "it was unlocked by force: hang"],
  ])("is told by a signal that is asked for later, too: %j", async (options, reason) => {
    const lease = await ann.acquire(["b", "a"]);
    await manager.forceUnlock("a", options);
    await manager.agent("bob").lock("a");
    await manager.forceUnlock("b", { reason: "in vain" });
    const { signal } = lease;
    await passing();
    expect(signal.reason).toMatchObject({ code: "LEASE_LOST", details: { contextId: "a", owner: null, reason } });
  });

  it("is told no more where the change log has gone on by more than it keeps", async () => {
    const forgetful = await openManager("memory:", { clock, changeLogLimit: 1 });
    for (const id of ["a", "b"]) await forgetful.create(id, { n: 0 });
    const lease = await forgetful.agent("ann").acquire("a");
    await forgetful.forceUnlock("a", { reason: "hang" });
    await forgetful.lock("a", "bob");
    // So many are kept for those who watch, whatever the limit.
    for (let n = 0; n <= 1_024; n++) await forgetful.agent("cyd").patch("b", { n });
    const { signal } = lease;
    await passing();
    const reason = "the lock has been released or taken over";
    expect(signal.reason).toMatchObject({ code: "LEASE_LOST", details: { owner: "bob", reason } });
    await forgetful.close();
  });
});

describe("the signal of a lease", () => {
  it("aborts when it is asked for after the loss, too", async () => {
    const lease = await ann.acquire(["a", "b"], { ttlMs: Infinity });
    await manager.forceUnlock("a", { reason: "hang" });
    const { signal } = lease;
    await passing();
    expect(signal.aborted).toBe(true);
    expect(await ownersOf("b")).toEqual([null]);
  });

  it("does not abort while all is held", async () => {
    const lease = await ann.acquire(["a", "b"]);
    const { signal } = lease;
    await lease.patch("a", { step: 1 });
    await lease.renew();
    await passing();
    expect(signal.aborted).toBe(false);
  });
});

it("a lease that lasts longer than dates can tell never expires, as the lock says", async () => {
  const lease = await ann.acquire("a", { ttlMs: 1e15 });
  expect(lease.expiresAt).toBeNull();
  expect((await manager.get("a"))?.lock?.expiresAt).toBeNull();
});
