/** What has been going on in a manager, in numbers. */

import { type Agent, ERROR_CODES, SharedContextManager } from "shared-context-manager";
import { beforeEach, describe, expect, it } from "vitest";
import { type ManualClock, manualClock, refusal, refusalOf, settled } from "./support.ts";

interface Step {
  readonly step?: number;
  readonly name?: string;
}

let clock: ManualClock;
let manager: SharedContextManager<Step>;
let ann: Agent<Step>;
let bob: Agent<Step>;

beforeEach(() => {
  clock = manualClock();
  manager = new SharedContextManager<Step>({ clock });
  ann = manager.agent("ann");
  bob = manager.agent("bob");
});

describe("stats", () => {
  it("begins with nothing, and has every code among the refusals", () => {
    const refusals = Object.fromEntries(Object.keys(ERROR_CODES).map((code) => [code, 0]));
    expect(manager.stats()).toEqual({
      contexts: 0,
      revision: 0,
      writes: 0,
      merges: 0,
      conflicts: 0,
      refusals,
      lockWaits: 0,
      queues: [],
      leasesLost: 0,
      watchers: 0,
      lag: 0,
    });
  });

  it("is as it was when it was asked for", () => {
    const before = manager.stats();
    manager.create("a", {});
    refusal("EXISTS", () => manager.create("a", {}));
    expect([before.contexts, before.writes, before.refusals.EXISTS]).toEqual([0, 0, 0]);
  });

  it("is CLOSED with the manager", () => {
    manager.close();
    refusal("CLOSED", () => manager.stats());
  });

  it("counts the contexts that there are", () => {
    for (const id of ["a", "b", "c"]) manager.create(id, {});
    manager.delete("a");
    expect(manager.stats().contexts).toBe(2);
    manager.clear();
    expect(manager.stats().contexts).toBe(0);
  });

  it("has the revision of the last commit, whatever that did", () => {
    manager.create("a", {});
    ann.lock("a");
    expect(manager.stats().revision).toBe(2);
    refusal("LOCKED", () => bob.update("a", {}, "1"));
    expect(manager.stats().revision).toBe(2);
    manager.clear();
    expect(manager.stats().revision).toBe(3);
  });

  it("goes on with the revision of a dump, and begins again with the rest", () => {
    manager.create("a", {});
    manager.update("a", {}, "1");
    const { revision, contexts, writes } = SharedContextManager.fromDict(manager.toDict()).stats();
    expect([revision, contexts, writes]).toEqual([2, 1, 0]);
  });
});

describe("the writes", () => {
  it("are creations, updates and deletions, and a clearing is one", () => {
    manager.create("a", {});
    manager.update("a", { step: 1 }, "1");
    ann.patch("a", { step: 2 });
    ann.modify("a", () => ({ step: 3 }));
    manager.delete("a");
    expect(manager.stats().writes).toBe(5);
    for (const id of ["a", "b", "c"]) manager.create(id, {});
    manager.clear();
    expect(manager.stats().writes).toBe(9);
  });

  it("are not locks, renewals, refusals, or what makes no difference", async () => {
    manager.create("a", { step: 1 });
    ann.lock("a", { ttlMs: 100 });
    ann.lock("a", { ttlMs: 200 });
    ann.patch("a", { step: 1 });
    manager.delete("b");
    refusal("LOCKED", () => bob.delete("a"));
    ann.unlock("a");
    (await bob.acquire("a")).release();
    manager.forceUnlock("a", { reason: "none" });
    expect(manager.stats().writes).toBe(1);
  });

  it("of a transaction count one for each context, and none when it is undone", () => {
    manager.create("a", {});
    ann.transact((tx) => {
      tx.update("a", { step: 1 });
      tx.update("a", { step: 2 });
      tx.create("b", {});
      tx.get("c");
    });
    expect(manager.stats().writes).toBe(3);
    expect(() =>
      ann.transact((tx) => {
        tx.delete("a");
        throw new RangeError("no");
      }),
    ).toThrow("no");
    expect(manager.stats().writes).toBe(3);
    ann.transact((tx) => {
      tx.delete("a");
      tx.create("a", {});
    });
    expect(manager.stats().writes).toBe(4);
  });
});

describe("the merges", () => {
  it("are the writes that were put together with what others had changed", () => {
    const base = manager.create("a", { step: 1 });
    ann.patch("a", { name: "one" });
    expect(manager.stats().merges).toBe(0);
    ann.patch("a", { step: 2 }, base);
    expect(manager.stats().merges).toBe(1);
    bob.merge(base, { ...base.data });
    ann.patch("a", { step: 2 }, base); // the same change again makes no difference
    expect(manager.stats().merges).toBe(1);
    refusal("CONFLICT", () => ann.patch("a", { step: 3 }, base));
    expect([manager.stats().merges, manager.stats().conflicts]).toEqual([1, 1]);
  });

  it("are counted in transactions as well", () => {
    const base = manager.create("a", { step: 1 });
    ann.patch("a", { name: "one" });
    ann.transact((tx) => tx.patch("a", { step: 2 }, base));
    expect(manager.stats().merges).toBe(1);
  });

  it("are not counted when the write is refused after all", () => {
    const base = manager.create("a", { step: 1 });
    ann.patch("a", { name: "one" });
    ann.transact(() => refusal("INVALID", () => bob.patch("a", { step: 2 }, base)));
    expect(manager.stats().merges).toBe(0);
  });
});

describe("the refusals", () => {
  it("are counted by code, and the conflicts among them once more", async () => {
    manager = new SharedContextManager<Step>({ clock, maxContexts: 1, maxDataBytes: 50 });
    [ann, bob] = [manager.agent("ann"), manager.agent("bob")];
    manager.create("a", {});
    refusal("EXISTS", () => manager.create("a", {}));
    refusal("LIMIT", () => manager.create("b", {}));
    refusal("NOT_FOUND", () => manager.update("b", {}, "1"));
    refusal("NOT_FOUND", () => ann.patch("b", {}));
    refusal("CONFLICT", () => manager.update("a", {}, "2"));
    refusal("TOO_LARGE", () => manager.update("a", { name: "x".repeat(100) }, "1"));
    refusal("INVALID", () => manager.update("a", { step: Number.NaN }, "1"));
    const lease = await ann.acquire("a");
    refusal("LOCKED", () => bob.update("a", {}, "1"));
    refusal("CONFLICT", () => lease.update("a", {}, "2"));
    await refusalOf("DEADLOCK", ann.acquire("a"));
    await refusalOf("TIMEOUT", bob.acquire("a", { timeoutMs: 0 }));
    await refusalOf(
      "TIMEOUT",
      manager.waitFor("a", () => false, { timeoutMs: 0 }),
    );
    manager.forceUnlock("a", { reason: "hangs" });
    refusal("LEASE_LOST", () => lease.update("a", {}, "1"));
    const { refusals, conflicts } = manager.stats();
    expect(Object.entries(refusals).filter(([, times]) => times > 0)).toEqual(
      Object.entries({
        EXISTS: 1,
        NOT_FOUND: 2,
        LOCKED: 1,
        CONFLICT: 2,
        LEASE_LOST: 1,
        DEADLOCK: 1,
        TIMEOUT: 2,
        INVALID: 1,
        TOO_LARGE: 1,
        LIMIT: 1,
      }).toSorted(([one], [other]) => Object.keys(refusals).indexOf(one) - Object.keys(refusals).indexOf(other)),
    );
    expect(conflicts).toBe(2);
  });

  it.each<[string, () => unknown]>([
    ["lock", () => manager.lock("a", "ann")],
    ["unlock", () => ann.unlock("a")],
    ["forceUnlock", () => manager.forceUnlock("a", { reason: "hangs" })],
    ["modify", () => ann.modify("a", () => ({}))],
    ["restore", () => ann.restore("a", "1")],
    ["a transaction", () => ann.transact((tx) => tx.patch("a", {}))],
  ])("with NOT_FOUND are counted wherever they come from: %s", (_name, call) => {
    refusal("NOT_FOUND", call);
    expect(manager.stats().refusals.NOT_FOUND).toBe(1);
  });

  it("with NOT_FOUND are counted wherever they come from: acquire", async () => {
    await refusalOf("NOT_FOUND", ann.acquire("a"));
    expect(manager.stats().refusals.NOT_FOUND).toBe(1);
  });

  it("of a lock that is not free are answers, not refusals", () => {
    manager.create("a", {});
    ann.lock("a");
    expect([bob.lock("a"), manager.lock("a", "bob"), manager.unlock("a", "bob")]).toEqual([false, false, false]);
    expect(Object.values(manager.stats().refusals).every((times) => times === 0)).toBe(true);
  });

  it("in a transaction are counted, whatever becomes of it", () => {
    ann.transact((tx) => refusal("NOT_FOUND", () => tx.update("a", {})));
    refusal("INVALID", () => ann.transact(() => Promise.resolve()));
    const { NOT_FOUND, INVALID } = manager.stats().refusals;
    expect([NOT_FOUND, INVALID]).toEqual([1, 1]);
  });

  it("of arguments are not counted", () => {
    refusal("INVALID", () => manager.create(1 as never, {}));
    refusal("INVALID", () => manager.update("a", 1 as never, "1"));
    expect(manager.stats().refusals.INVALID).toBe(0);
  });

  it("of each attempt of modify are counted", () => {
    manager.create("a", { step: 0 });
    let runs = 0;
    ann.modify("a", () => {
      if (++runs < 3) manager.update("a", { step: runs }, String(runs));
      return { step: 9 };
    });
    expect([runs, manager.stats().conflicts]).toEqual([3, 2]);
  });
});

describe("locks", () => {
  it("that somebody has to wait for are counted, and the queues as they are now, with who stands in them", async () => {
    for (const id of ["a", "b", "c"]) manager.create(id, {});
    const lease = await ann.acquire("a");
    await refusalOf("TIMEOUT", manager.agent("dan").acquire("a", { timeoutMs: 0 }));
    const one = bob.acquire("a");
    const both = manager.agent("cyd").acquire(["b", "a"]);
    expect(manager.stats().queues.toSorted((x, y) => (x.contextId < y.contextId ? -1 : 1))).toEqual([
      { contextId: "a", waiting: 2, agentIds: ["bob", "cyd"] },
      { contextId: "b", waiting: 1, agentIds: ["cyd"] },
    ]);
    lease.release();
    (await one).release();
    (await both).release();
    const { queues, lockWaits } = manager.stats();
    expect([queues, lockWaits]).toEqual([[], 3]);
  });

  it("that are free at once are no waits", async () => {
    manager.create("a", {});
    (await ann.acquire("a")).release();
    ann.lock("a");
    bob.lock("a");
    expect(manager.stats().lockWaits).toBe(0);
  });

  it("that a lease loses are counted once for each lease", async () => {
    for (const id of ["a", "b"]) manager.create(id, {});
    const lease = await ann.acquire(["a", "b"]);
    manager.clear();
    refusal("LEASE_LOST", () => lease.renew());
    expect(manager.stats().leasesLost).toBe(1);
    manager.create("a", {});
    (await ann.acquire("a", { ttlMs: 100, maxHoldMs: 0 })).release();
    const own = await ann.acquire("a", { ttlMs: 100, maxHoldMs: 0 });
    own.delete("a");
    expect(manager.stats().leasesLost).toBe(1);
    manager.create("a", {});
    await ann.acquire("a", { ttlMs: 100, maxHoldMs: 0 });
    clock.advance(100);
    expect(manager.stats().leasesLost).toBe(1);
    await bob.acquire("a");
    expect(manager.stats().leasesLost).toBe(2);
  });
});

describe("the watchers", () => {
  it("are those who watch, subscribe or wait for a condition", async () => {
    const stream = manager.watch(undefined, { after: 0 });
    const wait = stream.next();
    const unsubscribe = manager.subscribe("a", () => undefined);
    const condition = manager.waitFor("a", () => true);
    expect(manager.stats().watchers).toBe(3);
    manager.create("a", {});
    expect(manager.stats().watchers).toBe(2);
    unsubscribe();
    expect(manager.stats().watchers).toBe(1);
    await stream.return!();
    expect(manager.stats().watchers).toBe(0);
    await Promise.all([wait, condition]);
  });

  it("that have read everything have no lag", async () => {
    expect(manager.stats().lag).toBe(0);
    const stream = manager.watch(undefined, { after: 0 });
    const wait = stream.next();
    expect(manager.stats().lag).toBe(0);
    manager.create("a", {});
    await wait;
    void stream.next();
    await settled();
    expect(manager.stats().lag).toBe(0);
    manager.subscribe(undefined, () => undefined);
    manager.update("a", {}, "1");
    await settled();
    expect(manager.stats().lag).toBe(0);
  });

  it("that have not have the lag of the slowest", async () => {
    manager.create("a", {});
    const slow = manager.watch("a", { after: 1 });
    for (let step = 1; step <= 5; step++) ann.patch("a", { step });
    const quick = manager.watch("a", { after: 6 });
    for (let step = 6; step <= 8; step++) ann.patch("a", { step });
    expect(manager.stats().lag).toBe(8);
    await slow.return!();
    expect(manager.stats().lag).toBe(3);
    await quick.return!();
    expect(manager.stats().lag).toBe(0);
  });

  it("have the lag of what is for them: changes of other contexts are not theirs to read", () => {
    manager.create("a", {});
    manager.create("b", {});
    manager.watch("a", { after: 2 });
    manager.subscribe("b", () => undefined);
    ann.patch("a", { step: 1 });
    for (let step = 1; step <= 5; step++) ann.patch("b", { step });
    expect(manager.stats().lag).toBe(1);
  });
});
