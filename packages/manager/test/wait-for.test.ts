/** Waiting for a condition: the present snapshot, or the first one to come, that satisfies it. */

import { getEventListeners } from "node:events";
import { type Agent, type Clock, openManager, type SharedContext, SharedContextManager } from "shared-context-manager";
import { beforeEach, describe, expect, it } from "vitest";
import { type ManualClock, manualClock, refusalOf, settled } from "./support.ts";

interface Plan {
  readonly step?: number;
  readonly approved?: boolean;
}

let clock: ManualClock;
let manager: SharedContextManager<Plan>;
let ann: Agent<Plan>;

beforeEach(() => {
  clock = manualClock();
  manager = new SharedContextManager<Plan>({ clock });
  ann = manager.agent("ann");
});

const approved = ({ data }: SharedContext<Plan>): boolean => data.approved === true;

/** Nothing of a wait is left: no timer, no watcher, no listener. */
function expectNothingLeft(signal?: AbortSignal): void {
  expect([clock.timers, manager.stats().watchers]).toEqual([0, 0]);
  if (signal !== undefined) expect(getEventListeners(signal, "abort")).toEqual([]);
}

describe("waitFor", () => {
  it("gives what is there when that satisfies the condition", async () => {
    const { signal } = new AbortController();
    const plan = manager.create("plan", { approved: true });
    expect(await manager.waitFor("plan", approved, { signal })).toEqual(plan);
    expectNothingLeft(signal);
  });

  it("gives the first snapshot that does so", async () => {
    const { signal } = new AbortController();
    manager.create("plan", { step: 0 });
    const wait = manager.waitFor("plan", ({ data }) => (data.step ?? 0) >= 2, { signal });
    for (let step = 1; step < 5; step++) ann.patch("plan", { step });
    const plan = await wait;
    expect([plan.version, plan.data.step, plan.revision]).toEqual(["3", 2, 3]);
    expectNothingLeft(signal);
  });

  it("is satisfied by what was true for a moment only", async () => {
    manager.create("plan", {});
    const wait = manager.waitFor("plan", approved);
    ann.patch("plan", { approved: true });
    ann.patch("plan", { approved: false });
    expect((await wait).version).toBe("2");
  });

  it("waits for a context that does not exist yet", async () => {
    const wait = manager.waitFor("plan", () => true);
    manager.create("other", {});
    const plan = manager.create("plan", {});
    expect(await wait).toEqual(plan);
    expectNothingLeft();
  });

  it("goes on when the context is deleted, cleared and created again", async () => {
    manager.create("plan", {});
    const looks: (string | undefined)[] = [];
    const wait = manager.waitFor("plan", (plan) => {
      looks.push(`${plan.incarnation}/${plan.version}`);
      return approved(plan);
    });
    manager.delete("plan");
    manager.create("plan", {});
    manager.clear();
    manager.create("plan", { approved: true });
    expect((await wait).incarnation).toBe(5);
    expect(looks).toEqual(["1/1", "3/1", "5/1"]);
  });

  it("looks at locks as well as at data", async () => {
    manager.create("plan", {});
    const locked = manager.waitFor("plan", ({ lockedBy }) => lockedBy === "ann");
    ann.lock("plan");
    expect((await locked).revision).toBe(2);
    const free = manager.waitFor("plan", ({ lockedBy }) => lockedBy === null);
    ann.unlock("plan");
    expect((await free).revision).toBe(3);
  });

  it("sees a transaction as a whole", async () => {
    manager.create("plan", { step: 0 });
    const seen: (number | undefined)[] = [];
    const wait = manager.waitFor("plan", ({ data }) => {
      seen.push(data.step);
      return approved({ data } as SharedContext<Plan>);
    });
    ann.transact((tx) => {
      tx.patch("plan", { step: 1 });
      tx.patch("plan", { step: 2 });
      tx.patch("plan", { approved: true });
    });
    expect((await wait).data).toEqual({ step: 2, approved: true });
    expect(seen).toEqual([0, 2]);
  });

  it("lets many wait for one context, each for its own condition", async () => {
    manager.create("plan", { step: 0 });
    const waits = [3, 1, 2].map((step) => manager.waitFor("plan", ({ data }) => data.step === step));
    expect(manager.stats().watchers).toBe(3);
    for (let step = 1; step <= 3; step++) ann.patch("plan", { step });
    expect((await Promise.all(waits)).map(({ version }) => version)).toEqual(["4", "2", "3"]);
    expectNothingLeft();
  });

  it("may write in its predicate", async () => {
    manager.create("plan", {});
    const plan = await manager.waitFor("plan", ({ data, version }) => {
      if (data.step === undefined) manager.update("plan", { step: 1 }, version);
      return data.step === 1;
    });
    expect(plan.version).toBe("2");
    expectNothingLeft();
  });

  it("calls its predicate no more once it is over", async () => {
    let looks = 0;
    manager.create("plan", {});
    const wait = manager.waitFor("plan", () => ++looks === 2);
    ann.patch("plan", { step: 1 });
    ann.patch("plan", { step: 2 });
    await wait;
    expect(looks).toBe(2);
  });
});

describe("a predicate that throws", () => {
  const broken = (): never => {
    throw new RangeError("broken predicate");
  };

  it("now rejects, and nothing is left", async () => {
    const { signal } = new AbortController();
    manager.create("plan", {});
    await expect(manager.waitFor("plan", broken, { signal })).rejects.toThrow(new RangeError("broken predicate"));
    expectNothingLeft(signal);
  });

  it("later rejects, disturbs nobody, and nothing is left", async () => {
    const { signal } = new AbortController();
    const wait = manager.waitFor("plan", broken, { signal });
    const other = manager.waitFor("plan", () => true);
    expect(manager.create("plan", {}).version).toBe("1");
    await expect(wait).rejects.toThrow(new RangeError("broken predicate"));
    expect((await other).version).toBe("1");
    expectNothingLeft(signal);
  });
});

describe("a predicate that gives a promise", () => {
  it("is INVALID, and nobody hears of the promise", async () => {
    const unheard: unknown[] = [];
    const hear = (reason: unknown): void => void unheard.push(reason);
    process.on("unhandledRejection", hear);
    manager.create("plan", { step: 1 });
    const predicate = async (): Promise<boolean> => Promise.reject(new Error("nobody hears this"));
    const { details } = await refusalOf("INVALID", manager.waitFor("plan", predicate as never));
    expect(details).toMatchObject({ argument: "predicate", expected: "a synchronous function" });
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    process.off("unhandledRejection", hear);
    expect(unheard).toEqual([]);
  });
});

describe("the time a wait may take", () => {
  it("is 30 seconds by default", async () => {
    const { signal } = new AbortController();
    const plan = manager.create("plan", { step: 1 });
    let ended = false;
    const wait = refusalOf("TIMEOUT", manager.waitFor("plan", approved, { signal })).finally(() => (ended = true));
    clock.advance(29_999);
    await settled();
    expect(ended).toBe(false);
    clock.advance(1);
    const { details } = await wait;
    expect(details).toEqual({ contextId: "plan", timeoutMs: 30_000, position: 0, holder: null, current: plan });
    expectNothingLeft(signal);
  });

  it("ends with the last snapshot, and a message that says what to do", async () => {
    manager.create("plan", {});
    const wait = refusalOf("TIMEOUT", manager.waitFor("plan", approved, { timeoutMs: 500 }));
    const last = ann.patch("plan", { step: 1 });
    clock.advance(500);
    const { details, message } = await wait;
    expect(details.current).toEqual(last);
    expect(message).toBe(
      'waited 500 ms for context "plan", which is at version "2", to satisfy the condition: wait longer, or ask who should have changed it',
    );
  });

  it("ends without a snapshot where the context does not exist", async () => {
    const wait = refusalOf("TIMEOUT", manager.waitFor("plan", approved, { timeoutMs: 500 }));
    manager.create("plan", {});
    manager.delete("plan");
    clock.advance(500);
    const { details, message } = await wait;
    expect(details).toEqual({ contextId: "plan", timeoutMs: 500, position: 0, holder: null, current: undefined });
    expect(message).toContain('context "plan", which does not exist, to satisfy the condition');
  });

  it("ends with who holds the context: whoever may have been to change it", async () => {
    manager.create("plan", {});
    ann.lock("plan");
    const wait = refusalOf("TIMEOUT", manager.waitFor("plan", approved, { timeoutMs: 500 }));
    clock.advance(500);
    expect((await wait).details.holder?.owner).toBe("ann");
  });

  it("is one look when it is 0", async () => {
    const { signal } = new AbortController();
    await refusalOf(
      "TIMEOUT",
      manager.waitFor("plan", () => true, { timeoutMs: 0, signal }),
    );
    const plan = manager.create("plan", { approved: true });
    expect(await manager.waitFor("plan", approved, { timeoutMs: 0 })).toEqual(plan);
    const { details } = await refusalOf(
      "TIMEOUT",
      manager.waitFor("plan", () => false, { timeoutMs: 0 }),
    );
    expect([details.timeoutMs, details.current]).toEqual([0, plan]);
    expectNothingLeft(signal);
  });

  it("has no end when it is Infinity, and sets no timer", async () => {
    const wait = manager.waitFor("plan", () => true, { timeoutMs: Infinity });
    expect(clock.timers).toBe(0);
    clock.advance(1e12);
    manager.create("plan", {});
    expect((await wait).version).toBe("1");
    expectNothingLeft();
  });

  it("is each wait's own", async () => {
    const ends: number[] = [];
    const waits = [300, 100, 200].map(async (timeoutMs) => {
      const { details } = await refusalOf("TIMEOUT", manager.waitFor("plan", approved, { timeoutMs }));
      ends.push(details.timeoutMs);
    });
    for (let tick = 0; tick < 3; tick++) {
      clock.advance(100);
      await settled();
    }
    await Promise.all(waits);
    expect(ends).toEqual([100, 200, 300]);
    expectNothingLeft();
  });

  it.each([
    ["in process", (clock: Clock) => new SharedContextManager<Plan>({ clock })],
    ["over a storage", (clock: Clock) => openManager<Plan>("memory:", { clock })],
  ])("is not up when a timer fires early, %s", async (_where, open) => {
    const early: Clock = {
      wallMs: () => Date.now(),
      leaseMs: () => performance.now(),
      setTimer(callback, delayMs) {
        const timer = setTimeout(callback, Math.min(delayMs, 1));
        return () => clearTimeout(timer);
      },
    };
    const eager = await open(early);
    await eager.create("plan", {});
    const wait = eager.waitFor("plan", approved, { timeoutMs: 60_000 });
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    await eager.agent("ann").patch("plan", { approved: true });
    expect((await wait).version).toBe("2");
    await eager.close();
  });

  it("is not up any more once the condition holds", async () => {
    const wait = manager.waitFor("plan", () => true, { timeoutMs: 100 });
    manager.create("plan", {});
    clock.advance(100);
    expect((await wait).version).toBe("1");
    expect(manager.stats().refusals.TIMEOUT).toBe(0);
  });
});

describe("an abort", () => {
  let abort: AbortController;

  beforeEach(() => {
    abort = new AbortController();
  });

  it("before the wait rejects with its reason, without a look", async () => {
    manager.create("plan", {});
    abort.abort(new RangeError("enough"));
    let looks = 0;
    const wait = manager.waitFor("plan", () => ++looks > 0, { signal: abort.signal });
    await expect(wait).rejects.toThrow(new RangeError("enough"));
    expect(looks).toBe(0);
    expectNothingLeft(abort.signal);
  });

  it("during the wait rejects with its reason, whatever that is", async () => {
    const wait = manager.waitFor("plan", approved, { signal: abort.signal });
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(1);
    abort.abort("no error at all");
    await expect(wait).rejects.toBe("no error at all");
    expectNothingLeft(abort.signal);
  });

  it.each([0, 1])("in the predicate rejects, at its look number %i", async (look) => {
    let looks = 0;
    const predicate = (): boolean => {
      if (looks++ === look) abort.abort(new RangeError("enough"));
      return false;
    };
    manager.create("plan", {});
    const outcome = manager
      .waitFor("plan", predicate, { signal: abort.signal, timeoutMs: 100 })
      .catch((error: unknown) => error);
    ann.patch("plan", { step: 1 });
    clock.advance(100);
    expect(await outcome).toEqual(new RangeError("enough"));
    expectNothingLeft(abort.signal);
  });

  it("after the wait does nothing", async () => {
    manager.create("plan", { approved: true });
    const wait = manager.waitFor("plan", approved, { signal: abort.signal });
    abort.abort(new RangeError("enough"));
    expect((await wait).version).toBe("1");
  });

  it("of one wait leaves the others", async () => {
    const { signal } = new AbortController();
    const one = manager.waitFor("plan", approved, { signal: abort.signal });
    const other = manager.waitFor("plan", approved, { signal });
    abort.abort(new RangeError("enough"));
    await expect(one).rejects.toThrow("enough");
    manager.create("plan", { approved: true });
    expect((await other).version).toBe("1");
    expectNothingLeft(signal);
  });
});

describe("close", () => {
  it("ends every wait with CLOSED", async () => {
    const { signal } = new AbortController();
    const waits = [1, 2].map(() => refusalOf("CLOSED", manager.waitFor("plan", approved, { signal })));
    manager.close();
    for (const { details } of await Promise.all(waits)) expect(details).toEqual({});
    expect([clock.timers, getEventListeners(signal, "abort")]).toEqual([0, []]);
  });

  it("lets nobody begin to wait", async () => {
    manager.close();
    const { details } = await refusalOf("CLOSED", manager.waitFor("plan", approved));
    expect(details).toEqual({});
  });
});

describe("the arguments of waitFor", () => {
  it.each<[unknown, unknown, unknown, string, string]>([
    [1, approved, undefined, "contextId", ""],
    ["plan", undefined, undefined, "predicate", ""],
    ["plan", true, undefined, "predicate", ""],
    ["plan", approved, 1, "options", ""],
    ["plan", approved, { timeoutMs: -1 }, "options", "/timeoutMs"],
    ["plan", approved, { timeoutMs: Number.NaN }, "options", "/timeoutMs"],
    ["plan", approved, { timeoutMs: "1" }, "options", "/timeoutMs"],
    ["plan", approved, { signal: {} }, "options", "/signal"],
  ])("are INVALID as a rejection: %j, %j, %j", async (contextId, predicate, options, argument, path) => {
    const wait = manager.waitFor(contextId as never, predicate as never, options as never);
    const { details } = await refusalOf("INVALID", wait);
    expect([details.argument, details.path]).toEqual([argument, path]);
    expectNothingLeft();
  });
});
