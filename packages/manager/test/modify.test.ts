/** Read, change, write, and again when somebody was faster. */

import { type Agent, type SharedContext, SharedContextManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { contentOf, type ManualClock, manualClock, refusal, refusalOf, settled } from "./support.ts";

interface Count {
  readonly n: number;
}

function counter(): { manager: SharedContextManager<Count>; ann: Agent<Count>; clock: ManualClock } {
  const clock = manualClock();
  const manager = new SharedContextManager<Count>({ clock });
  manager.create("count", { n: 0 });
  return { manager, ann: manager.agent("ann"), clock };
}

function bump(manager: SharedContextManager<Count>): void {
  const now = manager.get("count");
  if (now !== undefined) manager.update("count", { n: now.data.n + 1 }, now);
}

describe("agent.modify with a synchronous function", () => {
  it("writes what the function makes of the present data, at once", () => {
    const { ann } = counter();
    const written = ann.modify("count", ({ data }) => ({ n: data.n + 1 }), { note: "one more" });
    expect([written.data, written.version, written.updatedBy, written.note]).toEqual([
      { n: 1 },
      "2",
      "ann",
      "one more",
    ]);
  });

  it("runs again when the function itself wrote to the context", () => {
    const { manager, ann } = counter();
    let runs = 0;
    const written = ann.modify("count", ({ data }) => {
      if (++runs === 1) bump(manager);
      return { n: data.n + 10 };
    });
    expect([runs, written.data]).toEqual([2, { n: 11 }]);
  });

  it("ends with the last CONFLICT when it never comes through", () => {
    const { manager, ann } = counter();
    let runs = 0;
    const conflict = refusal("CONFLICT", () =>
      ann.modify(
        "count",
        ({ data }) => {
          runs += 1;
          bump(manager);
          return { n: data.n };
        },
        { attempts: 3 },
      ),
    );
    expect([runs, conflict.details.version]).toEqual([3, "4"]);
  });

  it("refuses bad arguments and what is no data, and changes nothing", () => {
    const { manager, ann } = counter();
    const before = contentOf(manager);
    expect(refusal("NOT_FOUND", () => ann.modify("nothing", ({ data }) => data)).details.contextId).toBe("nothing");
    expect(refusal("INVALID", () => ann.modify("count", 1 as never)).details.argument).toBe("change");
    expect(refusal("INVALID", () => ann.modify("count", (() => undefined) as never)).details.argument).toBe("data");
    for (const attempts of [0, 1.5, Number.NaN, "2"]) {
      const options = { attempts: attempts as number };
      expect(refusal("INVALID", () => ann.modify("count", ({ data }) => data, options)).details.path).toBe("/attempts");
    }
    expect(() =>
      ann.modify("count", () => {
        throw new RangeError("thought of nothing");
      }),
    ).toThrow(new RangeError("thought of nothing"));
    expect(contentOf(manager)).toBe(before);
  });

  it("respects the lock of another agent, and is CLOSED with its own", () => {
    const { manager, ann } = counter();
    manager.lock("count", "bob");
    expect(refusal("LOCKED", () => ann.modify("count", ({ data }) => data)).details.owner).toBe("bob");
    ann.close();
    expect(refusal("CLOSED", () => ann.modify("count", ({ data }) => data)).details.agentId).toBe("ann");
    expect(manager.get("count")?.version).toBe("1");
  });
});

describe("agent.modify with an asynchronous function", () => {
  it("runs again after a pause when somebody wrote meanwhile, from what is there then", async () => {
    const { manager, ann, clock } = counter();
    let runs = 0;
    const done = ann.modify("count", async ({ data }) => {
      if (++runs === 1) bump(manager);
      await Promise.resolve();
      return { n: data.n + 10 };
    });
    await settled();
    expect([runs, clock.timers]).toEqual([1, 1]);
    clock.advance(1_000);
    expect((await done).data).toEqual({ n: 11 });
    expect(clock.timers).toBe(0);
  });

  it("loses nothing of 50 agents that count together", async () => {
    const manager = new SharedContextManager<Count>();
    manager.create("count", { n: 0 });
    const agents = Array.from({ length: 50 }, (_, index) => manager.agent(`agent-${index}`));
    const counted = agents.map(async (agent) =>
      agent.modify(
        "count",
        async ({ data }) => {
          await Promise.resolve();
          return { n: data.n + 1 };
        },
        { attempts: Infinity },
      ),
    );
    await Promise.all(counted);
    expect(manager.get("count")?.data).toEqual({ n: 50 });
  });

  it("runs again for no other refusal, and not for a CONFLICT of its own", async () => {
    const { manager, ann } = counter();
    manager.create("other", { n: 0 });
    let runs = 0;
    const failed = ann.modify("count", async ({ data }) => {
      runs += 1;
      await Promise.resolve();
      manager.update("other", { n: 1 }, "7");
      return data;
    });
    expect((await refusalOf("CONFLICT", failed)).details.contextId).toBe("other");
    const deleted = ann.modify("count", async ({ data }) => {
      runs += 1;
      await Promise.resolve();
      manager.delete("count");
      return data;
    });
    expect((await refusalOf("NOT_FOUND", deleted)).details.contextId).toBe("count");
    expect(runs).toBe(2);
  });

  it("writes nothing when its signal aborts while it runs", () => {
    const { manager, ann } = counter();
    const controller = new AbortController();
    const aborting = (context: { readonly data: Count }): Count => {
      controller.abort(new Error("enough"));
      return { ...context.data };
    };
    expect(() => ann.modify("count", aborting, { signal: controller.signal })).toThrow("enough");
    expect(manager.get("count")?.version).toBe("1");
  });

  it("gives up at once when its signal aborts, writes nothing, and listens no longer", async () => {
    const { manager, ann, clock } = counter();
    const controller = new AbortController();
    const never = ann.modify("count", async () => new Promise<Count>(() => {}), { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(never).rejects.toThrow("enough");
    expect(() => ann.modify("count", ({ data }) => data, { signal: controller.signal })).toThrow("enough");

    const later = new AbortController();
    const paused = ann.modify(
      "count",
      async ({ data }) => {
        await Promise.resolve();
        bump(manager);
        return data;
      },
      { signal: later.signal },
    );
    await settled();
    later.abort(new Error("enough of it"));
    await expect(paused).rejects.toThrow("enough of it");
    expect(clock.timers).toBe(0);
    clock.advance(1_000);
    await settled();
    expect(manager.get("count")?.version).toBe("2");
  });

  it("gives up quietly when the function itself aborts and then fails", async () => {
    const { ann } = counter();
    const controller = new AbortController();
    const unheard: unknown[] = [];
    const hear = (reason: unknown): void => void unheard.push(reason);
    process.on("unhandledRejection", hear);
    const failed = ann.modify(
      "count",
      async () => {
        controller.abort(new Error("enough"));
        await Promise.resolve();
        throw new Error("nobody waits for this");
      },
      { signal: controller.signal },
    );
    await expect(failed).rejects.toThrow("enough");
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    process.off("unhandledRejection", hear);
    expect(unheard).toEqual([]);
  });

  it("is CLOSED when its agent was closed while it thought", async () => {
    const { manager, ann } = counter();
    const thinking = ann.modify("count", async ({ data }) => {
      await Promise.resolve();
      return { n: data.n + 1 };
    });
    ann.close();
    expect((await refusalOf("CLOSED", thinking)).details.agentId).toBe("ann");
    expect(manager.get("count")?.version).toBe("1");
  });
});

interface Halves {
  readonly left: number;
  readonly right: number;
}

function halves(): {
  manager: SharedContextManager<Halves>;
  ann: Agent<Halves>;
  bob: Agent<Halves>;
  clock: ManualClock;
} {
  const clock = manualClock();
  const manager = new SharedContextManager<Halves>({ clock });
  manager.create("pair", { left: 0, right: 0 });
  return { manager, ann: manager.agent("ann"), bob: manager.agent("bob"), clock };
}

const merging = { merge: true } as const;

describe("agent.modify that merges", () => {
  it("puts its change together with what others did elsewhere, without another run", async () => {
    const { manager, ann, bob } = halves();
    let runs = 0;
    const set =
      (change: Partial<Halves>) =>
      async ({ data }: SharedContext<Halves>): Promise<Halves> => {
        runs += 1;
        await Promise.resolve();
        return { ...data, ...change };
      };
    const [first, second] = await Promise.all([
      ann.modify("pair", set({ left: 1 }), merging),
      bob.modify("pair", set({ right: 2 }), { ...merging, note: "the other half" }),
    ]);
    expect([runs, first.version, second.version, manager.stats().merges]).toEqual([2, "2", "3", 1]);
    expect([second.data, second.updatedBy, second.note]).toEqual([{ left: 1, right: 2 }, "bob", "the other half"]);
  });

  it("does so at once when the function itself wrote elsewhere, where it would run again without", () => {
    for (const [options, expected] of [
      [merging, 1],
      [{}, 2],
    ] as const) {
      const { ann, bob } = halves();
      let runs = 0;
      const written = ann.modify(
        "pair",
        ({ data }) => {
          runs += 1;
          bob.patch("pair", { right: 2 });
          return { ...data, left: 1 };
        },
        options,
      );
      expect([written.data, runs]).toEqual([{ left: 1, right: 2 }, expected]);
    }
  });

  it("runs again where the two overlap, after a pause and from what is there then, and only there", async () => {
    const { manager, ann, bob, clock } = halves();
    const seen: Halves[] = [];
    const done = ann.modify(
      "pair",
      async ({ data }) => {
        seen.push(data);
        await Promise.resolve();
        bob.patch("pair", seen.length === 1 ? { left: 5 } : { right: 2 });
        return { ...data, left: data.left + 10 };
      },
      merging,
    );
    await settled();
    expect([seen.length, clock.timers]).toEqual([1, 1]);
    clock.advance(1_000);
    expect((await done).data).toEqual({ left: 15, right: 2 });
    expect(seen).toEqual([
      { left: 0, right: 0 },
      { left: 5, right: 0 },
    ]);
    expect([manager.get("pair")?.version, clock.timers]).toEqual(["4", 0]);
  });

  it("ends with the last CONFLICT, path by path, when every run overlaps", () => {
    const { manager, ann, bob } = halves();
    let runs = 0;
    const conflict = refusal("CONFLICT", () =>
      ann.modify(
        "pair",
        ({ data }) => {
          runs += 1;
          bob.patch("pair", { left: -runs, right: runs });
          return { ...data, left: 1 };
        },
        { ...merging, attempts: 3 },
      ),
    );
    expect(runs).toBe(3);
    expect(conflict.details.conflicts).toEqual([{ path: "/left", base: -2, yours: 1, theirs: -3 }]);
    expect([manager.get("pair")?.version, manager.get("pair")?.data]).toEqual(["4", { left: -3, right: 3 }]);
  });

  it("respects the lock of another agent that came in between, and runs once", async () => {
    const { manager, ann, bob } = halves();
    let runs = 0;
    const done = ann.modify(
      "pair",
      async ({ data }) => {
        runs += 1;
        await Promise.resolve();
        bob.lock("pair");
        return { ...data, left: 1 };
      },
      merging,
    );
    expect((await refusalOf("LOCKED", done)).details.owner).toBe("bob");
    expect([runs, manager.get("pair")?.version]).toEqual([1, "1"]);
  });

  it("loses counts: the same change made by three is made once", async () => {
    const { manager } = counter();
    const agents = ["ann", "bob", "cyd"].map((name) => manager.agent(name));
    let runs = 0;
    const count = async ({ data }: SharedContext<Count>): Promise<Count> => {
      runs += 1;
      await Promise.resolve();
      return { n: data.n + 1 };
    };
    await Promise.all(agents.map(async (agent) => agent.modify("count", count, merging)));
    expect(manager.get("count")).toMatchObject({ version: "2", data: { n: 1 } });
    expect(runs).toBe(3);

    const read = manager.get("count");
    for (const agent of agents) agent.patch("count", [{ op: "increment", path: "/n" }], read);
    expect(manager.get("count")?.data.n).toBe(4);
  });

  it("loses what is added to a list: the same element added by three is there once", async () => {
    const manager = new SharedContextManager<{ readonly log: readonly string[] }>();
    const first = manager.create("list", { log: [] });
    const agents = ["ann", "bob", "cyd"].map((name) => manager.agent(name));
    const add = async ({ data }: typeof first): Promise<{ log: readonly string[] }> => {
      await Promise.resolve();
      return { log: [...data.log, "done"] };
    };
    await Promise.all(agents.map(async (agent) => agent.modify("list", add, merging)));
    expect(manager.get("list")?.data.log).toEqual(["done"]);

    const read = manager.get("list");
    for (const agent of agents) agent.patch("list", [{ op: "append", path: "/log", value: "done" }], read);
    expect(manager.get("list")?.data.log).toEqual(["done", "done", "done", "done"]);
  });
});

describe("a lease", () => {
  it("modifies and restores what it holds", async () => {
    const manager = new SharedContextManager<Count>({ historyLimit: 8 });
    manager.create("count", { n: 0 });
    const lease = await manager.agent("ann").acquire("count");
    const written = await lease.modify("count", async ({ data }) => {
      await Promise.resolve();
      return { n: data.n + 1 };
    });
    expect([written.data, written.updatedBy, written.lock?.token]).toEqual([{ n: 1 }, "ann", lease.token]);
    expect(lease.modify("count", ({ data }) => ({ n: data.n + 1 })).data).toEqual({ n: 2 });
    expect(lease.restore("count", "1", { note: "again" })).toMatchObject({
      version: "4",
      note: "again",
      data: { n: 0 },
    });
  });

  it("refuses both once it is lost, and for what it does not hold", async () => {
    const { manager, ann } = counter();
    manager.create("other", { n: 0 });
    const lease = await ann.acquire("count");
    const thinking = lease.modify("count", async ({ data }) => {
      await Promise.resolve();
      return { n: data.n + 1 };
    });
    manager.forceUnlock("count", { reason: "it takes too long" });
    expect((await refusalOf("LEASE_LOST", thinking)).details.token).toBe(lease.token);
    let runs = 0;
    const late = (): Count => ({ n: ++runs });
    expect(refusal("LEASE_LOST", () => lease.modify("count", late)).details.reason).toContain("it takes too long");
    expect(runs).toBe(0);
    expect(refusal("LEASE_LOST", () => lease.restore("count", "1")).details.contextId).toBe("count");
    expect(refusal("INVALID", () => lease.restore("other", "1")).details.argument).toBe("contextId");
    expect(refusal("INVALID", () => lease.modify("other", ({ data }) => data)).details.argument).toBe("contextId");
    expect(manager.get("count")?.version).toBe("1");
  });
});
