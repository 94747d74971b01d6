/** Transactions: several contexts, read and written as one. */

import { type Agent, type Change, type Lease, SharedContextManager, type Transaction } from "shared-context-manager";
import { beforeEach, describe, expect, it } from "vitest";
import { brief, contentOf, type ManualClock, manualClock, refusal, refusalOf, settled } from "./support.ts";

interface Account {
  readonly credits?: number;
  readonly log?: readonly string[];
  readonly [name: string]: unknown;
}

let clock: ManualClock;
let manager: SharedContextManager<Account>;
let ann: Agent<Account>;
let bob: Agent<Account>;
let cyd: Agent<Account>;
let changes: Change<Account>[];

function start(options?: { historyLimit?: number; maxContexts?: number; maxDataBytes?: number }): void {
  clock = manualClock();
  manager = new SharedContextManager<Account>({ clock, ...options });
  [ann, bob, cyd] = ["ann", "bob", "cyd"].map((name) => manager.agent(name)) as [
    Agent<Account>,
    Agent<Account>,
    Agent<Account>,
  ];
  manager.create("x", { credits: 10 });
  manager.create("y", { credits: 0 });
  changes = [];
  manager.subscribe(undefined, (change) => void changes.push(change));
}

beforeEach(() => start());

const told = (): string[] => changes.map(brief);

/** Moves credits, if there are enough. */
function pay(tx: Transaction<Account>, amount: number): boolean {
  const [from, to] = [tx.get("x")?.data.credits ?? 0, tx.get("y")?.data.credits ?? 0];
  if (from < amount) return false;
  tx.update("x", { credits: from - amount });
  tx.update("y", { credits: to + amount });
  return true;
}

/** Nothing has changed: not the content, not the revision, and nobody was told. */
function expectUntouched(action: () => unknown): void {
  const before = contentOf(manager);
  const { revision, writes } = manager.stats();
  action();
  expect(contentOf(manager)).toBe(before);
  expect([manager.stats().revision, manager.stats().writes, told()]).toEqual([revision, writes, []]);
}

describe("a transaction", () => {
  it("writes several contexts under one revision, as one batch of changes", () => {
    expect(ann.transact((tx) => pay(tx, 4))).toBe(true);
    const [x, y] = [manager.get("x"), manager.get("y")];
    expect([x?.data, y?.data]).toEqual([{ credits: 6 }, { credits: 4 }]);
    expect([x?.revision, y?.revision, manager.stats().revision]).toEqual([3, 3, 3]);
    expect([x?.version, y?.version, x?.updatedBy]).toEqual(["2", "2", "ann"]);
    expect(told()).toEqual(["3 updated x", "3 updated y"]);
  });

  it("gives back what its function returns", () => {
    const result = { any: "thing" };
    expect(ann.transact(() => result)).toBe(result);
    expect(ann.transact(() => undefined)).toBeUndefined();
    expect(ann.transact(() => null)).toBeNull();
  });

  it("that only reads, or does nothing, is no commit", () => {
    expectUntouched(() => {
      expect(ann.transact((tx) => [tx.get("x")?.data.credits, tx.get("nothing")])).toEqual([10, undefined]);
      expect(ann.transact((tx) => pay(tx, 11))).toBe(false);
      expect(ann.transact((tx) => tx.delete("nothing"))).toBe(false);
      ann.transact((tx) => tx.patch("x", { credits: 10 }));
    });
  });

  it("reads its own writes", () => {
    ann.transact((tx) => {
      expect(tx.get("z")).toBeUndefined();
      expect(tx.create("z", { credits: 1 }).version).toBe("1");
      expect(tx.get("z")?.data).toEqual({ credits: 1 });
      tx.update("z", { credits: 2 });
      tx.patch("z", { log: ["patched"] });
      expect(tx.get("z")?.data).toEqual({ credits: 2, log: ["patched"] });
      expect(tx.delete("z")).toBe(true);
      expect(tx.get("z")).toBeUndefined();
      expect(tx.delete("z")).toBe(false);
      refusal("NOT_FOUND", () => tx.update("z", {}));
      tx.delete("x");
      expect(tx.get("x")).toBeUndefined();
    });
    expect([manager.listContexts(), told()]).toEqual([["y"], ["3 deleted x"]]);
  });

  it("is seen by nobody before it ends, and by everybody after", () => {
    const read = (): unknown => [manager.get("x")?.data.credits, manager.size, [...manager].length];
    ann.transact((tx) => {
      tx.update("x", { credits: 1 });
      tx.create("z", {});
      expect(read()).toEqual([10, 2, 2]);
      expect(manager.stats().revision).toBe(2);
      expect(manager.listContexts()).toEqual(["x", "y"]);
    });
    expect(read()).toEqual([1, 3, 3]);
  });

  it("makes one change of each context, whatever it did to it", () => {
    ann.transact((tx) => {
      for (let credits = 0; credits < 5; credits++) tx.update("x", { credits });
      tx.create("z", { credits: 1 });
      tx.update("z", { credits: 2 });
      tx.create("gone", {});
      tx.delete("gone");
    });
    expect(told()).toEqual(["3 updated x", "3 created z"]);
    expect(changes.map(({ previous, context }) => [previous?.data.credits, context?.data.credits])).toEqual([
      [10, 4],
      [undefined, 2],
    ]);
  });

  it("makes one version of each context, whatever it did to it", () => {
    start({ historyLimit: 9 });
    ann.transact((tx) => {
      for (let credits = 0; credits < 5; credits++) tx.update("x", { credits }, String(credits === 0 ? 1 : 2));
      tx.create("z", { credits: 1 });
      tx.update("z", { credits: 2 });
      tx.delete("y");
      tx.create("y", {});
      tx.patch("y", { credits: 3 });
    });
    expect(["x", "y", "z"].map((id) => manager.get(id)?.version)).toEqual(["2", "1", "1"]);
    expect(manager.history("x").map(({ version }) => version)).toEqual(["1", "2"]);
    expect(manager.blame("x").map(({ version, orEarlier }) => [version, orEarlier])).toEqual([["2", false]]);
    expect(manager.stats().writes).toBe(5); // two contexts were there
  });

  it("gives snapshots that have no revision and never get one; what is there afterwards has it", () => {
    const [updated, created] = ann.transact((tx) => [tx.update("x", { credits: 1 }), tx.create("z", {})] as const);
    expect([updated.revision, created.revision, created.incarnation]).toEqual([undefined, undefined, undefined]);
    expect([updated.data, updated.version, created.version]).toEqual([{ credits: 1 }, "2", "1"]);
    const [x, z] = [manager.get("x"), manager.get("z")];
    expect([x?.revision, x?.incarnation, z?.revision, z?.incarnation]).toEqual([3, 1, 3, 3]);
    expect(ann.update("x", {}, updated).version).toBe("3");
    expect(ann.update("z", {}, created).version).toBe("2");
  });

  it("leaves what it copied: the caller's objects are not the store's", () => {
    const data = { log: ["one"] };
    ann.transact((tx) => {
      tx.update("x", data);
      data.log.push("two");
      expect(tx.get("x")?.data.log).toEqual(["one"]);
    });
    data.log.push("three");
    expect(manager.get("x")?.data.log).toEqual(["one"]);
    expect(Object.isFrozen(manager.get("x")?.data)).toBe(true);
  });

  it("keeps the notes of its writes in changes, snapshots and history", () => {
    start({ historyLimit: 9 });
    ann.transact((tx) => {
      tx.update("x", { credits: 1 }, undefined, { note: "update" });
      tx.patch("y", { credits: 2 }, undefined, { note: "patch" });
      tx.create("z", {}, { note: "create" });
    });
    ann.transact((tx) => tx.delete("z", undefined, { note: "delete" }));
    expect(changes.map(({ kind, agentId, note }) => [kind, agentId, note])).toEqual([
      ["updated", "ann", "update"],
      ["updated", "ann", "patch"],
      ["created", "ann", "create"],
      ["deleted", "ann", "delete"],
    ]);
    expect(manager.history("x").map(({ version, note }) => [version, note])).toEqual([
      ["1", null],
      ["2", "update"],
    ]);
    expect(manager.blame("x").map(({ path, note }) => [path, note])).toEqual([["/credits", "update"]]);
  });

  it("changes contexts in the order in which it came upon them", () => {
    ann.transact((tx) => {
      tx.get("y");
      tx.update("x", {});
      tx.create("z", {});
      tx.update("y", {});
    });
    expect(told()).toEqual(["3 updated y", "3 updated x", "3 created z"]);
  });
});

describe("all or nothing", () => {
  it("undoes everything when its function throws, the revision included", () => {
    expectUntouched(() => {
      expect(() =>
        ann.transact((tx) => {
          pay(tx, 5);
          tx.create("z", {});
          tx.delete("y");
          throw new RangeError("changed my mind");
        }),
      ).toThrow(new RangeError("changed my mind"));
    });
    expect(manager.create("z", {}).revision).toBe(3);
  });

  it("undoes everything when one of its writes is refused", () => {
    bob.lock("y");
    changes.length = 0;
    expectUntouched(() => {
      const { details } = refusal("LOCKED", () => ann.transact((tx) => pay(tx, 5)));
      expect([details.contextId, details.owner]).toEqual(["y", "bob"]);
    });
  });

  it("goes on with the rest when a refusal is caught inside", () => {
    bob.lock("y");
    changes.length = 0;
    ann.transact((tx) => {
      refusal("LOCKED", () => tx.update("y", {}));
      refusal("EXISTS", () => tx.create("x", {}));
      refusal("CONFLICT", () => tx.update("x", {}, "7"));
      tx.update("x", { credits: 9 });
      refusal("INVALID", () => tx.update("x", { credits: Number.NaN }));
      refusal("NOT_FOUND", () => tx.patch("z", {}));
    });
    expect([told(), manager.get("x")?.data, manager.get("x")?.version]).toEqual([["4 updated x"], { credits: 9 }, "2"]);
  });

  it("lets the next one run, however the last one ended", () => {
    expect(() =>
      ann.transact(() => {
        throw new RangeError("no");
      }),
    ).toThrow("no");
    refusal("INVALID", () => ann.transact(() => Promise.resolve()));
    expect(ann.transact((tx) => pay(tx, 1))).toBe(true);
    manager.update("x", {}, "2");
  });
});

describe("the methods of a transaction", () => {
  it("update what has been read, or the version that is expected", () => {
    const old = manager.get("x");
    ann.update("x", { credits: 11 }, "1");
    changes.length = 0;
    expectUntouched(() => {
      const { details } = refusal("CONFLICT", () => ann.transact((tx) => tx.update("x", {}, "1")));
      expect([details.expected, details.version, details.current.data]).toEqual(["1", "2", { credits: 11 }]);
      refusal("CONFLICT", () => ann.transact((tx) => tx.update("x", {}, old)));
    });
    ann.transact((tx) => {
      const written = tx.update("x", { credits: 12 }, "2");
      refusal("CONFLICT", () => tx.update("x", {}, "2"));
      tx.update("x", { credits: 13 }, written);
    });
    expect([manager.get("x")?.data, manager.get("x")?.version]).toEqual([{ credits: 13 }, "3"]);
  });

  it("tell a context that was created again from the one that was read", () => {
    const old = manager.get("x");
    manager.delete("x");
    manager.create("x", {});
    const { details } = refusal("CONFLICT", () => ann.transact((tx) => tx.update("x", {}, old)));
    expect(details.recreated).toBe(true);
    refusal("CONFLICT", () => ann.transact((tx) => tx.delete("x", old)));
  });

  it("patch what the transaction has made so far, and merge with what others did before", () => {
    const base = manager.get("x");
    ann.patch("x", { name: "savings" });
    ann.transact((tx) => {
      tx.patch("x", { credits: 20 }, base);
      tx.patch("x", [{ op: "increment", path: "/credits", value: 1 }]);
      const { details } = refusal("CONFLICT", () => tx.patch("x", { name: "mine" }, base));
      expect(details.conflicts.map(({ path }) => path)).toEqual(["/name"]);
      refusal("CONFLICT", () => tx.patch("x", [{ op: "test", path: "/credits", value: 20 }]));
    });
    expect(manager.get("x")?.data).toEqual({ credits: 21, name: "savings" });
  });

  it("delete only the version that is expected", () => {
    ann.update("x", {}, "1");
    refusal("CONFLICT", () => ann.transact((tx) => tx.delete("x", "1")));
    expect(ann.transact((tx) => tx.delete("x", "2"))).toBe(true);
    expect(manager.get("x")).toBeUndefined();
  });

  it("respect the locks of other agents, and take away those that have lapsed", () => {
    bob.lock("x", { ttlMs: 100 });
    refusal("LOCKED", () => ann.transact((tx) => tx.update("x", {})));
    refusal("LOCKED", () => ann.transact((tx) => tx.patch("x", { credits: 1 })));
    refusal("LOCKED", () => ann.transact((tx) => tx.delete("x")));
    expect(ann.transact((tx) => tx.get("x")?.lockedBy)).toBe("bob");
    clock.advance(100);
    changes.length = 0;
    ann.transact((tx) => tx.patch("x", { credits: 1 }));
    expect(told()).toEqual(["4 expired x", "4 updated x"]);
    expect(manager.get("x")?.lockedBy).toBeNull();
  });

  it("write what the agent itself has locked, and leave the lock", () => {
    ann.lock("x");
    ann.transact((tx) => pay(tx, 1));
    expect([manager.get("x")?.lockedBy, manager.get("x")?.data]).toEqual(["ann", { credits: 9 }]);
  });

  it.each<[string, (tx: Transaction<Account>) => unknown, string, string]>([
    ["get", (tx) => tx.get(1 as never), "contextId", ""],
    ["create", (tx) => tx.create(null as never, {}), "contextId", ""],
    ["create data", (tx) => tx.create("x", [] as never), "initialData", ""],
    ["create note", (tx) => tx.create("x", {}, { note: 1 as never }), "options", "/note"],
    ["update", (tx) => tx.update({} as never, {}), "contextId", ""],
    ["update data", (tx) => tx.update("nothing", undefined as never), "data", ""],
    ["update expected", (tx) => tx.update("nothing", {}, 1 as never), "expected", ""],
    ["update expected null", (tx) => tx.update("x", {}, null as never), "expected", ""],
    ["update of another", (tx) => tx.update("y", {}, tx.get("x")), "expected", ""],
    ["update note", (tx) => tx.update("nothing", {}, "1", { note: 1 as never }), "options", "/note"],
    ["patch", (tx) => tx.patch("nothing", 1 as never), "patch", ""],
    ["patch expected", (tx) => tx.patch("nothing", {}, 1 as never), "expected", ""],
    ["delete", (tx) => tx.delete(undefined as never), "contextId", ""],
    ["delete expected", (tx) => tx.delete("nothing", {} as never), "expected", ""],
  ])("say INVALID first: %s", (_name, call, argument, path) => {
    bob.lock("x");
    changes.length = 0;
    expectUntouched(() => {
      const { details } = refusal("INVALID", () => ann.transact(call));
      expect([details.argument, details.path]).toEqual([argument, path]);
    });
  });

  it("refuse in the order of law 11: what is missing, locked, stale, and only then what is in the data", () => {
    start({ maxDataBytes: 30 });
    const poison = { log: [Number.NaN] as never };
    const large = { name: "x".repeat(50) };
    bob.lock("x");
    ann.transact((tx) => {
      refusal("NOT_FOUND", () => tx.update("nothing", poison, "7"));
      refusal("NOT_FOUND", () => tx.patch("nothing", { credits: 1 }, "7"));
      refusal("EXISTS", () => tx.create("x", poison));
      refusal("LOCKED", () => tx.update("x", poison, "7"));
      refusal("LOCKED", () => tx.patch("x", large, "7"));
      refusal("LOCKED", () => tx.delete("x", "7"));
      refusal("CONFLICT", () => tx.update("y", poison, "7"));
      refusal("CONFLICT", () => tx.update("y", large, "7"));
      refusal("INVALID", () => tx.update("y", poison, "1"));
      refusal("TOO_LARGE", () => tx.update("y", large, "1"));
      refusal("TOO_LARGE", () => tx.create("z", large));
    });
    expect(manager.size).toBe(2);
  });

  it("take into account what a getter in the data does through the transaction itself", () => {
    ann.transact((tx) => {
      tx.update("x", {
        get credits() {
          if (tx.get("y")?.data.credits === 0) tx.update("y", { credits: 5 });
          return 1;
        },
      });
      const creating = {
        get credits() {
          if (tx.get("z") === undefined) tx.create("z", { credits: 3 });
          return 4;
        },
      };
      refusal("EXISTS", () => tx.create("z", creating));
    });
    expect(["x", "y", "z"].map((id) => manager.get(id)?.data.credits)).toEqual([1, 5, 3]);
  });
});

describe("the room for contexts", () => {
  beforeEach(() => start({ maxContexts: 3 }));

  it("counts what the transaction creates and deletes", () => {
    expectUntouched(() => {
      const { details } = refusal("LIMIT", () =>
        ann.transact((tx) => {
          tx.create("z", {});
          tx.create("w", {});
        }),
      );
      expect(details).toEqual({ contextId: "w", contexts: 3, maxContexts: 3 });
    });
    ann.transact((tx) => {
      tx.create("z", {});
      tx.delete("x");
      tx.create("w", {});
      refusal("LIMIT", () => tx.create("v", {}));
      tx.delete("w");
      tx.create("v", {});
    });
    expect(manager.listContexts()).toEqual(["y", "z", "v"]);
  });

  it("is counted once for a context that is deleted and created again", () => {
    ann.transact((tx) => {
      tx.create("z", {});
      tx.delete("z");
      tx.create("z", {});
      tx.delete("x");
      tx.create("x", {});
      refusal("LIMIT", () => tx.create("w", {}));
    });
    expect(manager.size).toBe(3);
    refusal("LIMIT", () => manager.create("w", {}));
  });
});

describe("a context that a transaction deletes and creates again", () => {
  const again = (): void => {
    ann.transact((tx) => {
      tx.delete("x", undefined, { note: "old" });
      tx.create("x", { credits: 1 }, { note: "new" });
    });
  };

  it("is another: it comes last in the order of creation, at version 1", () => {
    const old = manager.get("x");
    again();
    expect(manager.listContexts()).toEqual(["y", "x"]);
    const now = manager.get("x");
    expect([now?.version, now?.incarnation, now?.revision]).toEqual(["1", 3, 3]);
    expect(refusal("CONFLICT", () => ann.update("x", {}, old!)).details.recreated).toBe(true);
    expect(told()).toEqual(["3 deleted x", "3 created x"]);
  });

  it("has both notes in its changes", () => {
    again();
    expect(changes.map(({ kind, note }) => [kind, note])).toEqual([
      ["deleted", "old"],
      ["created", "new"],
    ]);
  });

  it("has no history of its predecessor", () => {
    start({ historyLimit: 9 });
    ann.update("x", {}, "1");
    again();
    expect(manager.history("x").map(({ data }) => data)).toEqual([{ credits: 1 }]);
  });

  it("is not merged with what its predecessor was", () => {
    start({ historyLimit: 9 });
    const old = manager.get("x");
    ann.update("x", { credits: 11 }, "1");
    ann.transact((tx) => {
      tx.delete("x");
      tx.create("x", { name: "new" });
      tx.update("x", { name: "newer" });
      const { details } = refusal("CONFLICT", () => tx.patch("x", { log: [] }, old));
      expect([details.expected, details.version, details.recreated]).toEqual(["1", "1", true]);
    });
  });

  it("has no lock: its holder is told, and those who waited for it", async () => {
    const lease = await bob.acquire("x");
    const wait = refusalOf("NOT_FOUND", cyd.acquire("x"));
    refusal("LOCKED", again);
    bob.transact((tx) => {
      tx.delete("x");
      tx.create("x", {});
    });
    expect((await wait).details.contextId).toBe("x");
    expect(manager.get("x")?.lockedBy).toBeNull();
    expect(lease.signal.aborted).toBe(true);
    expect(refusal("LEASE_LOST", () => lease.update("x", {}, "1")).details.reason).toBe("the context was deleted");
    expect(manager.stats().leasesLost).toBe(1);
  });
});

describe("what may not be done inside", () => {
  it("is to return a promise: nothing is committed, and what it rejects with is nobody's business", async () => {
    const { details, message } = refusal("INVALID", () =>
      ann.transact(async (tx) => {
        pay(tx, 1);
        await Promise.resolve();
        throw new RangeError("nobody hears this");
      }),
    );
    expect([details.argument, details.received]).toEqual(["run", "a promise"]);
    expect(message).toContain("synchronous function");
    await settled();
    expect([manager.get("x")?.version, told()]).toEqual(["1", []]);
    // oxlint-disable-next-line unicorn/no-thenable -- any thenable is a promise that would come too late
    refusal("INVALID", () => ann.transact(() => ({ then: () => undefined })));
  });

  it("refuses clear() around it also where there is nothing yet", () => {
    const empty = new SharedContextManager();
    const agent = empty.agent("ann");
    const run = (): void => agent.transact((tx) => void [tx.create("x", {}), empty.clear()]);
    expect(refusal("INVALID", run).details.argument).toBe("transact");
    expect(empty.size).toBe(0);
  });

  it.each<[string, () => unknown]>([
    ["manager.create", () => manager.create("z", {})],
    ["manager.update", () => manager.update("y", {}, "1")],
    ["manager.delete", () => manager.delete("y")],
    ["manager.lock", () => manager.lock("y", "bob")],
    ["manager.unlock", () => manager.unlock("x", "bob")],
    ["manager.forceUnlock", () => manager.forceUnlock("x", { reason: "no" })],
    ["manager.clear", () => manager.clear()],
    ["manager.close", () => manager.close()],
    ["agent.create", () => bob.create("z", {})],
    ["agent.patch", () => bob.patch("y", { credits: 1 })],
    ["agent.modify", () => bob.modify("y", () => ({}))],
    ["agent.lock", () => bob.lock("y")],
    ["a nested transaction", () => bob.transact(() => undefined)],
    ["a nested transaction of the same agent", () => ann.transact((tx) => pay(tx, 1))],
  ])("is a write around it: %s", (_name, write) => {
    bob.lock("x");
    changes.length = 0;
    expectUntouched(() => {
      ann.transact((tx) => {
        const { details, message } = refusal("INVALID", write);
        expect(details.argument).toBe("transact");
        expect(message).toContain("the methods of the transaction");
        expect(tx.get("y")?.version).toBe("1");
      });
      expect(() => ann.transact(write)).toThrow("a write around it");
    });
  });

  it("is to take a lease, or to write, renew or release one; and all of that works afterwards", async () => {
    const lease = await bob.acquire("x");
    changes.length = 0;
    let acquired: Promise<unknown> | undefined;
    ann.transact(() => {
      refusal("INVALID", () => lease.update("x", {}, "1"));
      refusal("INVALID", () => lease.delete("x"));
      refusal("INVALID", () => lease.renew());
      refusal("INVALID", () => lease.transact(() => undefined));
      acquired = refusalOf("INVALID", cyd.acquire("y"));
    });
    await acquired;
    lease.renew();
    lease.update("x", {}, "1");
    lease.release();
    expect(manager.get("x")?.lockedBy).toBeNull();
    expect(cyd.lock("y")).toBe(true);
  });

  it("is to release a lease: it is still held afterwards, and can be released", async () => {
    const lease = await bob.acquire("x", { ttlMs: 300 });
    ann.transact(() => refusal("INVALID", () => lease.release()));
    clock.advance(1_000);
    expect(manager.get("x")?.lockedBy).toBe("bob");
    expect(manager.get("x")?.lock?.expiresAt?.getTime()).toBeGreaterThan(clock.wallMs());
    lease.release();
    expect(manager.get("x")?.lockedBy).toBeNull();
  });

  it("is nothing that makes a waiter lose its turn: an abort of another", async () => {
    await ann.acquire("x");
    const abort = new AbortController();
    const both = bob.acquire(["x", "y"], { signal: abort.signal }).catch((error: unknown) => error);
    const behind = cyd.acquire("y");
    const errors: unknown[] = [];
    const listen = (error: unknown): void => void errors.push(error);
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", listen);
    try {
      ann.transact(() => abort.abort(new RangeError("enough")));
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
    } finally {
      process.removeListener("uncaughtException", listen);
      for (const other of others) process.on("uncaughtException", other);
    }
    expect(errors).toEqual([]);
    expect(await Promise.race([both, settled()])).toEqual(new RangeError("enough"));
    expect(await Promise.race([behind.then(({ agentId }) => agentId), settled()])).toBe("cyd");
  });

  it("is nothing that makes a waiter lose its turn: closing another agent", async () => {
    await ann.acquire("x");
    const both = bob.acquire(["x", "y"]).catch((error: unknown) => error);
    const behind = cyd.acquire("y");
    try {
      ann.transact(() => bob.close());
    } catch (error) {
      refusal("INVALID", () => {
        throw error;
      });
      bob.close();
    }
    await Promise.race([both, settled()]);
    const turn = await Promise.race([behind.then(({ agentId }) => agentId), settled()]);
    expect([turn, manager.stats().queues]).toEqual(["cyd", []]);
  });

  it("is to close an agent that holds a lock: it can be closed afterwards, and gives back what it holds", () => {
    bob.lock("x");
    ann.transact(() => {
      refusal("INVALID", () => bob.close());
    });
    expect(manager.get("x")?.lockedBy).toBe("bob");
    bob.close();
    expect(manager.get("x")?.lockedBy).toBeNull();
    refusal("CLOSED", () => bob.lock("x"));
  });

  it("is not reading: manager.get, list, history, stats, watch and subscribe are fine", async () => {
    let heard = 0;
    ann.transact((tx) => {
      tx.update("x", { credits: 3 });
      expect(manager.get("x")?.data.credits).toBe(10);
      expect([manager.size, manager.listContexts(), [...manager].length]).toEqual([2, ["x", "y"], 2]);
      expect([manager.history("x").length, manager.stats().contexts, manager.blame("x").length]).toEqual([1, 2, 1]);
      manager.subscribe("x", () => (heard += 1));
    });
    expect(heard).toBe(1);
    const [early] = ann.transact(() => [manager.watch("x").next()]);
    expect((await early)?.value?.kind).toBe("current");
  });

  it("is what changes nothing anyway: that is answered as ever", () => {
    ann.transact(() => {
      expect(manager.unlock("x", "bob")).toBe(false);
      expect(manager.delete("nothing")).toBe(false);
      expect(manager.forceUnlock("x", { reason: "free" })).toBe(false);
      refusal("NOT_FOUND", () => manager.update("nothing", {}, "1"));
      refusal("CONFLICT", () => bob.update("x", {}, "7"));
    });
    expect(told()).toEqual([]);
  });

  it("is counted as a refusal", () => {
    ann.transact(() => refusal("INVALID", () => manager.delete("x")));
    expect(manager.stats().refusals.INVALID).toBe(1);
  });

  it("is to use it after its end", () => {
    let kept: Transaction<Account> | undefined;
    ann.transact((tx) => void (kept = tx));
    const late = kept!;
    for (const call of [
      () => late.get("x"),
      () => late.create("z", {}),
      () => late.update("x", {}),
      () => late.patch("x", {}),
      () => late.delete("x"),
    ]) {
      const { details } = refusal("INVALID", call);
      expect([details.argument, details.received]).toEqual(["tx", "one that is over"]);
    }
    try {
      ann.transact((tx) => {
        kept = tx;
        throw new RangeError("no");
      });
    } catch {
      refusal("INVALID", () => kept!.get("x"));
    }
    let caught: unknown;
    ann.transact((tx) => {
      try {
        late.update("x", {});
      } catch (error) {
        caught = error;
      }
      tx.update("y", {});
    });
    expect([caught instanceof Error, told()]).toEqual([true, ["3 updated y"]]);
  });

  it.each([undefined, null, 1, "run", {}])("is anything but a function: %j", (run) => {
    expect(refusal("INVALID", () => ann.transact(run as never)).details.argument).toBe("run");
  });

  it("is anything at all once the agent or the manager is closed", () => {
    ann.close();
    refusal("CLOSED", () => ann.transact(() => undefined));
    manager.close();
    refusal("CLOSED", () => bob.transact(() => undefined));
  });
});

describe("lease.transact", () => {
  let lease: Lease<Account>;

  beforeEach(async () => {
    manager.create("z", { credits: 0 });
    lease = await ann.acquire(["x", "y"], { ttlMs: 100, maxHoldMs: 0 });
    changes.length = 0;
  });

  it("writes what it holds by its token, and other contexts in the name of its agent", () => {
    lease.transact((tx) => {
      pay(tx, 3);
      tx.patch("z", { credits: 1 });
      tx.create("w", {});
    });
    expect(told()).toEqual(["5 updated x", "5 updated y", "5 updated z", "5 created w"]);
    expect(["x", "y", "z", "w"].map((id) => manager.get(id)?.updatedBy)).toEqual(["ann", "ann", "ann", "ann"]);
    expect(["x", "y"].map((id) => manager.get(id)?.lock?.token)).toEqual([lease.token, lease.token]);
    lease.release();
  });

  it("respects the locks of others on what it does not hold", () => {
    bob.lock("z");
    changes.length = 0;
    expectUntouched(() => {
      refusal("LOCKED", () =>
        lease.transact((tx) => {
          pay(tx, 1);
          tx.patch("z", { credits: 1 });
        }),
      );
    });
  });

  it("works while nobody has taken over, though the time is up", () => {
    clock.advance(1_000);
    expect(lease.transact((tx) => pay(tx, 1))).toBe(true);
  });

  it("is LEASE_LOST once another agent has taken over, and writes nothing", async () => {
    clock.advance(100);
    await bob.acquire("x");
    changes.length = 0;
    let ran = false;
    expectUntouched(() => {
      const { details } = refusal("LEASE_LOST", () => lease.transact(() => (ran = true)));
      expect([details.owner, details.token]).toEqual(["bob", lease.token]);
    });
    expect(ran).toBe(false);
  });

  it("is LEASE_LOST for what it held once it is released, and writes other contexts still", () => {
    lease.release();
    changes.length = 0;
    expectUntouched(() => {
      refusal("LEASE_LOST", () => lease.transact((tx) => tx.update("x", {})));
      refusal("LEASE_LOST", () => lease.transact((tx) => tx.delete("y")));
      expect(lease.transact((tx) => tx.get("x")?.data.credits)).toBe(10);
    });
  });

  it("is LEASE_LOST before it is LOCKED or a CONFLICT", () => {
    lease.release();
    bob.lock("x");
    refusal("LEASE_LOST", () => lease.transact((tx) => tx.update("x", { log: [Number.NaN] as never }, "7")));
    refusal("NOT_FOUND", () => lease.transact((tx) => tx.update("nothing", {}, "7")));
  });

  it("says INVALID to what is no function before it looks at the lease", async () => {
    refusal("INVALID", () => lease.transact(1 as never));
    clock.advance(100);
    await bob.acquire("x");
    refusal("INVALID", () => lease.transact(1 as never));
  });

  it("may delete what it holds: that is no loss", () => {
    const { signal } = lease;
    lease.transact((tx) => {
      tx.delete("x");
      tx.patch("y", { credits: 10 });
    });
    expect([signal.aborted, manager.stats().leasesLost]).toEqual([false, 0]);
    expect([manager.get("y")?.lockedBy, manager.get("y")?.data]).toEqual(["ann", { credits: 10 }]);
    lease.renew();
    lease.update("y", {}, "2");
    lease.release();
    expect(manager.get("y")?.lockedBy).toBeNull();
  });

  it("may delete all that it holds: the lease is over without a loss", () => {
    const { signal } = lease;
    lease.transact((tx) => {
      tx.delete("x");
      tx.delete("y");
    });
    expect([signal.aborted, manager.stats().leasesLost, lease.expiresAt]).toEqual([false, 0, null]);
    lease.release();
    expect(manager.listContexts()).toEqual(["z"]);
  });

  it("may delete what it holds and create it again: the new one is not held", () => {
    const { signal } = lease;
    lease.transact((tx) => {
      tx.delete("x");
      tx.create("x", {});
    });
    expect([signal.aborted, manager.stats().leasesLost]).toEqual([false, 0]);
    expect([manager.get("x")?.lockedBy, manager.get("y")?.lockedBy]).toEqual([null, "ann"]);
    refusal("LEASE_LOST", () => lease.update("x", {}, "1"));
    lease.release();
    expect(manager.get("y")?.lockedBy).toBeNull();
  });

  it("that throws after a deletion has let nothing go", () => {
    expectUntouched(() => {
      expect(() =>
        lease.transact((tx) => {
          tx.delete("x");
          tx.delete("y");
          throw new RangeError("no");
        }),
      ).toThrow("no");
      refusal("INVALID", () => lease.transact((tx) => Promise.resolve(tx.delete("x"))));
    });
    lease.update("x", {}, "1");
    lease.release();
    expect(["x", "y"].map((id) => manager.get(id)?.lockedBy)).toEqual([null, null]);
  });

  it("tells those who wait for what it deletes", async () => {
    const wait = refusalOf("NOT_FOUND", bob.acquire("x"));
    lease.transact((tx) => tx.delete("x"));
    expect((await wait).details.contextId).toBe("x");
  });

  it("is a loss when the agent itself deletes what the lease holds, through its handle", () => {
    const { signal } = lease;
    ann.transact((tx) => tx.delete("x"));
    expect([signal.aborted, manager.stats().leasesLost, manager.get("y")?.lockedBy]).toEqual([true, 1, null]);
  });
});

describe("what a transaction means for others", () => {
  it("is that waiters for a context stay in line when it is only updated", async () => {
    const lease = await ann.acquire("x");
    const wait = bob.acquire("x");
    ann.transact((tx) => pay(tx, 1));
    await settled();
    expect(manager.stats().queues).toEqual([{ contextId: "x", waiting: 1, agentIds: ["bob"] }]);
    lease.release();
    expect((await wait).agentId).toBe("bob");
  });

  it("is that waiters get NOT_FOUND for what it deletes, also those that wait for more", async () => {
    await ann.acquire("x");
    const waits = [bob.acquire(["y", "x"]), cyd.acquire("x")].map((wait) => refusalOf("NOT_FOUND", wait));
    ann.transact((tx) => tx.delete("x"));
    for (const { details } of await Promise.all(waits)) expect(details.contextId).toBe("x");
    expect(manager.get("y")?.lockedBy).toBeNull();
  });

  it("is that a holder whose lock had lapsed loses it to the write", async () => {
    const lease = await bob.acquire(["x", "y"], { ttlMs: 100, maxHoldMs: 0 });
    const { signal } = lease;
    clock.advance(100);
    ann.transact((tx) => pay(tx, 1));
    expect([signal.aborted, manager.stats().leasesLost]).toEqual([true, 1]);
    expect(told().slice(-4)).toEqual(["4 expired x", "4 updated x", "4 expired y", "4 updated y"]);
    expect(refusal("LEASE_LOST", () => lease.update("x", {}, "2")).details.reason).toContain("another agent wrote");
  });

  it("is that a counter survives what is done to it in turn by transactions and by single writes", () => {
    for (let turn = 0; turn < 100; turn++) {
      ann.transact((tx) => pay(tx, 0));
      bob.modify("y", ({ data }) => ({ credits: (data.credits ?? 0) + 1 }));
      cyd.transact((tx) => tx.patch("y", [{ op: "increment", path: "/credits", value: 1 }]));
    }
    expect(manager.get("y")?.data.credits).toBe(200);
  });
});
