import { isContextError, type Agent, SharedContextManager } from "shared-context-manager";
import { beforeEach, describe, expect, it } from "vitest";
import { contentOf, type ManualClock, manualClock, refusal, refusalOf, settled } from "./support.ts";

interface Plan {
  readonly step: number;
}

let clock: ManualClock;
let manager: SharedContextManager<Plan>;
let ann: Agent<Plan>;
let bob: Agent<Plan>;

beforeEach(() => {
  clock = manualClock();
  manager = new SharedContextManager<Plan>({ clock });
  ann = manager.agent("ann");
  bob = manager.agent("bob");
});

describe("an agent handle", () => {
  it("writes in the name of its agent, with a note", () => {
    const created = ann.create("plan", { step: 1 }, { note: "first draft" });
    expect([created.updatedBy, created.note]).toEqual(["ann", "first draft"]);
    const updated = bob.update("plan", { step: 2 }, created, { note: "reviewed" });
    expect([updated.updatedBy, updated.note]).toEqual(["bob", "reviewed"]);
    expect(updated.toDict().updated_by).toBe("bob");
    const anonymous = manager.update("plan", { step: 3 }, updated);
    expect([anonymous.updatedBy, anonymous.note]).toEqual([null, null]);
    expect("updated_by" in anonymous.toDict()).toBe(false);
  });

  it("has one identity, which no call can change", () => {
    expect(ann.agentId).toBe("ann");
    const sneaky = ann.create("plan", { step: 1 }, { note: "x", agentId: "bob" } as { note: string });
    expect(sneaky.updatedBy).toBe("ann");
    for (const bad of [undefined, null, 7, {}]) refusal("INVALID", () => manager.agent(bad as string));
  });

  it("lets the owner of a lock write, through its handle alone", () => {
    const read = ann.create("plan", { step: 1 });
    expect(ann.lock("plan")).toBe(true);
    const updated = ann.update("plan", { step: 2 }, read);
    expect([updated.version, updated.lockedBy]).toEqual(["2", "ann"]);
    refusal("LOCKED", () => bob.update("plan", { step: 3 }, updated));
    refusal("LOCKED", () => manager.update("plan", { step: 3 }, updated));
    refusal("LOCKED", () => bob.delete("plan"));
    expect(manager.get("plan")?.data.step).toBe(2);
  });

  it("tells who holds a lock, since when and until when", () => {
    ann.create("plan", { step: 1 });
    ann.lock("plan", { ttlMs: 5_000 });
    clock.advance(1_000);
    const { details, message } = refusal("LOCKED", () => bob.update("plan", { step: 2 }, "1"));
    expect(details).toEqual({
      contextId: "plan",
      owner: "ann",
      since: new Date(clock.wallMs() - 1_000),
      expiresAt: new Date(clock.wallMs() + 4_000),
    });
    expect(message).toContain(
      'locked by "ann" (since 2026-01-31T09:30:00.000+00:00, expires 2026-01-31T09:30:05.000+00:00)',
    );
  });

  it("keeps the token when it locks again, and moves the expiry only when asked to", () => {
    ann.create("plan", { step: 1 });
    ann.lock("plan", { ttlMs: 1_000 });
    const first = manager.get("plan")!.lock!;
    clock.advance(500);
    expect(ann.lock("plan")).toBe(true);
    expect(manager.get("plan")!.lock).toEqual(first);
    expect(ann.lock("plan", { ttlMs: 1_000 })).toBe(true);
    expect(manager.get("plan")!.lock).toEqual({ ...first, expiresAt: new Date(clock.wallMs() + 1_000) });
    expect(ann.lock("plan", { ttlMs: Infinity })).toBe(true);
    expect(manager.get("plan")!.lock?.expiresAt).toBeNull();
  });

  it("respects the lock of another where the manager does not: delete", () => {
    const read = ann.create("plan", { step: 1 });
    ann.lock("plan");
    refusal("LOCKED", () => bob.delete("plan", "stale"));
    refusal("CONFLICT", () => ann.delete("plan", "stale"));
    expect(ann.delete("plan", read)).toBe(true);
    expect(ann.delete("plan")).toBe(false);
    ann.create("plan", { step: 1 });
    ann.lock("plan");
    expect(manager.delete("plan")).toBe(true);
  });

  it("refuses bad options, and nothing is changed", async () => {
    ann.create("plan", { step: 1 });
    const before = contentOf(manager);
    const path = async (promise: Promise<unknown>): Promise<string> =>
      (await refusalOf("INVALID", promise)).details.path;
    expect(await path(ann.acquire("plan", { ttlMs: 0 }))).toBe("/ttlMs");
    expect(await path(ann.acquire("plan", { timeoutMs: -1 }))).toBe("/timeoutMs");
    expect(await path(ann.acquire("plan", { maxHoldMs: Number.NaN }))).toBe("/maxHoldMs");
    expect(await path(ann.acquire("plan", { signal: {} as AbortSignal }))).toBe("/signal");
    const { message } = await refusalOf("INVALID", ann.acquire([]));
    expect(message).toBe("contextIds: expected a context id, or a list of at least one; received an empty list");
    expect(await path(ann.acquire(["plan", 7 as never]))).toBe("/1");
    expect(await path(ann.acquire("plan", 7 as never))).toBe("");
    expect(refusal("INVALID", () => ann.lock("plan", { ttlMs: "1" as never })).details.path).toBe("/ttlMs");
    expect(refusal("INVALID", () => ann.update("plan", { step: 2 }, "1", { note: 1 as never })).details.path).toBe(
      "/note",
    );
    expect(refusal("INVALID", () => manager.forceUnlock("plan", {} as never)).details.path).toBe("/reason");
    expect(contentOf(manager)).toBe(before);
  });
});

describe("closing an agent", () => {
  it("releases what it holds and leaves its queues; the next in line moves up", async () => {
    for (const id of ["a", "b", "c"]) manager.create(id, { step: 0 });
    const lease = await ann.acquire(["a", "b"]);
    bob.lock("c");
    const waiting = refusalOf("CLOSED", ann.acquire("c"));
    const next = manager.agent("cyd").acquire("a");
    ann.close();
    ann.close();
    expect((await waiting).details).toEqual({ agentId: "ann" });
    expect((await next).token).toBeGreaterThan(lease.token);
    expect(manager.get("b")?.lockedBy).toBeNull();
    expect(refusal("LEASE_LOST", () => lease.renew()).details.reason).toBe("its agent was closed");
  });

  it("refuses every later call of that handle, and no other", async () => {
    manager.create("plan", { step: 1 });
    ann.close();
    const calls = [
      () => ann.create("x", { step: 1 }),
      () => ann.update("plan", { step: 2 }, "1"),
      () => ann.delete("plan"),
      () => ann.lock("plan"),
      () => ann.unlock("plan"),
    ];
    for (const call of calls) refusal("CLOSED", call);
    await refusalOf("CLOSED", ann.acquire("plan"));
    await refusalOf(
      "CLOSED",
      ann.withLock("plan", () => 1),
    );
    expect(manager.agent("ann").lock("plan")).toBe(true);
  });
});

describe("withLock", () => {
  it("runs under a lease and releases it, whatever happens", async () => {
    manager.create("plan", { step: 1 });
    const result = await ann.withLock("plan", (lease) => {
      expect(manager.get("plan")?.lock?.token).toBe(lease.token);
      return lease.update("plan", { step: 2 }, "1").version;
    });
    expect([result, manager.get("plan")?.lockedBy]).toEqual(["2", null]);
    const failing = ann.withLock("plan", () => Promise.reject(new RangeError("boom")));
    await expect(failing).rejects.toThrow("boom");
    expect(manager.get("plan")?.lockedBy).toBeNull();
  });

  it("is LEASE_LOST when the work ended well but the lease did not last", async () => {
    manager.create("plan", { step: 1 });
    const lost = ann.withLock("plan", () => manager.forceUnlock("plan", { reason: "hangs" }));
    expect((await refusalOf("LEASE_LOST", lost)).details.reason).toContain("hangs");
  });

  it("is INVALID without a function, and takes nothing", async () => {
    manager.create("plan", { step: 1 });
    const { details } = await refusalOf("INVALID", ann.withLock("plan", 5 as never));
    expect([details.argument, manager.get("plan")?.lockedBy]).toEqual(["run", null]);
  });

  it("tells first what went wrong first", async () => {
    manager.create("plan", { step: 1 });
    const failing = ann.withLock("plan", () => {
      manager.forceUnlock("plan", { reason: "hangs" });
      throw new RangeError("boom");
    });
    await expect(failing).rejects.toThrow("boom");
  });
});

describe("forceUnlock", () => {
  it("breaks a lock and tells its holder why", async () => {
    manager.create("plan", { step: 1 });
    const lease = await ann.acquire("plan");
    const heard: unknown[] = [];
    lease.signal.addEventListener("abort", () => heard.push(lease.signal.reason));
    expect(manager.forceUnlock("plan", { reason: "it hangs", agentId: "operator" })).toBe(true);
    expect(manager.forceUnlock("plan", { reason: "it hangs" })).toBe(false);
    expect(isContextError(heard[0], "LEASE_LOST")).toBe(true);
    const { message } = refusal("LEASE_LOST", () => lease.update("plan", { step: 2 }, "1"));
    expect(message).toContain('"operator" had it unlocked by force: it hangs');
    refusal("NOT_FOUND", () => manager.forceUnlock("missing", { reason: "x" }));
    await settled();
    expect(clock.timers).toBeLessThanOrEqual(1);
  });
});

describe("closing the manager", () => {
  it("refuses every later call of the manager, of its agents and of their leases, but closing", async () => {
    manager.create("plan", { step: 1 });
    const base = manager.create("held", { step: 1 });
    const lease = await ann.acquire("held");
    manager.close();
    const calls: Record<string, () => unknown> = {
      create: () => manager.create("x", { step: 1 }),
      get: () => manager.get("plan"),
      update: () => manager.update("plan", { step: 2 }, "1"),
      delete: () => manager.delete("plan"),
      lock: () => manager.lock("plan", "ann"),
      unlock: () => manager.unlock("held", "ann"),
      forceUnlock: () => manager.forceUnlock("held", { reason: "test" }),
      history: () => manager.history("plan"),
      blame: () => manager.blame("plan"),
      watch: () => manager.watch(),
      subscribe: () => manager.subscribe(undefined, () => undefined),
      waitFor: () => manager.waitFor("plan", () => true),
      stats: () => manager.stats(),
      agent: () => manager.agent("ann"),
      listContexts: () => manager.listContexts(),
      clear: () => manager.clear(),
      size: () => manager.size,
      iteration: () => [...manager],
      toDict: () => manager.toDict(),
      toJSON: () => JSON.stringify(manager),
      "agent.create": () => ann.create("x", { step: 1 }),
      "agent.update": () => ann.update("plan", { step: 2 }, "1"),
      "agent.patch": () => ann.patch("plan", { step: 2 }),
      "agent.merge": () => ann.merge(base, { step: 2 }),
      "agent.modify": () => ann.modify("plan", ({ data }) => data),
      "agent.restore": () => ann.restore("plan", "1"),
      "agent.delete": () => ann.delete("plan"),
      "agent.transact": () => ann.transact(() => 1),
      "agent.lock": () => ann.lock("plan"),
      "agent.unlock": () => ann.unlock("plan"),
      "agent.acquire": () => ann.acquire("plan"),
      "agent.withLock": () => ann.withLock("plan", () => 1),
      "lease.update": () => lease.update("held", { step: 2 }, "1"),
      "lease.patch": () => lease.patch("held", { step: 2 }),
      "lease.merge": () => lease.merge(base, { step: 2 }),
      "lease.modify": () => lease.modify("held", ({ data }) => data),
      "lease.restore": () => lease.restore("held", "1"),
      "lease.delete": () => lease.delete("held"),
      "lease.transact": () => lease.transact(() => 1),
      "lease.renew": () => lease.renew(),
      "lease.release": () => lease.release(),
    };
    const open: string[] = [];
    for (const [name, call] of Object.entries(calls)) {
      // Some refuse at once, and some by their promise.
      const outcome = await Promise.resolve()
        .then(call)
        .catch((error: unknown) => error);
      if (!isContextError(outcome, "CLOSED")) open.push(name);
    }
    expect(open).toEqual([]);
    ann.close();
    await lease[Symbol.asyncDispose]();
    manager.close();
  });
});
