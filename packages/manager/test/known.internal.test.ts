/** What is known is not asked for again, and nobody is refused for what is only believed. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Known } from "../src/async/known.ts";
import type { Engine } from "../src/engine.ts";
import type { Entry } from "../src/entry.ts";
import { MemoryEngine } from "../src/engines/memory.ts";
import { type AsyncSharedContextManager, managerOver } from "../src/index.ts";
import { loadOne } from "../src/testing/entries.ts";
import { type ManualClock, manualClock, refusalOf } from "./support.ts";

let clock: ManualClock;
let engine: Engine;
/** The calls of the first manager to its engine, in their order. */
let calls: string[];
let manager: AsyncSharedContextManager;
let other: AsyncSharedContextManager;

beforeEach(async () => {
  clock = manualClock();
  engine = new MemoryEngine(clock, { historyLimit: 8, changeLogLimit: 1_000 });
  calls = [];
  const told = new Proxy(engine, {
    get(target, name: keyof Engine) {
      if (name === "load" || name === "commit") calls.push(name);
      const member = target[name];
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  manager = await managerOver(told, { clock });
  other = await managerOver(engine, { clock });
  await manager.create("a", { step: 0 });
  calls.length = 0;
});

afterEach(async () => {
  vi.restoreAllMocks();
  await manager.close();
});

describe("a write", () => {
  it("to what this process has written itself is one round trip", async () => {
    await manager.update("a", { step: 1 }, "1");
    await manager.agent("ann").patch("a", { step: 2 });
    await manager.agent("ann").transact(async (tx) => tx.patch("a", { step: 3 }));
    expect(calls.filter((name) => name === "commit")).toHaveLength(3);
    expect(calls.slice(0, 2)).toEqual(["commit", "commit"]);
  });

  it("to what this process has read is one round trip more than that, whoever has written it", async () => {
    await other.create("b", { step: 0 });
    const { version } = (await manager.get("b"))!;
    await manager.update("b", { step: 1 }, version);
    expect(calls).toEqual(["load", "commit"]);
  });

  it("to what others have written since it was read asks again, and is a conflict", async () => {
    await other.create("b", { step: 0 });
    const { version } = (await manager.get("b"))!;
    await other.update("b", { step: 1 }, version);
    const { details } = await refusalOf("CONFLICT", manager.update("b", { step: 2 }, version));
    expect([details.version, details.current.data]).toEqual(["2", { step: 1 }]);
    expect(calls).toEqual(["load", "commit", "load"]);
  });

  it("asks first where each time that it was read it was another", async () => {
    for (let step = 0; step < 3; step++) {
      await manager.get("a");
      await other.agent("x").patch("a", { step });
    }
    calls.length = 0;
    await manager.agent("ann").patch("a", [{ op: "increment", path: "/step", value: 1 }]);
    expect(calls).toEqual(["load", "commit"]);
  });

  it("by the holder of a lock is one round trip, and the lock itself is two: it goes by the clock of the storage", async () => {
    const lease = await manager.agent("ann").acquire("a", { ttlMs: Infinity });
    expect(calls).toEqual(["load", "commit"]);
    await lease.patch("a", { step: 1 });
    await lease.release();
    expect(calls.slice(2)).toEqual(["commit", "commit"]);
  });

  it("lands on what another process has written meanwhile", async () => {
    await other.update("a", { step: 1 }, "1");
    await manager.agent("ann").patch("a", [{ op: "increment", path: "/step", value: 1 }]);
    expect((await manager.get("a"))?.data).toEqual({ step: 2 });
  });

  it("asks first where others write too, until they have stopped", async () => {
    const patch = async (by: AsyncSharedContextManager): Promise<unknown> =>
      by.agent("x").patch("a", [{ op: "increment", path: "/step", value: 1 }]);
    await patch(other);
    await patch(manager);
    expect(calls).toEqual(["commit", "load", "commit"]);
    await patch(other);
    await patch(manager);
    expect(calls.slice(3)).toEqual(["load", "commit"]);
    await patch(manager);
    expect(calls.slice(5)).toEqual(["load", "commit"]);
    await patch(manager);
    expect(calls.slice(7)).toEqual(["commit"]);
  });
});

describe("a refusal", () => {
  it("is for what is there: a version that another has made is no conflict", async () => {
    await other.update("a", { step: 1 }, "1");
    expect((await manager.update("a", { step: 2 }, "2")).version).toBe("3");
  });

  it("tells how things are, not how they were", async () => {
    await other.update("a", { step: 1 }, "1");
    const { details } = await refusalOf("CONFLICT", manager.update("a", { step: 2 }, "0"));
    expect([details.version, details.current.data]).toEqual(["2", { step: 1 }]);
    await other.delete("a");
    await refusalOf("NOT_FOUND", manager.update("a", { step: 2 }, "2"));
  });

  it("is not for a lock that is gone, or that has lapsed", async () => {
    await manager.lock("a", "ann");
    await other.unlock("a", "ann");
    await manager.update("a", { step: 1 }, "1");
    await manager.lock("a", "ann", { ttlMs: 1_000 });
    clock.advance(1_000);
    expect((await manager.update("a", { step: 2 }, "2")).lockedBy).toBeNull();
  });

  it("is for a lock that another has set", async () => {
    await other.lock("a", "bob");
    await refusalOf("LOCKED", manager.update("a", { step: 1 }, "1"));
    expect((await loadOne(engine, "a"))?.version).toBe("1");
  });

  it("comes too when many are asked for at once, each with its own", async () => {
    await other.update("a", { step: 1 }, "1");
    const outcomes = await Promise.allSettled([
      manager.update("a", { step: 2 }, "1"),
      manager.update("a", { step: 3 }, "2"),
      manager.update("a", { step: 4 }, "3"),
      manager.update("a", { step: 5 }, "3"),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled", "rejected"]);
  });
});

it("what is known takes the wall time of the storage, however far ahead it is", () => {
  const known = new Known(clock);
  known.loaded(["a"], {
    entries: [undefined],
    time: { wallMs: clock.wallMs() + 5_000, leaseMs: 1 },
    head: 1,
    contexts: 1,
  });
  expect(known.time.wallMs).toBe(clock.wallMs() + 5_000);
});

it("what is known is bounded: what was seen long ago is asked for again", () => {
  const known = new Known(clock);
  const text = "x".repeat(1_000_000);
  for (let index = 0; index < 100; index++) {
    const entry = { contextId: `${index}`, revision: 1, data: { text } } as unknown as Entry;
    known.committed(entry.contextId, entry);
  }
  expect([known.calm("0"), known.calm("99")?.contextId]).toEqual([undefined, "99"]);
});

it("a transaction that does nothing ends", async () => {
  await expect(manager.agent("ann").transact(() => 1)).resolves.toBe(1);
});
