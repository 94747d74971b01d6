/** Subscribing: a callback for every change, when it has been committed and before the call that made it returns. */

import { type Agent, type Change, type ContextFilter, SharedContextManager } from "shared-context-manager";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { brief, manualClock, refusal, refusalOf, settled } from "./support.ts";

interface Step {
  readonly step?: number;
}

let manager: SharedContextManager<Step>;
let ann: Agent<Step>;
let told: string[];

beforeEach(() => {
  manager = new SharedContextManager<Step>({ clock: manualClock() });
  ann = manager.agent("ann");
  told = [];
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** A listener that notes what it is told under its name. */
function note(name: string): (change: Change<Step>) => void {
  return (change) => void told.push(`${name}: ${brief(change)}`);
}

describe("subscribe", () => {
  it("calls the listener before the call that made the change returns, when all of it can be seen", () => {
    const seen: unknown[] = [];
    manager.subscribe(undefined, ({ context }) => {
      seen.push([context?.version, manager.get("a")?.version, manager.size, manager.stats().revision]);
    });
    manager.create("a", {});
    expect(seen).toEqual([["1", "1", 1, 1]]);
    manager.update("a", {}, "1");
    expect(seen).toEqual([
      ["1", "1", 1, 1],
      ["2", "2", 1, 2],
    ]);
  });

  it("tells every kind of change, and nothing that was before", async () => {
    const clock = manualClock();
    manager = new SharedContextManager<Step>({ clock });
    const [ann, bob] = [manager.agent("ann"), manager.agent("bob")];
    manager.create("a", {});
    manager.subscribe(undefined, note("all"));
    ann.lock("a", { ttlMs: 100 });
    ann.lock("a", { ttlMs: 200 }); // a renewal is no change
    clock.advance(200);
    const lease = await bob.acquire("a");
    lease.update("a", {}, "1");
    lease.release();
    manager.delete("a");
    manager.create("b", {});
    manager.clear();
    expect(told).toEqual([
      "all: 2 locked a",
      "all: 4 expired a",
      "all: 4 locked a",
      "all: 5 updated a",
      "all: 6 unlocked a",
      "all: 7 deleted a",
      "all: 8 created b",
      "all: 9 cleared *",
    ]);
  });

  it("hands everybody the same change, frozen, with the state before and after", () => {
    const changes: Change<Step>[] = [];
    manager.create("a", { step: 1 });
    for (const filter of [undefined, "a", { prefix: "" }]) {
      manager.subscribe(filter, (change) => void changes.push(change));
    }
    ann.update("a", { step: 2 }, "1", { note: "why" });
    expect(new Set(changes).size).toBe(1);
    expect(changes).toHaveLength(3);
    const [change] = changes;
    expect(Object.isFrozen(change)).toBe(true);
    expect([change?.agentId, change?.note, change?.previous?.data, change?.context?.data]).toEqual([
      "ann",
      "why",
      { step: 1 },
      { step: 2 },
    ]);
  });

  it("calls listeners with one filter in the order in which they subscribed", () => {
    for (const name of ["first", "second", "third"]) manager.subscribe("a", note(name));
    manager.create("a", {});
    expect(told).toEqual(["first: 1 created a", "second: 1 created a", "third: 1 created a"]);
  });

  it("calls a listener as often as it is subscribed", () => {
    const listener = note("twice");
    const unsubscribe = manager.subscribe("a", listener);
    manager.subscribe({ prefix: "a" }, listener);
    manager.create("a", {});
    expect(told).toHaveLength(2);
    unsubscribe();
    manager.update("a", {}, "1");
    expect(told).toHaveLength(3);
  });

  it("tells the changes of a transaction together, after all of it is committed", () => {
    for (const id of ["a", "b"]) manager.create(id, {});
    const seen: unknown[] = [];
    manager.subscribe(undefined, (change) => {
      seen.push([brief(change), manager.get("a")?.version, manager.get("b")?.version]);
    });
    ann.transact((tx) => {
      tx.update("b", {});
      expect(seen).toEqual([]);
      tx.update("a", {});
    });
    expect(seen).toEqual([
      ["3 updated b", "2", "2"],
      ["3 updated a", "2", "2"],
    ]);
  });

  it("says nothing of what was refused or made no difference", () => {
    manager.create("a", { step: 1 });
    manager.subscribe(undefined, note("all"));
    refusal("CONFLICT", () => manager.update("a", {}, "2"));
    refusal("EXISTS", () => manager.create("a", {}));
    refusal("NOT_FOUND", () => manager.lock("b", "ann"));
    manager.unlock("a", "ann");
    manager.delete("b");
    ann.patch("a", { step: 1 });
    ann.transact((tx) => tx.get("a"));
    expect(() =>
      ann.transact((tx) => {
        tx.delete("a");
        throw new RangeError("no");
      }),
    ).toThrow(RangeError);
    expect(told).toEqual([]);
  });

  it.each<[string, ContextFilter | undefined, string[]]>([
    ["an id", "ab", ["2 created ab", "5 cleared *"]],
    ["a prefix", { prefix: "a" }, ["1 created a", "2 created ab", "3 deleted a", "5 cleared *"]],
    ["nothing", undefined, ["1 created a", "2 created ab", "3 deleted a", "4 created b", "5 cleared *"]],
    ["an id that does not exist", "z", ["5 cleared *"]],
  ])("with a filter of %s tells what is for it", (_name, filter, expected) => {
    manager.subscribe(filter, (change) => void told.push(brief(change)));
    manager.create("a", {});
    manager.create("ab", {});
    manager.delete("a");
    manager.create("b", {});
    manager.clear();
    expect(told).toEqual(expected);
  });
});

describe("a listener that throws", () => {
  const broken = (): never => {
    throw new RangeError("broken listener");
  };

  it("is reported through reportError where there is one, and stops neither the writer nor the others", () => {
    const reported = vi.fn<(error: unknown) => void>();
    vi.stubGlobal("reportError", reported);
    manager.subscribe("a", note("before"));
    manager.subscribe("a", broken);
    manager.subscribe("a", note("after"));
    expect(manager.create("a", {}).version).toBe("1");
    expect(manager.update("a", {}, "1").version).toBe("2");
    expect(told).toEqual(["before: 1 created a", "after: 1 created a", "before: 2 updated a", "after: 2 updated a"]);
    expect(reported.mock.calls).toEqual([[new RangeError("broken listener")], [new RangeError("broken listener")]]);
  });

  it("is reported as an uncaught exception where there is none", () => {
    vi.stubGlobal("reportError", undefined);
    const tasks: (() => void)[] = [];
    vi.stubGlobal("queueMicrotask", (task: () => void) => void tasks.push(task));
    manager.subscribe("a", broken);
    manager.subscribe("a", note("after"));
    expect(manager.create("a", {}).version).toBe("1");
    expect(told).toEqual(["after: 1 created a"]);
    expect(tasks).toHaveLength(1);
    expect(tasks[0]).toThrow(new RangeError("broken listener"));
  });

  it("is still told of what follows, and what it wrote before stays", () => {
    vi.stubGlobal("reportError", () => undefined);
    manager.subscribe("a", (change) => {
      told.push(brief(change));
      if (change.kind === "created") manager.create("b", {});
      throw new RangeError("broken listener");
    });
    manager.create("a", {});
    manager.delete("a");
    expect(told).toEqual(["1 created a", "3 deleted a"]);
    expect(manager.listContexts()).toEqual(["b"]);
  });
});

describe("a listener that writes", () => {
  it("hears of its own change after the one at hand, and so does everybody", () => {
    manager.subscribe(undefined, note("before"));
    manager.subscribe(undefined, (change) => {
      told.push(`writer: ${brief(change)}`);
      if (change.kind === "created" && change.contextId === "a") {
        manager.update("a", { step: 1 }, "1");
        manager.create("b", {});
        told.push("writer: has written");
      }
    });
    manager.subscribe(undefined, note("after"));
    manager.create("a", {});
    expect(told).toEqual([
      "before: 1 created a",
      "writer: 1 created a",
      "writer: has written",
      "after: 1 created a",
      "before: 2 updated a",
      "writer: 2 updated a",
      "after: 2 updated a",
      "before: 3 created b",
      "writer: 3 created b",
      "after: 3 created b",
    ]);
  });

  it("is told of changes as they were, though more has happened since", () => {
    const seen: unknown[] = [];
    manager.subscribe("a", ({ context }) => {
      if (context?.version === "1") manager.update("a", {}, "1");
      seen.push([context?.version, manager.get("a")?.version]);
    });
    manager.create("a", {});
    expect(seen).toEqual([
      ["1", "2"],
      ["2", "2"],
    ]);
  });

  it("may do so in turn with another, to any depth of changes without any depth of calls", () => {
    manager.create("ping", { step: 0 });
    manager.create("pong", { step: 0 });
    const relay = (from: string, to: string): void => {
      manager.subscribe(from, ({ context }) => {
        const step = context?.data.step ?? 0;
        if (step < 20_000) ann.modify(to, () => ({ step: step + 1 }));
      });
    };
    relay("ping", "pong");
    relay("pong", "ping");
    ann.modify("ping", () => ({ step: 1 }));
    expect(manager.get("pong")?.data.step).toBe(20_000);
  });

  it("may run a transaction, and the change that it hears of next is whole", () => {
    for (const id of ["a", "b"]) manager.create(id, {});
    manager.subscribe({ prefix: "" }, note("one"));
    manager.subscribe("a", ({ kind }) => {
      if (kind !== "locked") return;
      ann.transact((tx) => {
        tx.patch("a", { step: 1 });
        tx.patch("b", { step: 1 });
      });
    });
    ann.lock("a");
    expect(told).toEqual(["one: 3 locked a", "one: 4 updated a", "one: 4 updated b"]);
  });

  it("from inside a transaction's function cannot be called: nothing is told before the end", () => {
    manager.create("a", {});
    manager.subscribe("a", () => void manager.create("seen", {}));
    ann.transact((tx) => {
      tx.update("a", {});
      expect(manager.get("seen")).toBeUndefined();
    });
    expect(manager.get("seen")?.revision).toBe(3);
  });
});

describe("subscribing inside a delivery", () => {
  it("is for what is committed from then on, not for the change at hand or those still to be told", () => {
    let isFirst = true;
    manager.subscribe(undefined, (change) => {
      told.push(`old: ${brief(change)}`);
      if (!isFirst) return;
      isFirst = false;
      manager.create("b", {});
      manager.subscribe(undefined, note("new"));
      manager.create("c", {});
    });
    manager.create("a", {});
    manager.create("d", {});
    expect(told).toEqual([
      "old: 1 created a",
      "old: 2 created b",
      "old: 3 created c",
      "new: 3 created c",
      "old: 4 created d",
      "new: 4 created d",
    ]);
  });

  it("does not repeat what a transaction is still telling", () => {
    let isFirst = true;
    manager.subscribe(undefined, () => {
      if (isFirst) manager.subscribe(undefined, note("new"));
      isFirst = false;
    });
    ann.transact((tx) => {
      tx.create("a", {});
      tx.create("b", {});
    });
    expect(told).toEqual([]);
  });
});

describe("unsubscribing", () => {
  it("is the end, and twice does no harm", () => {
    const unsubscribe = manager.subscribe("a", note("one"));
    manager.subscribe("a", note("other"));
    expect(manager.stats().watchers).toBe(2);
    unsubscribe();
    unsubscribe();
    expect(manager.stats().watchers).toBe(1);
    manager.create("a", {});
    expect(told).toEqual(["other: 1 created a"]);
  });

  it("inside a delivery holds at once, for itself and for others", () => {
    const ends: (() => void)[] = [];
    ends.push(
      manager.subscribe("a", (change) => {
        note("first")(change);
        for (const end of ends) end();
      }),
      manager.subscribe("a", note("second")),
    );
    manager.subscribe("a", note("third"));
    manager.create("a", {});
    manager.update("a", {}, "1");
    expect(told).toEqual(["first: 1 created a", "third: 1 created a", "third: 2 updated a"]);
    expect(manager.stats().watchers).toBe(1);
  });

  it("inside a delivery also keeps away what is still to be told", () => {
    const end = manager.subscribe("a", (change) => {
      note("one")(change);
      manager.update("a", {}, "1");
      end();
    });
    manager.create("a", {});
    expect(told).toEqual(["one: 1 created a"]);
  });

  it("inside a delivery and subscribing again is a new subscription", () => {
    const again = (): void => {
      const end = manager.subscribe("a", (change) => {
        note("one")(change);
        end();
        again();
      });
    };
    again();
    manager.create("a", {});
    manager.update("a", {}, "1");
    expect(told).toEqual(["one: 1 created a", "one: 2 updated a"]);
    expect(manager.stats().watchers).toBe(1);
  });
});

describe("what follows from a commit", () => {
  it("is told after its cause: a waiter that is granted what was released", async () => {
    const [bob, cyd] = [manager.agent("bob"), manager.agent("cyd")];
    manager.create("a", {});
    const lease = await ann.acquire("a");
    const wait = bob.acquire("a");
    const behind = refusalOf("NOT_FOUND", cyd.acquire("a"));
    manager.subscribe(undefined, note("all"));
    lease.release();
    (await wait).delete("a");
    await behind;
    expect(told).toEqual(["all: 3 unlocked a", "all: 4 locked a", "all: 5 deleted a"]);
  });

  it("is told after its cause: what a holder does when its signal says that its lock is gone", async () => {
    for (const id of ["a", "b"]) manager.create(id, {});
    const lease = await ann.acquire("a");
    lease.signal.addEventListener("abort", () => void manager.update("b", { step: 1 }, "1"));
    manager.subscribe(undefined, note("all"));
    manager.forceUnlock("a", { reason: "it hangs" });
    expect(told).toEqual(["all: 4 unlocked a", "all: 5 updated b"]);
  });

  it("is told after its cause: the rest of a lease that lost one of its contexts", async () => {
    for (const id of ["a", "b"]) manager.create(id, {});
    await ann.acquire(["a", "b"]);
    const wait = manager.agent("bob").acquire("b");
    manager.subscribe(undefined, note("all"));
    manager.delete("a");
    await wait;
    expect(told).toEqual(["all: 4 deleted a", "all: 5 unlocked b", "all: 6 locked b"]);
  });

  it("is told after the whole of a transaction", async () => {
    for (const id of ["a", "b"]) manager.create(id, {});
    const lease = await ann.acquire("a");
    lease.signal.addEventListener("abort", () => void manager.create("c", {}));
    manager.subscribe(undefined, note("all"));
    manager.agent("ann").transact((tx) => {
      tx.delete("a");
      tx.patch("b", { step: 1 });
    });
    expect(told).toEqual(["all: 4 deleted a", "all: 4 updated b", "all: 5 created c"]);
  });
});

describe("close", () => {
  it("ends all subscriptions", () => {
    const unsubscribe = manager.subscribe(undefined, note("all"));
    manager.close();
    expect(unsubscribe).not.toThrow();
    refusal("CLOSED", () => manager.subscribe(undefined, note("late")));
    expect(told).toEqual([]);
  });

  it("inside a delivery ends it, for everybody and for what is still to be told", () => {
    manager.subscribe("a", () => {
      manager.create("b", {});
      manager.close();
    });
    manager.subscribe("a", note("second"));
    manager.subscribe(undefined, note("third"));
    expect(manager.create("a", {}).version).toBe("1");
    expect(told.filter((line) => !line.startsWith("third: 1 "))).toEqual([]);
  });
});

describe("the arguments of subscribe", () => {
  it.each([1, null, {}, { prefix: 1 }, []])("are INVALID with a filter of %j", (filter) => {
    const { details } = refusal("INVALID", () => manager.subscribe(filter as never, note("no")));
    expect(details.argument).toBe("filter");
  });

  it.each([undefined, null, {}, "listener"])("are INVALID with a listener of %j", (listener) => {
    const { details } = refusal("INVALID", () => manager.subscribe("a", listener as never));
    expect([details.argument, manager.stats().watchers]).toEqual(["listener", 0]);
  });
});

it("a subscriber does not hear before its watchers do, nor keep them from hearing", async () => {
  const stream = manager.watch("a", { after: 0 });
  const wait = stream.next();
  manager.subscribe("a", note("one"));
  manager.create("a", {});
  await settled();
  expect([(await wait).value?.kind, told]).toEqual(["created", ["one: 1 created a"]]);
});
