/** The asynchronous manager: what the synchronous one does, it does too; and what only it can do. */

import {
  type AsyncSharedContextManager,
  isContextError,
  openManager,
  type OpenOptions,
  SharedContextManager,
} from "shared-context-manager";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { follow, type ManualClock, manualClock, refusalOf } from "./support.ts";

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

/** What a call comes to: its value, or code and details of the refusal. */
async function outcomeOf(call: () => unknown): Promise<unknown> {
  try {
    return plain(await call());
  } catch (error) {
    if (!isContextError(error)) throw error;
    return { code: error.code, message: error.message, details: plain(error.details) };
  }
}

/** Snapshots as dictionaries, with what a dictionary does not show. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value ?? "nothing", (_key, inner: unknown) => (inner === undefined ? "undefined" : inner)),
  );
}

type Call = () => unknown;
type Script = (manager: AsyncSharedContextManager) => Iterable<Call> | AsyncIterable<Call>;

/** The same calls on both; each is made when the one before has come to something. */
async function playTo(played: AsyncSharedContextManager, script: Script): Promise<unknown[]> {
  const outcomes: unknown[] = [];
  for await (const call of script(played)) outcomes.push(await outcomeOf(call));
  return outcomes;
}

const WRONG = [undefined, null, 1, {}, [], Symbol.iterator] as never[];

/** Sentences of the specification and of the pages, as calls. */
const SCRIPTS: Record<string, Script> = {
  'create makes version "1", and refuses an id that is taken': function* (m) {
    yield () => m.create("a", { step: 1 });
    yield () => m.create("a", { step: 2 });
    yield () => m.get("a");
  },
  "get gives the context, or undefined, and locks do not block it": function* (m) {
    yield () => m.get("a");
    yield () => m.create("a", {});
    yield () => m.lock("a", "ann");
    yield () => m.get("a");
  },
  "update is refused with NOT_FOUND, LOCKED and CONFLICT, in this order": function* (m) {
    yield () => m.update("a", {}, "1");
    yield () => m.create("a", {});
    yield () => m.update("a", { step: 2 }, "1");
    yield () => m.update("a", { step: 3 }, "1");
    yield () => m.lock("a", "ann");
    yield () => m.update("a", { step: 3 }, "1");
  },
  "update by a snapshot tells a context that was created again": async function* (m) {
    const read = await m.create("a", {});
    await m.delete("a");
    await m.create("a", {});
    yield () => m.update("a", { step: 2 }, read);
    yield () => m.update("a", { step: 2 }, read.version);
  },
  "lock and unlock say who has it": function* (m) {
    yield () => m.lock("a", "ann");
    yield () => m.unlock("a", "ann");
    yield () => m.create("a", {});
    yield () => m.unlock("a", "ann");
    yield () => m.lock("a", "ann");
    yield () => m.lock("a", "ann");
    yield () => m.lock("a", "bob");
    yield () => m.unlock("a", "bob");
    yield () => m.unlock("a", "ann");
    yield () => m.get("a");
  },
  "delete says whether there was something, and ignores locks": function* (m) {
    yield () => m.delete("a");
    yield () => m.create("a", {});
    yield () => m.delete("a", "7");
    yield () => m.lock("a", "ann");
    yield () => m.delete("a", "1");
    yield () => m.get("a");
  },
  "forceUnlock breaks any lock and says whether there was one": function* (m) {
    yield () => m.forceUnlock("a", { reason: "test" });
    yield () => m.create("a", {});
    yield () => m.forceUnlock("a", { reason: "test" });
    yield () => m.lock("a", "ann");
    yield () => m.forceUnlock("a", { reason: "test", agentId: "operator" });
    yield () => m.get("a");
  },
  "listContexts has the order of creation, and clear removes all": function* (m) {
    for (const id of ["b", "a", "c"]) yield () => m.create(id, {});
    yield () => m.delete("b");
    yield () => m.create("b", {});
    yield () => m.listContexts();
    yield () => m.clear();
    yield () => m.listContexts();
  },
  "agents write in their own name, also past their own locks, and are stopped by those of others": function* (m) {
    const [ann, bob] = [m.agent("ann"), m.agent("bob")];
    yield () => ann.create("a", { step: 1 }, { note: "first" });
    yield () => ann.lock("a");
    yield () => ann.update("a", { step: 2 }, "1", { note: "second" });
    yield () => bob.update("a", { step: 3 }, "2");
    yield () => bob.patch("a", { step: 3 });
    yield () => bob.delete("a");
    yield () => bob.lock("a");
    yield () => bob.unlock("a");
    yield () => ann.unlock("a");
    yield () => bob.delete("a", "2");
  },
  "patch changes what it names and conflicts by path": async function* (m) {
    const ann = m.agent("ann");
    const base = await ann.create("a", { left: 1, right: 1, list: [] });
    yield () => ann.patch("a", { left: 2 });
    yield () => ann.patch("a", { right: 2 }, base);
    yield () => ann.patch("a", { left: 3 }, base);
    yield () => ann.patch("a", { left: 3 }, "1");
    yield () => ann.patch("a", [{ op: "append", path: "/list", value: 1 }], base);
    yield () => ann.patch("a", [{ op: "increment", path: "/right", value: 5 }]);
    yield () => ann.patch("a", [{ op: "increment", path: "/list", value: 5 }]);
    yield () => ann.patch("a", {});
    yield () => ann.patch("none", {});
  },
  "merge puts two edits together, and says where they overlap": async function* (m) {
    const [ann, bob] = [m.agent("ann"), m.agent("bob")];
    const base = await ann.create("a", {
      tasks: [
        { id: 1, by: "" },
        { id: 2, by: "" },
      ],
    });
    yield () =>
      ann.merge(base, {
        tasks: [
          { id: 1, by: "ann" },
          { id: 2, by: "" },
        ],
      });
    yield () =>
      bob.merge(base, {
        tasks: [
          { id: 1, by: "" },
          { id: 2, by: "bob" },
        ],
      });
    yield () =>
      bob.merge(base, {
        tasks: [
          { id: 1, by: "bob" },
          { id: 2, by: "" },
        ],
      });
  },
  "modify writes what its function returns": function* (m) {
    const ann = m.agent("ann");
    yield () => ann.modify("a", ({ data }) => data);
    yield () => ann.create("a", { step: 1 });
    yield () => ann.modify("a", ({ data }) => ({ step: Number(data["step"]) + 1 }), { note: "next" });
    yield () => ann.modify("a", ({ data }) => Promise.resolve({ step: Number(data["step"]) + 1 }));
  },
  "restore writes an old version anew": async function* (m) {
    const ann = m.agent("ann");
    yield () => ann.restore("a", "1");
    const context = await ann.create("a", { step: 1 });
    await ann.update("a", { step: 2 }, context);
    yield () => ann.restore("a", "1", { note: "back" });
    yield () => ann.restore("a", "3");
    yield () => ann.restore("a", "9");
  },
  "history and blame say who wrote what": async function* (m) {
    yield () => m.history("a");
    yield () => m.blame("a");
    const context = await m.agent("ann").create("a", { step: 1, by: "ann" });
    await m.agent("bob").update("a", { step: 2, by: "ann" }, context, { note: "on" });
    yield () => m.history("a");
    yield () => m.blame("a");
    await m.delete("a");
    await m.create("a", {});
    yield () => m.history("a");
  },
  "a lease bears its token, and is released": async function* (m) {
    yield () => m.agent("ann").acquire("a");
    await m.create("a", { step: 1 });
    const lease = await m.agent("ann").acquire("a", { ttlMs: 5_000 });
    yield () => [lease.agentId, lease.token, lease.contextIds, lease.expiresAt];
    yield () => lease.update("a", { step: 2 }, "1", { note: "under the lease" });
    yield () => lease.patch("a", { step: 3 });
    yield () => lease.modify("a", () => ({ step: 4 }));
    yield () => lease.restore("a", "1");
    yield () => lease.update("b", {}, "1");
    yield () => m.agent("bob").acquire("a", { timeoutMs: 0 });
    yield () => m.agent("ann").acquire("a");
    yield () => lease.release();
    yield () => lease.release();
    yield () => lease.expiresAt;
    yield () => lease.update("a", {}, "5");
    yield () => m.get("a");
  },
  "a lease deletes what it holds": async function* (m) {
    await m.create("a", {});
    const lease = await m.agent("ann").acquire("a");
    yield () => lease.delete("a", "7");
    yield () => lease.delete("a");
    yield () => lease.release();
  },
  "wrong arguments are INVALID before anything is looked up": function* (m) {
    const ann = m.agent("ann");
    for (const wrong of WRONG) {
      yield () => m.create(wrong, {});
      yield () => m.get(wrong);
      yield () => m.delete(wrong);
      yield () => m.lock(wrong, "ann");
      yield () => m.lock("none", wrong);
      yield () => m.unlock("none", wrong);
      yield () => m.history(wrong);
      yield () => m.blame(wrong);
      yield () => m.forceUnlock(wrong, { reason: "test" });
      yield () => ann.restore("none", wrong);
      yield () => ann.merge(wrong, {});
      yield () => ann.modify("none", wrong);
      yield () => ann.transact(wrong);
      yield () => ann.acquire(wrong);
    }
    for (const wrong of [undefined, null, 1, "text", []] as never[]) {
      yield () => m.create("none", wrong);
      yield () => m.update("none", wrong, "1");
      yield () => ann.merge(wrong, wrong);
    }
    yield () => m.update("none", {}, 1 as never);
    yield () => m.lock("none", "ann", { ttlMs: 0 });
    yield () => ann.create("none", {}, { note: 1 as never });
    yield () => ann.acquire("none", { timeoutMs: -1 });
    yield () => m.waitFor("none", 1 as never);
    yield () => m.create("none", { wrong: new Date(0) as never });
  },
};

describe("the asynchronous manager does what the synchronous one does:", () => {
  it.each(Object.entries(SCRIPTS))("%s", async (_sentence, script) => {
    const sync = new SharedContextManager({ clock, ...LIMITS });
    const expected = await playTo(sync as unknown as AsyncSharedContextManager, script);
    expect(expected).not.toEqual([]);
    expect(await playTo(manager, script)).toEqual(expected);
    sync.close();
  });

  it("size, iteration and the dictionary show all contexts", async () => {
    const sync = new SharedContextManager({ clock, ...LIMITS });
    for (const one of [sync, manager]) {
      for (const id of ["b", "a"]) await one.create(id, { id });
      await one.lock("a", "ann", { ttlMs: 1_000 });
    }
    const ids: string[] = [];
    for await (const { contextId } of manager) ids.push(contextId);
    expect([ids, await manager.size()]).toEqual([["b", "a"], 2]);
    expect(await manager.toDict()).toEqual(sync.toDict());
    expect(SharedContextManager.fromDict(await manager.toDict(), { clock }).toDict()).toEqual(sync.toDict());
  });
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
  it.each(["", "memory", "file:x", "http://x", 1, undefined, null])("refuses the URL %j", async (url) => {
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
    expect((await manager.stats()).queues).toEqual([{ contextId: "a", waiting: 4 }]);
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
    for (const id of ["a", "b", "c"]) await short.create(id, {});
    const { details } = await refusalOf("COMPACTED", short.watch(undefined, { after: 0 }).next());
    expect(details).toMatchObject({ after: 0, oldest: 3, head: 3 });
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
});

describe("close", () => {
  it("once or twice, every other call is CLOSED afterwards", async () => {
    const agent = manager.agent("ann");
    await manager.create("a", {});
    const lease = await agent.acquire("a");
    await manager.close();
    await manager.close();
    await manager[Symbol.asyncDispose]();
    const calls = [
      () => manager.create("a", {}),
      () => manager.get("a"),
      () => manager.update("a", {}, "1"),
      () => manager.lock("a", "ann"),
      () => manager.unlock("a", "ann"),
      () => manager.delete("a"),
      () => manager.forceUnlock("a", { reason: "test" }),
      () => manager.history("a"),
      () => manager.blame("a"),
      () => manager.listContexts(),
      () => manager.clear(),
      () => manager.size(),
      () => manager.waitFor("a", () => true),
      () => manager.stats(),
      () => manager.toDict(),
      () => agent.patch("a", {}),
      () => agent.acquire("a"),
      () => agent.transact(() => 1),
      () => lease.patch("a", {}),
    ];
    for (const call of calls) await refusalOf("CLOSED", call());
    for (const call of [() => manager.agent("bob"), () => manager.watch(), () => manager.subscribe("a", () => 1)]) {
      expect(call).toThrow(expect.objectContaining({ code: "CLOSED" }));
    }
  });

  it("of an agent releases what it holds, and leaves the others alone", async () => {
    for (const id of ["a", "b"]) await manager.create(id, {});
    const agent = manager.agent("ann");
    await agent.lock("a");
    await manager.lock("b", "bob");
    await agent.close();
    await agent.close();
    await refusalOf("CLOSED", agent.lock("a"));
    expect([(await manager.get("a"))?.lockedBy, (await manager.get("b"))?.lockedBy]).toEqual([null, "bob"]);
  });
});
