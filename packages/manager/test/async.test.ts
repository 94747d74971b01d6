/** The asynchronous manager: what the kit does not ask of it, because it goes by a clock or is its alone. */

import {
  type AsyncSharedContextManager,
  isContextError,
  openManager,
  type OpenOptions,
  SharedContextManager,
} from "shared-context-manager";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { follow, type ManualClock, manualClock, refusal, refusalOf } from "./support.ts";

const LIMITS = { historyLimit: 8, changeLogLimit: 1_000 };

let clock: ManualClock;
let manager: AsyncSharedContextManager;

beforeEach(async () => {
  clock = manualClock();
  manager = await openManager("memory:", { clock, ...LIMITS });
});

afterEach(() => manager.close());

/** Lets everything happen that takes no time of its own. */
async function passing(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
}

describe("the dictionary", () => {
  it("is that of the synchronous manager, to the millisecond", async () => {
    const sync = new SharedContextManager({ clock, ...LIMITS });
    for (const one of [sync, manager]) {
      for (const id of ["b", "a"]) await one.create(id, { id });
      await one.lock("a", "ann", { ttlMs: 1_000 });
    }
    expect(await manager.toDict()).toEqual(sync.toDict());
    expect(SharedContextManager.fromDict(await manager.toDict(), { clock }).toDict()).toEqual(sync.toDict());
  });
});

describe("page", () => {
  it("has the contexts of a prefix in the order of creation, and tells where the next one goes on", async () => {
    for (const id of ["a1", "b1", "a3", "a2"]) await manager.create(id, { id });
    const first = await manager.page({ prefix: "a", limit: 2 });
    expect(first.contexts.map(({ contextId }) => contextId)).toEqual(["a1", "a3"]);
    // What goes meanwhile moves nothing, and what comes is last.
    await manager.delete("a1");
    await manager.create("a4", {});
    const second = await manager.page({ prefix: "a", limit: 2, after: first.next ?? "" });
    expect(second).toMatchObject({ contexts: [{ contextId: "a2", data: { id: "a2" } }, { contextId: "a4" }] });
    expect(second.next).toBeUndefined();
    expect((await manager.page()).contexts).toHaveLength(4);
  });

  it.each([{ limit: 0 }, { limit: 1.5 }, { limit: Infinity }, { prefix: 1 }, { after: 1 }, null])(
    "refuses %j",
    async (options) => {
      expect((await refusalOf("INVALID", manager.page(options as never))).details.argument).toBe("options");
    },
  );
});

describe("commands of one turn", () => {
  it("are carried out in their order, each on what the one before has left", async () => {
    const agent = manager.agent("ann");
    const outcomes = await Promise.allSettled([
      manager.create("a", { step: 1 }),
      manager.create("a", {}),
      agent.patch("a", { step: 2 }),
      manager.update("a", { step: 3 }, "2"),
      manager.update("a", { step: 4 }, "2"),
      manager.delete("a"),
      manager.create("a", { step: 5 }),
    ]);
    const told = outcomes.map((one) =>
      one.status === "fulfilled" ? one.status : (one.reason as { code: string }).code,
    );
    expect(told).toEqual(["fulfilled", "EXISTS", "fulfilled", "fulfilled", "CONFLICT", "fulfilled", "fulfilled"]);
    expect(await manager.get("a")).toMatchObject({ version: "1", data: { step: 5 } });
  });

  it("take the data as it is when they are called", async () => {
    const data = { list: [1] };
    const creation = manager.create("a", data);
    data.list.push(2);
    expect((await creation).data).toEqual({ list: [1] });
  });

  it("do not disturb one another by what is wrong with one of them", async () => {
    const [wrong, right] = await Promise.allSettled([
      manager.create("a", { date: new Date() as never }),
      manager.create("b", {}),
    ]);
    expect([wrong.status, right.status]).toEqual(["rejected", "fulfilled"]);
  });
});

describe("filters that no id of a storage can pass", () => {
  it.each(["a\0b", "\ud800"])("%j is INVALID, as an id and as a prefix, whatever reads it", async (text) => {
    for (const filter of [text, { prefix: text }]) {
      for (const call of [() => manager.watch(filter), () => manager.subscribe(filter, () => undefined)]) {
        expect(refusal("INVALID", call).details.argument).toBe("filter");
      }
    }
    expect((await refusalOf("INVALID", manager.page({ prefix: text }))).details.path).toBe("/prefix");
  });
});

describe("ids that no storage can keep", () => {
  it.each(["", "a\0b", "\ud800", "a\udc00b", "é".repeat(257), "x".repeat(513)])("%j is INVALID", async (id) => {
    const agent = manager.agent("ann");
    const calls = [
      manager.create(id, {}),
      manager.get(id),
      manager.update(id, {}, "1"),
      manager.delete(id),
      manager.lock(id, "ann"),
      agent.patch(id, {}),
      manager.history(id),
      agent.acquire(id),
      agent.transact((tx) => tx.create(id, {})),
    ];
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({ reason: { code: "INVALID", details: { argument: "contextId" } } });
    }
    expect(await manager.listContexts()).toEqual([]);
  });

  it("512 bytes are kept", async () => {
    for (const id of ["x".repeat(512), "é".repeat(256), "🤖".repeat(128)]) await manager.create(id, {});
    expect(await manager.size()).toBe(3);
  });
});

describe("openManager", () => {
  it.each(["", "memory", "file:x", "ftp://x", 1, undefined, null])("refuses the URL %j", async (url) => {
    expect((await refusalOf("INVALID", openManager(url as string))).details).toMatchObject({ argument: "url" });
  });

  it("refuses parameters that the storage does not know", async () => {
    for (const url of ["memory:?synchronous=full", "sqlite:x.db?timeout=5"]) {
      expect((await refusalOf("INVALID", openManager(url))).details.path).toMatch(/^\?(synchronous|timeout)$/);
    }
  });

  it.each<OpenOptions>([
    { historyLimit: -1 },
    { changeLogLimit: 0.5 },
    { maxContexts: Number.NaN },
    { maxDataBytes: "1" as never },
    { clock: {} as never },
    { schema: 1 as never },
    null as never,
  ])("refuses the options %j", async (options) => {
    expect((await refusalOf("INVALID", openManager("memory:", options))).details).toMatchObject({
      argument: "options",
    });
  });

  it("keeps to the limits it was opened with", async () => {
    await using limited = await openManager("memory:", { maxContexts: 1, maxDataBytes: 20, historyLimit: 1 });
    await refusalOf("TOO_LARGE", limited.create("a", { text: "x".repeat(20) }));
    await limited.create("a", {});
    await refusalOf("LIMIT", limited.create("b", {}));
    const agent = limited.agent("ann");
    for (const step of [1, 2, 3]) await agent.patch("a", { step });
    expect((await limited.history("a")).map(({ version }) => version)).toEqual(["3", "4"]);
    expect(limited.supports).toEqual({ durable: false, shared: false });
  });
});

describe("a patch", () => {
  it("whose test fails is a CONFLICT, so that a task is claimed once", async () => {
    await manager.create("plan", { tasks: [{ id: 3, owner: null }] });
    const claim = (agentId: string): Promise<unknown> =>
      manager.agent(agentId).patch("plan", [
        { op: "test", path: "/tasks/id=3/owner", value: null },
        { op: "set", path: "/tasks/id=3/owner", value: agentId },
      ]);
    const outcomes = await Promise.allSettled([claim("ann"), claim("bob")]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    const { details } = await refusalOf("CONFLICT", claim("cyd"));
    expect(details.conflicts).toMatchObject([{ path: "/tasks/id=3/owner", yours: null, theirs: "ann" }]);
  });
});

describe("modify", () => {
  it("runs again when somebody was faster, up to so many times", async () => {
    const agent = manager.agent("ann");
    await manager.create("a", { step: 0 });
    let runs = 0;
    const interfering = async (): Promise<{ mine: number }> => {
      runs += 1;
      if (runs < 3) await manager.agent("bob").patch("a", { step: runs });
      return { mine: runs };
    };
    const modification = agent.modify("a", interfering);
    await whileAdvancing(modification);
    expect((await modification).data).toEqual({ mine: 3 });
    runs = 0;
    await refusalOf("CONFLICT", agent.modify("a", interfering, { attempts: 1 }));
  });

  it("merges where it is told to, and runs once then", async () => {
    await manager.create("a", { left: 0, right: 0 });
    const merged = await manager.agent("ann").modify(
      "a",
      async ({ data }) => {
        await manager.agent("bob").patch("a", { right: 1 });
        return { ...data, left: 1 };
      },
      { merge: true },
    );
    expect(merged.data).toEqual({ left: 1, right: 1 });
  });

  it("stops for its signal, and nothing is written", async () => {
    await manager.create("a", {});
    const controller = new AbortController();
    const reason = new Error("enough");
    const forever = new Promise<never>(() => {});
    const modification = manager.agent("ann").modify("a", () => forever, controller);
    await passing();
    controller.abort(reason);
    await expect(modification).rejects.toBe(reason);
    expect((await manager.get("a"))?.version).toBe("1");
  });
});

/** Moves the clock on until a promise is settled. */
async function whileAdvancing(promise: Promise<unknown>): Promise<void> {
  const progress = { isSettled: false };
  const settle = (): boolean => (progress.isSettled = true);
  void promise.then(settle, settle);
  while (!progress.isSettled) {
    await passing();
    clock.advance(500);
  }
}

describe("transact", () => {
  beforeEach(async () => {
    for (const id of ["x", "y"]) await manager.create(id, { credits: 100 });
  });

  it("commits all of it under one revision, or nothing", async () => {
    const agent = manager.agent("bank");
    await agent.transact(async (tx) => {
      await tx.patch("x", [{ op: "increment", path: "/credits", value: -30 }]);
      await tx.patch("y", [{ op: "increment", path: "/credits", value: 30 }]);
    });
    const [x, y] = await Promise.all([manager.get("x"), manager.get("y")]);
    expect([x?.data, y?.data]).toEqual([{ credits: 70 }, { credits: 130 }]);
    expect(x?.revision).toBe(y?.revision);
    const failure = agent.transact(async (tx) => {
      await tx.delete("x");
      await tx.create("x", { credits: 0 });
      await tx.create("y", {});
    });
    await refusalOf("EXISTS", failure);
    expect((await manager.get("x"))?.data).toEqual({ credits: 70 });
  });

  it("shows what it has written so far, and nobody else sees it", async () => {
    await manager.agent("bank").transact(async (tx) => {
      await tx.update("x", { credits: 1 });
      expect([(await tx.get("x"))?.data, (await manager.get("x"))?.data]).toEqual([{ credits: 1 }, { credits: 100 }]);
      await tx.delete("x");
      expect(await tx.get("x")).toBeUndefined();
    });
    expect(await manager.get("x")).toBeUndefined();
  });

  it.each(["not read before", "read before"])(
    "refuses to commit without a call that nobody has awaited: %s",
    async (when) => {
      const failure = manager.agent("bank").transact(async (tx) => {
        if (when === "read before") await tx.get("y");
        await tx.patch("x", [{ op: "increment", path: "/credits", value: -30 }]);
        void tx.patch("y", [{ op: "increment", path: "/credits", value: 30 }]).catch(() => undefined);
      });
      const { message } = await refusalOf("INVALID", failure);
      expect(message).toBe("tx: expected each of its calls awaited before its function ends; received 1 under way");
      expect([(await manager.get("x"))?.version, (await manager.get("y"))?.version]).toEqual(["1", "1"]);
    },
  );

  it("runs again when what it has read has changed", async () => {
    const seen: unknown[] = [];
    const transaction = manager.agent("bank").transact(async (tx) => {
      const credits = (await tx.get("x"))?.data["credits"];
      seen.push(credits);
      if (seen.length === 1) await manager.agent("bob").patch("x", { credits: 5 });
      await tx.update("y", { copy: credits });
    });
    await whileAdvancing(transaction);
    expect([seen, (await manager.get("y"))?.data]).toEqual([[100, 5], { copy: 5 }]);
  });

  it("runs again when it has thrown at what was half old and half new", async () => {
    let runs = 0;
    const transaction = manager.agent("bank").transact(async (tx) => {
      runs += 1;
      const x = (await tx.get("x"))?.data["credits"];
      if (runs === 1) for (const id of ["x", "y"]) await manager.agent("bob").patch(id, { credits: 50 });
      const y = (await tx.get("y"))?.data["credits"];
      if (x !== y) throw new Error("the books are wrong");
      return x;
    });
    await expect(transaction).resolves.toBe(50);
    expect(runs).toBe(2);
  });

  it("hands on what it has thrown at what is so", async () => {
    const error = new Error("no");
    await expect(
      manager.agent("bank").transact(async (tx) => {
        await tx.get("x");
        throw error;
      }),
    ).rejects.toBe(error);
  });

  it("is over when its function has returned", async () => {
    const { tx } = await manager.agent("bank").transact((tx) => ({ tx }));
    expect((await refusalOf("INVALID", tx.get("x"))).details.argument).toBe("tx");
  });

  it("respects the locks of others, and writes by the token of a lease", async () => {
    const lease = await manager.agent("ann").acquire("x");
    await refusalOf(
      "LOCKED",
      manager.agent("bank").transact((tx) => tx.patch("x", { credits: 0 })),
    );
    await lease.transact(async (tx) => {
      await tx.patch("x", { credits: 0 });
      await tx.patch("y", { credits: 0 });
    });
    await lease.transact((tx) => tx.delete("x"));
    expect([await manager.get("x"), lease.expiresAt]).toEqual([undefined, null]);
  });
});

describe("a lease", () => {
  beforeEach(() => manager.create("a", {}));

  it("renews itself at a third of its time to live, until it may be held no longer", async () => {
    await manager.agent("ann").acquire("a", { ttlMs: 900, maxHoldMs: 2_000 });
    const deadlines: (number | undefined)[] = [];
    for (let third = 0; third < 8; third++) {
      clock.advance(300);
      await passing();
      deadlines.push((await manager.get("a"))?.lock?.expiresAt?.getTime());
    }
    expect(new Set(deadlines).size).toBeGreaterThan(3);
    clock.advance(900);
    expect(await manager.lock("a", "bob")).toBe(true);
  });

  it("is taken over when nothing renews it, and lost then for good", async () => {
    const lease = await manager.agent("ann").acquire("a", { ttlMs: 1_000, maxHoldMs: 0 });
    clock.advance(999);
    expect(await manager.lock("a", "bob")).toBe(false);
    clock.advance(1);
    expect(await manager.lock("a", "bob")).toBe(true);
    expect((await refusalOf("LEASE_LOST", lease.patch("a", {}))).details).toMatchObject({ token: lease.token });
    await manager.unlock("a", "bob");
    await refusalOf("LEASE_LOST", lease.renew());
    await refusalOf("LEASE_LOST", lease.release());
    expect((await manager.stats()).leasesLost).toBe(1);
  });

  it("is not moved by jumps of the wall clock", async () => {
    const lease = await manager.agent("ann").acquire("a", { ttlMs: 1_000, maxHoldMs: 0 });
    for (const hour of [3_600_000, -7_200_000]) {
      clock.jumpWall(hour);
      expect(await manager.lock("a", "bob")).toBe(false);
    }
    await lease.patch("a", { step: 1 });
    clock.advance(1_000);
    expect(await manager.lock("a", "bob")).toBe(true);
  });

  it("aborts its signal when it is lost", async () => {
    const lease = await manager.agent("ann").acquire("a");
    const { signal } = lease;
    await manager.forceUnlock("a", { reason: "stuck" });
    await passing();
    expect(signal.aborted).toBe(true);
    expect(isContextError(signal.reason, "LEASE_LOST")).toBe(true);
  });

  it("is released at the end of its block, and twice does no harm", async () => {
    {
      await using lease = await manager.agent("ann").acquire("a");
      await lease.release();
      await lease.release();
    }
    {
      await using lease = await manager.agent("ann").acquire("a");
      expect((await manager.get("a"))?.lock?.token).toBe(lease.token);
    }
    expect((await manager.get("a"))?.lockedBy).toBeNull();
  });

  it("tells of its loss at the end of its block only who has not heard of it", async () => {
    const hearing = async (listens: boolean): Promise<void> => {
      await using lease = await manager.agent("ann").acquire("a");
      await manager.forceUnlock("a", { reason: "stuck" });
      if (listens) await refusalOf("LEASE_LOST", lease.patch("a", {}));
    };
    await refusalOf("LEASE_LOST", hearing(false));
    await expect(hearing(true)).resolves.toBeUndefined();
  });

  it("withLock gives it back whatever happens, and hands on what went wrong first", async () => {
    const agent = manager.agent("ann");
    expect(await agent.withLock("a", (lease) => lease.token)).toBeGreaterThan(0);
    const error = new Error("no");
    await expect(agent.withLock("a", () => Promise.reject(error))).rejects.toBe(error);
    await refusalOf("INVALID", agent.withLock("a", 5 as never));
    expect((await manager.get("a"))?.lockedBy).toBeNull();
  });
});

describe("waiting for a lock", () => {
  beforeEach(() => manager.create("a", {}));

  it("ends with the grant, with TIMEOUT, with the reason of the signal, or with CLOSED", async () => {
    const lease = await manager.agent("ann").acquire("a");
    const timed = manager.agent("bob").acquire("a", { timeoutMs: 100 });
    const controller = new AbortController();
    const aborted = manager.agent("cyd").acquire("a", controller);
    const dan = manager.agent("dan");
    const closed = dan.acquire("a");
    const granted = manager.agent("eve").acquire("a");
    await passing();
    expect((await manager.stats()).queues).toEqual([
      { contextId: "a", waiting: 4, agentIds: ["bob", "cyd", "dan", "eve"] },
    ]);
    controller.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    clock.advance(100);
    const { details } = await refusalOf("TIMEOUT", timed);
    expect(details).toMatchObject({ contextId: "a", timeoutMs: 100, holder: { owner: "ann" } });
    await dan.close();
    await refusalOf("CLOSED", closed);
    await lease.release();
    expect((await granted).agentId).toBe("eve");
  });

  it("ends with the reason of a signal that aborts while the lock is tried for the first time", async () => {
    await manager.agent("ann").acquire("a");
    const controller = new AbortController();
    const waiting = manager.agent("bob").acquire("a", controller);
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    expect((await manager.stats()).queues).toEqual([]);
  });

  it("in a circle is DEADLOCK at once", async () => {
    await manager.create("b", {});
    const [ann, bob] = [manager.agent("ann"), manager.agent("bob")];
    await ann.acquire("a");
    await bob.acquire("b");
    const waiting = ann.acquire("b").catch(() => undefined);
    await passing();
    expect((await refusalOf("DEADLOCK", bob.acquire("a"))).details.cycle.length).toBe(2);
    await bob.close();
    await waiting;
  });

  it("ends with NOT_FOUND when the context is deleted", async () => {
    await manager.agent("ann").acquire("a");
    const waiting = manager.agent("bob").acquire("a");
    await passing();
    await manager.delete("a");
    expect((await refusalOf("NOT_FOUND", waiting)).details.contextId).toBe("a");
  });
});

describe("watching", () => {
  it("begins with how things are, goes on with every change, and ends with close", async () => {
    await manager.create("a", {});
    const { told } = follow(manager.watch());
    const ended = follow(manager.watch("b"));
    await passing();
    await manager.agent("ann").patch("a", { step: 1 });
    await manager.create("b", {});
    await manager.delete("a");
    await passing();
    expect(told).toEqual(["1 current a", "2 updated a", "3 created b", "4 deleted a"]);
    await manager.close();
    await passing();
    expect([ended.told, ended.end]).toEqual([["3 created b"], "done"]);
  });

  it("goes on after a revision, or says that it is kept no more", async () => {
    for (const id of ["a", "b", "c"]) await manager.create(id, {});
    const { told } = follow(manager.watch({ prefix: "" }, { after: 1 }));
    await passing();
    expect(told).toEqual(["2 created b", "3 created c"]);
    await using short = await openManager("memory:", { changeLogLimit: 1 });
    // Whoever watches may lag 1,024 changes whatever the limit is.
    await Promise.all(Array.from({ length: 1_026 }, async (_, index) => short.create(String(index), {})));
    const { details } = await refusalOf("COMPACTED", short.watch(undefined, { after: 0 }).next());
    expect(details).toMatchObject({ after: 0, oldest: 3, head: 1_026 });
  });

  it("ends with the reason of its signal", async () => {
    const controller = new AbortController();
    const following = follow(manager.watch(undefined, controller));
    await passing();
    const reason = new Error("enough");
    controller.abort(reason);
    await passing();
    expect(following.end).toBe(reason);
  });

  it("subscribe calls back until it is ended, and twice does no harm", async () => {
    const heard: string[] = [];
    const end = manager.subscribe({ prefix: "a" }, ({ contextId }) => heard.push(contextId ?? "*"));
    for (const id of ["a1", "b1", "a2"]) await manager.create(id, {});
    await passing();
    end();
    end();
    await manager.create("a3", {});
    await passing();
    expect(heard).toEqual(["a1", "a2"]);
    expect((await manager.stats()).watchers).toBe(0);
  });

  it("waitFor gives the first snapshot that satisfies, or TIMEOUT with the last one", async () => {
    const waiting = manager.waitFor("a", ({ data }) => data["step"] === 2);
    const context = await manager.create("a", { step: 1 });
    await manager.update("a", { step: 2 }, context);
    expect((await waiting).version).toBe("2");
    const late = manager.waitFor("a", () => false, { timeoutMs: 100 });
    await passing();
    clock.advance(100);
    const { details } = await refusalOf("TIMEOUT", late);
    expect((details as { current?: { version: string } }).current?.version).toBe("2");
    const closed = manager.waitFor("a", () => false);
    await passing();
    await manager.close();
    await refusalOf("CLOSED", closed);
  });
});

describe("stats", () => {
  it("count refusals and merges, and tell how things are", async () => {
    const agent = manager.agent("ann");
    const base = await agent.create("a", { left: 0, right: 0 });
    await agent.patch("a", { left: 1 }, base);
    await agent.patch("a", { right: 1 }, base);
    await refusalOf("CONFLICT", manager.update("a", {}, "1"));
    await refusalOf("EXISTS", manager.create("a", {}));
    const { contexts, revision, merges, conflicts, refusals } = await manager.stats();
    expect([contexts, revision, merges, conflicts, refusals.EXISTS]).toEqual([1, 3, 1, 1, 1]);
  });

  it("count refusals in a transaction, whatever becomes of it, and not those of a run that was done again", async () => {
    await manager.create("a", { step: 1 });
    const ann = manager.agent("ann");
    await ann.transact((tx) => refusalOf("NOT_FOUND", tx.update("b", {})));
    await refusalOf(
      "EXISTS",
      ann.transact((tx) => tx.create("a", {})),
    );
    let runs = 0;
    await ann.transact(async (tx) => {
      await tx.get("a");
      if (++runs > 1) return;
      await manager.update("a", { step: 2 }, "1");
      await tx.delete("a", "0");
    });
    const { refusals } = await manager.stats();
    expect([runs, refusals.NOT_FOUND, refusals.EXISTS, refusals.CONFLICT]).toEqual([2, 1, 1, 0]);
  });

  it("tell how far behind the slowest of those who watch is", async () => {
    await manager.create("a", {});
    const slow = manager.watch("a", { after: 1 });
    const waiting = slow.next();
    await passing();
    expect((await manager.stats()).lag).toBe(0);
    for (let step = 1; step <= 5; step++) await manager.agent("ann").patch("a", { step });
    await passing();
    await waiting;
    const { lag } = await manager.stats();
    expect(lag).toBeGreaterThanOrEqual(1);
    expect(lag).toBeLessThanOrEqual(5);
    for (let step = 2; step <= 5; step++) await slow.next();
    void slow.next();
    await passing();
    expect((await manager.stats()).lag).toBe(0);
  });
});
