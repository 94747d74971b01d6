/** Leases: tokens, expiry, renewal, loss. Law 5. */

import { spawnSync } from "node:child_process";
import { type Agent, isContextError, type Lease, SharedContextManager } from "shared-context-manager";
import { beforeEach, describe, expect, it } from "vitest";
import { type ManualClock, manualClock, refusal, refusalOf } from "./support.ts";

interface Plan {
  readonly step: number;
}

/** Plain Node cannot load the sources. */
const onBuild = process.env["SHARED_CONTEXT_TARGET"] === "dist";
if (!onBuild) console.info("leases.test.ts: skipped the test that starts a process of its own: it needs the build");

let clock: ManualClock;
let manager: SharedContextManager<Plan>;
let ann: Agent<Plan>;
let bob: Agent<Plan>;

beforeEach(() => {
  clock = manualClock();
  manager = new SharedContextManager<Plan>({ clock });
  manager.create("plan", { step: 1 });
  ann = manager.agent("ann");
  bob = manager.agent("bob");
});

/** A lease that nothing renews: as if the process of its holder hung. */
const hung = { ttlMs: 1_000, maxHoldMs: 0 };

describe("a token", () => {
  it("is the revision that granted the lock, and is never used again", async () => {
    const tokens: number[] = [];
    const take = async (): Promise<Lease<Plan>> => {
      const lease = await ann.acquire("plan");
      expect(lease.token).toBe(manager.get("plan")?.revision);
      tokens.push(lease.token);
      return lease;
    };
    (await take()).release();
    await take();
    manager.delete("plan");
    manager.create("plan", { step: 1 });
    await take();
    manager = SharedContextManager.fromDict<Plan>(JSON.parse(JSON.stringify(manager)), { clock });
    ann = manager.agent("ann");
    manager.forceUnlock("plan", { reason: "reloaded" });
    await take();
    expect(tokens).toEqual([...new Set(tokens)].toSorted((a, b) => a - b));
  });

  it("stays through writes and renewals", async () => {
    const lease = await ann.acquire("plan");
    const updated = lease.update("plan", { step: 2 }, "1", { note: "n" });
    lease.renew();
    expect([updated.updatedBy, updated.note, manager.get("plan")?.lock?.token]).toEqual(["ann", "n", lease.token]);
    expect(lease.update("plan", { step: 3 }, updated).version).toBe("3");
  });
});

describe("a lease that has lapsed", () => {
  it("may still renew and write until somebody takes over", async () => {
    const lease = await ann.acquire("plan", hung);
    clock.advance(5_000);
    expect(lease.update("plan", { step: 2 }, "1").version).toBe("2");
    lease.renew();
    refusal("LOCKED", () => bob.update("plan", { step: 3 }, "2"));
    lease.release();
    expect(manager.get("plan")?.lockedBy).toBeNull();
  });

  it.each<[string, () => unknown]>([
    ["acquire", () => bob.acquire("plan")],
    ["lock", () => bob.lock("plan")],
    ["write", () => bob.update("plan", { step: 2 }, "1")],
    ["anonymous write", () => manager.update("plan", { step: 2 }, "1")],
    ["acquire of the same agent", () => ann.acquire("plan")],
  ])("is lost for good by the first %s", async (_name, takeOver) => {
    const lease = await ann.acquire("plan", hung);
    clock.advance(1_000);
    await takeOver();
    const bear = (): void => {
      refusal("LEASE_LOST", () => lease.update("plan", { step: 9 }, manager.get("plan")!));
      refusal("LEASE_LOST", () => lease.delete("plan"));
      refusal("LEASE_LOST", () => lease.renew());
      refusal("LEASE_LOST", () => lease.release());
    };
    bear();
    manager.forceUnlock("plan", { reason: "again" });
    const later = await ann.acquire("plan");
    bear();
    expect(manager.get("plan")?.lock?.token).toBe(later.token);
    expect(manager.get("plan")?.data.step).not.toBe(9);
  });

  it("was no obstacle one millisecond later, and one millisecond earlier it was", async () => {
    await ann.acquire("plan", hung);
    clock.advance(999);
    refusal("LOCKED", () => bob.update("plan", { step: 2 }, "1"));
    expect(bob.lock("plan")).toBe(false);
    clock.advance(1);
    expect(bob.lock("plan")).toBe(true);
  });

  it("does not lapse at all without a time to live", async () => {
    ann.lock("plan");
    const lease = await bob.acquire("plan", { timeoutMs: 0 }).catch((error: unknown) => error);
    expect(isContextError(lease, "TIMEOUT")).toBe(true);
    clock.advance(1e12);
    refusal("LOCKED", () => bob.update("plan", { step: 2 }, "1"));
    ann.unlock("plan");
    const forever = await bob.acquire("plan", { ttlMs: Infinity });
    clock.advance(1e12);
    expect([forever.expiresAt, ann.lock("plan")]).toEqual([null, false]);
  });
});

describe("renewal", () => {
  it("happens by itself until maxHoldMs", async () => {
    const lease = await ann.acquire("plan", { ttlMs: 3_000, maxHoldMs: 10_000 });
    clock.advance(9_999);
    expect(manager.get("plan")?.lock?.token).toBe(lease.token);
    expect(bob.lock("plan")).toBe(false);
    expect(lease.expiresAt!.getTime() - clock.wallMs()).toBe(1);
    clock.advance(1);
    expect(bob.lock("plan")).toBe(true);
    refusal("LEASE_LOST", () => lease.renew());
  });

  it("does not move the version, and is no change of data", async () => {
    const read = manager.get("plan")!;
    await ann.acquire("plan", { ttlMs: 3_000 });
    clock.advance(20_000);
    const { version, updatedAt, revision } = manager.get("plan")!;
    expect([version, updatedAt]).toEqual([read.version, read.updatedAt]);
    expect(revision).toBeGreaterThan(read.revision! + 10);
  });

  it("stops when the lease is lost or released, and no timer stays", async () => {
    const lease = await ann.acquire("plan", { ttlMs: 3_000 });
    lease.release();
    clock.advance(3_000);
    expect(clock.timers).toBe(0);
    await ann.acquire("plan", { ttlMs: 3_000 });
    manager.forceUnlock("plan", { reason: "x" });
    clock.advance(3_000);
    expect(clock.timers).toBe(0);
    expect(manager.get("plan")?.lockedBy).toBeNull();
  });

  it("by hand goes past maxHoldMs", async () => {
    const lease = await ann.acquire("plan", hung);
    for (let hold = 0; hold < 5; hold++) {
      clock.advance(900);
      lease.renew();
    }
    expect(bob.lock("plan")).toBe(false);
  });

  it("by itself never shortens what a renewal by hand, or a long time to live, has given", async () => {
    const lease = await ann.acquire("plan", { ttlMs: 3_000, maxHoldMs: 6_000 });
    clock.advance(4_900);
    lease.renew();
    clock.advance(2_999);
    expect(bob.lock("plan")).toBe(false);
    clock.advance(1);
    expect(bob.lock("plan")).toBe(true);
    manager.forceUnlock("plan", { reason: "next" });
    await ann.acquire("plan", { ttlMs: 3_000, maxHoldMs: 1_100 });
    clock.advance(2_999);
    expect(bob.lock("plan")).toBe(false);
  });

  it("after the release is LEASE_LOST, and nothing renews a lease that is over", async () => {
    const lease = await ann.acquire("plan");
    lease.release();
    expect(refusal("LEASE_LOST", () => lease.renew()).details).toMatchObject({
      owner: null,
      reason: "it was released",
    });
    const { revision } = manager.toDict();
    clock.advance(100_000);
    expect(manager.toDict().revision).toBe(revision);
  });

  it("serves many leases of different lengths with one timer", async () => {
    const leases: Lease<Plan>[] = [];
    for (let index = 0; index < 50; index++) {
      manager.create(`c${index}`, { step: 0 });
      leases.push(await ann.acquire(`c${index}`, { ttlMs: 1_000 + index * 100 }));
    }
    expect(clock.timers).toBe(1);
    clock.advance(60_000);
    for (const lease of leases) lease.release();
  });
});

describe("a loss", () => {
  it.each<[string, () => unknown, string]>([
    ["deletion", () => manager.delete("plan"), "the context was deleted"],
    ["clear", () => manager.clear(), "the manager was cleared"],
    ["unlock by name", () => ann.unlock("plan"), "the lock was cleared"],
    ["takeover", () => (clock.advance(1_000), bob.lock("plan")), "it lapsed and was taken over"],
    [
      "foreign write",
      () => (clock.advance(1_000), bob.update("plan", { step: 2 }, "1")),
      "it had lapsed when another agent wrote",
    ],
  ])("by %s aborts the signal with the reason", async (_name, lose, reason) => {
    const early = await ann.acquire("plan", hung);
    const { signal } = early;
    expect(signal.aborted).toBe(false);
    lose();
    expect(signal.aborted).toBe(true);
    expect(isContextError(signal.reason, "LEASE_LOST") && signal.reason.details.reason).toBe(reason);
    expect(refusal("LEASE_LOST", () => early.release()).details.reason).toBe(reason);
  });

  it("names the agent that holds the lock now, be it the next in line", async () => {
    const lease = await ann.acquire("plan");
    const next = bob.acquire("plan");
    manager.forceUnlock("plan", { reason: "x" });
    expect(refusal("LEASE_LOST", () => lease.renew()).details.owner).toBe("bob");
    (await next).release();
  });

  it("by deletion leaves nothing to write to: NOT_FOUND comes first", async () => {
    const lease = await ann.acquire("plan");
    manager.delete("plan");
    refusal("NOT_FOUND", () => lease.update("plan", { step: 2 }, "1"));
    manager.create("plan", { step: 1 });
    refusal("LEASE_LOST", () => lease.update("plan", { step: 2 }, "1"));
  });

  it("is told by a signal that is asked for later, too", async () => {
    const lease = await ann.acquire("plan");
    manager.forceUnlock("plan", { reason: "x" });
    expect(lease.signal.aborted).toBe(true);
    expect(lease.signal.reason).toMatchObject({ details: { reason: "it was unlocked by force: x" } });
  });

  it("of one context is the loss of all: the rest is free at once", async () => {
    manager.create("other", { step: 1 });
    const lease = await ann.acquire(["plan", "other"]);
    manager.forceUnlock("plan", { reason: "x" });
    expect(manager.get("other")?.lockedBy).toBeNull();
    refusal("LEASE_LOST", () => lease.update("other", { step: 2 }, "1"));
  });
});

describe("the loss of several contexts in one commit", () => {
  it.each<[string, () => unknown]>([
    ["takeover", () => (clock.advance(1_000), bob.acquire(["other", "plan"]))],
    ["clear", () => manager.clear()],
    ["close", () => ann.close()],
  ])("by %s is one loss", async (_name, lose) => {
    manager.create("other", { step: 1 });
    const lease = await ann.acquire(["plan", "other"], hung);
    await lose();
    refusal("LEASE_LOST", () => lease.release());
    expect([...manager].map(({ lockedBy }) => lockedBy)).not.toContain("ann");
  });
});

describe("what a holder does when it hears of its loss", () => {
  it("reaches the one that has just taken over as well", async () => {
    const early = await ann.acquire("plan", hung);
    early.signal.addEventListener("abort", () => manager.forceUnlock("plan", { reason: "spite" }));
    clock.advance(1_000);
    const late = await bob.acquire("plan");
    expect(late.signal.aborted).toBe(true);
    refusal("LEASE_LOST", () => late.release());
    clock.advance(60_000);
    expect(manager.get("plan")?.lockedBy).toBeNull();
  });
});

describe("what others do when they hear of a commit", () => {
  it("cannot leave a lease on a manager that they have closed", async () => {
    const close = (): void => manager.close();
    manager.subscribe("plan", close);
    await refusalOf("CLOSED", ann.acquire("plan"));
    expect(clock.timers).toBe(0);
  });

  it("nor can they when it is granted to one in line", async () => {
    const lease = await ann.acquire("plan", hung);
    const waiting = bob.acquire("plan");
    lease.signal.addEventListener("abort", () => manager.close());
    clock.advance(1_000);
    await refusalOf("CLOSED", waiting);
    expect(clock.timers).toBe(0);
  });

  it("is not undone by the rest of it: who waits for what was made meanwhile goes on waiting", async () => {
    manager.create("other", { step: 1 });
    const lease = await ann.acquire("plan");
    let waiting: Promise<Lease<Plan>> | undefined;
    lease.signal.addEventListener("abort", () => {
      manager.create("other", { step: 2 });
      manager.lock("other", "cyd");
      waiting = bob.acquire("other");
    });
    manager.clear();
    manager.unlock("other", "cyd");
    expect((await waiting)?.contextIds).toEqual(["other"]);
  });
});

describe("a context that the lease has deleted", () => {
  it("is written as the agent when it is created again, in a transaction of the lease or after it", async () => {
    manager.create("other", { step: 1 });
    const lease = await ann.acquire(["plan", "other"]);
    lease.transact((tx) => {
      tx.delete("plan");
      tx.create("plan", { step: 2 });
      tx.patch("plan", { step: 3 });
      tx.patch("other", { step: 3 });
    });
    lease.delete("other");
    manager.create("other", { step: 1 });
    lease.transact((tx) => tx.patch("other", { step: 4 }));
    expect([...manager].map(({ contextId, data, lockedBy }) => [contextId, data.step, lockedBy])).toEqual([
      ["plan", 3, null],
      ["other", 4, null],
    ]);
    expect(manager.stats().leasesLost).toBe(0);
    expect(refusal("LEASE_LOST", () => lease.renew()).details.reason).toBe("it has deleted what it held");
  });
});

describe("release", () => {
  it("is idempotent, and await using does it", async () => {
    const kept = await ann.acquire("plan");
    {
      await using lease = kept;
      expect(lease.contextIds).toEqual(["plan"]);
    }
    expect(manager.get("plan")?.lockedBy).toBeNull();
    kept.release();
    const next = await bob.acquire("plan");
    kept.release();
    expect(manager.get("plan")?.lock?.token).toBe(next.token);
  });

  it("by await using throws a loss only when nobody has told of it", async () => {
    const silent = async (): Promise<void> => {
      await using lease = await ann.acquire("plan");
      manager.forceUnlock("plan", { reason: lease.agentId });
    };
    await refusalOf("LEASE_LOST", silent());
    const told = async (): Promise<void> => {
      await using lease = await ann.acquire("plan");
      manager.forceUnlock("plan", { reason: "x" });
      refusal("LEASE_LOST", () => lease.renew());
    };
    await told();
  });
});

describe("a lease on several contexts", () => {
  it("bears the token that it was granted, whatever those commit who lose a lock by it", async () => {
    manager.create("budget", { step: 1 });
    const lost = await ann.acquire("plan", hung);
    lost.signal.addEventListener("abort", () => manager.create("what ann was doing", { step: 1 }));
    clock.advance(1_000);
    const lease = await bob.acquire(["plan", "budget"]);
    expect(manager.get("what ann was doing")).toBeDefined();
    expect(lease.token).toBe(manager.get("plan")?.lock?.token);
    expect(lease.signal.aborted).toBe(false);
    lease.renew();
    lease.release();
  });

  it("writes to those and to no other", async () => {
    manager.create("other", { step: 1 });
    manager.create("third", { step: 1 });
    const lease = await ann.acquire(["plan", "other", "plan"]);
    expect(lease.contextIds).toEqual(["plan", "other"]);
    expect(lease.update("other", { step: 2 }, "1").version).toBe("2");
    const { message } = refusal("INVALID", () => lease.update("third", { step: 2 }, "1"));
    expect(message).toBe('contextId: expected a context of this lease ("plan", "other"); received "third"');
    refusal("CONFLICT", () => lease.update("other", { step: 2 }, "1"));
  });

  it("goes on without a context that it deletes itself", async () => {
    manager.create("other", { step: 1 });
    const lease = await ann.acquire(["plan", "other"]);
    refusal("CONFLICT", () => lease.delete("plan", "7"));
    expect(lease.delete("plan")).toBe(true);
    expect(lease.signal.aborted).toBe(false);
    lease.renew();
    expect(lease.delete("other", "1")).toBe(true);
    lease.release();
    refusal("NOT_FOUND", () => lease.update("plan", { step: 2 }, "1"));
  });
});

describe("the clock", () => {
  it.each([3_600_000, -3_600_000])("on the wall may jump by %i ms: leases go by their own", async (jump) => {
    await ann.acquire("plan", hung);
    clock.jumpWall(jump);
    expect(bob.lock("plan")).toBe(false);
    clock.advance(999);
    expect(bob.lock("plan")).toBe(false);
    clock.advance(1);
    expect(bob.lock("plan")).toBe(true);
  });

  it("goes on over a dump and a load: what was left of a lease is left of it then", async () => {
    await ann.acquire("plan", { ttlMs: 1_000, maxHoldMs: 0 });
    clock.advance(400);
    const dump = JSON.stringify(manager);
    clock.advance(5_000);
    const again = SharedContextManager.fromDict<Plan>(JSON.parse(dump), { clock });
    expect(again.agent("bob").lock("plan")).toBe(false);
    expect(again.agent("ann").update("plan", { step: 2 }, "1").version).toBe("2");
    clock.advance(600);
    expect(again.agent("bob").lock("plan")).toBe(true);
  });

  it("keeps a process alive for those who wait, and for no lease", async () => {
    const awaited: boolean[] = [];
    const recording = {
      ...clock,
      setTimer: (...call: Parameters<typeof clock.setTimer>) => (awaited.push(call[2]), clock.setTimer(...call)),
    };
    const watched = new SharedContextManager<Plan>({ clock: recording });
    watched.create("plan", { step: 1 });
    const lease = await watched.agent("ann").acquire("plan");
    expect(awaited).toEqual([false]);
    const waiting = watched.agent("bob").acquire("plan");
    expect(awaited.slice(1)).toEqual(expect.arrayContaining([true]));
    lease.release();
    (await waiting).release();
  });

  it.skipIf(!onBuild)("lets a process end that holds a lease (on the build alone: npm run test:nodes)", () => {
    const script = `
      const { SharedContextManager } = await import("shared-context-manager");
      const manager = new SharedContextManager();
      manager.create("plan", {});
      await manager.agent("ann").acquire("plan", { ttlMs: 60_000 });
      console.log("held");`;
    const options = { encoding: "utf8", timeout: 20_000 } as const;
    const { stdout, status, signal } = spawnSync(process.execPath, ["--input-type=module", "-e", script], options);
    expect([stdout.trim(), status, signal]).toEqual(["held", 0, null]);
  });
});
