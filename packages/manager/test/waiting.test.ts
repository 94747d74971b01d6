/** Waiting for locks: fair, finite, and never for ever. */

import { type Agent, type Lease, SharedContextManager } from "shared-context-manager";
import { beforeEach, describe, expect, it } from "vitest";
import { type ManualClock, manualClock, refusal, refusalOf, settled } from "./support.ts";

type Plan = Record<string, number>;

let clock: ManualClock;
let manager: SharedContextManager<Plan>;
let agents: Agent<Plan>[];
let order: string[];

beforeEach(() => {
  clock = manualClock();
  manager = new SharedContextManager<Plan>({ clock });
  for (const id of ["x", "y", "z"]) manager.create(id, {});
  agents = ["ann", "bob", "cyd", "dan", "eve"].map((name) => manager.agent(name));
  order = [];
});

/** Notes who gets the lock, and gives it back at once. */
async function queueUp(agent: Agent<Plan>, ids: string | string[] = "x"): Promise<void> {
  const lease = await agent.acquire(ids);
  order.push(agent.agentId);
  lease.release();
}

const [ANN, BOB, CYD, DAN, EVE] = [0, 1, 2, 3, 4] as const;

describe("a queue", () => {
  it("is first in, first out", async () => {
    const lease = await agents[ANN]!.acquire("x");
    const waits = [BOB, CYD, DAN, EVE].map((at) => queueUp(agents[at]!));
    await settled();
    expect(order).toEqual([]);
    lease.release();
    await Promise.all(waits);
    expect(order).toEqual(["bob", "cyd", "dan", "eve"]);
    expect(manager.get("x")?.lockedBy).toBeNull();
  });

  it("is not disturbed when somebody in the middle gives up", async () => {
    const lease = await agents[ANN]!.acquire("x");
    const abort = new AbortController();
    const waits = [queueUp(agents[BOB]!), queueUp(agents[DAN]!)];
    const quitter = agents[CYD]!.acquire("x", { signal: abort.signal });
    const last = queueUp(agents[EVE]!);
    abort.abort(new RangeError("enough"));
    await expect(quitter).rejects.toThrow("enough");
    lease.release();
    await Promise.all([...waits, last]);
    expect(order).toEqual(["bob", "dan", "eve"]);
  });

  it("lets nobody pass: lock() takes what is free only when nobody waits for it", async () => {
    agents[ANN]!.lock("y");
    const both = agents[BOB]!.acquire(["x", "y"]);
    expect(manager.get("x")?.lockedBy).toBeNull();
    expect(agents[CYD]!.lock("x")).toBe(false);
    expect(manager.lock("x", "cyd")).toBe(false);
    const behind = agents[DAN]!.acquire("x");
    agents[ANN]!.unlock("y");
    (await both).release();
    (await behind).release();
    expect(agents[CYD]!.lock("x")).toBe(true);
  });

  it("holds nothing until it is first in line for all", async () => {
    const x = await agents[ANN]!.acquire("x");
    const y = await agents[BOB]!.acquire("y");
    const all = agents[CYD]!.acquire(["x", "y", "z"]);
    x.release();
    await settled();
    expect(["x", "z"].map((id) => manager.get(id)?.lockedBy)).toEqual([null, null]);
    y.release();
    const lease = await all;
    expect(["x", "y", "z"].map((id) => manager.get(id)?.lock?.token)).toEqual([lease.token, lease.token, lease.token]);
    lease.release();
    expect(["x", "y", "z"].map((id) => manager.get(id)?.lockedBy)).toEqual([null, null, null]);
  });

  it("hands a lapsed lease over without anybody calling anything", async () => {
    await agents[ANN]!.acquire("x", { ttlMs: 1_000, maxHoldMs: 0 });
    const wait = queueUp(agents[BOB]!);
    clock.advance(999);
    await settled();
    expect(order).toEqual([]);
    clock.advance(1);
    await wait;
    expect(order).toEqual(["bob"]);
  });

  it.each<[string, () => unknown]>([
    ["unlock by name", () => agents[ANN]!.unlock("x")],
    ["manager.unlock", () => manager.unlock("x", "ann")],
    ["forceUnlock", () => manager.forceUnlock("x", { reason: "hangs" })],
    ["close", () => agents[ANN]!.close()],
  ])("moves up after %s", async (_name, free) => {
    agents[ANN]!.lock("x");
    const wait = queueUp(agents[BOB]!);
    free();
    await wait;
    expect(order).toEqual(["bob"]);
  });

  it.each<[string, () => unknown]>([
    ["delete", () => manager.delete("x")],
    ["clear", () => manager.clear()],
    ["the holder's own delete", () => agents[ANN]!.delete("x")],
  ])("ends with NOT_FOUND after %s", async (_name, remove) => {
    agents[ANN]!.lock("x");
    const waits = [agents[BOB]!.acquire("x"), agents[CYD]!.acquire(["y", "x"])].map((wait) =>
      refusalOf("NOT_FOUND", wait),
    );
    const behind = queueUp(agents[DAN]!, "y").catch(() => order.push("gone"));
    remove();
    for (const { details } of await Promise.all(waits)) expect(details.contextId).toBe("x");
    await behind;
    await refusalOf("NOT_FOUND", agents[EVE]!.acquire("x"));
  });

  it("also fails those who wait for a free context that is deleted", async () => {
    agents[ANN]!.lock("y");
    const both = refusalOf("NOT_FOUND", agents[BOB]!.acquire(["x", "y"]));
    manager.delete("x");
    expect((await both).details.contextId).toBe("x");
  });
});

describe("a timeout", () => {
  it("says who holds the context, since when, and the place reached", async () => {
    await agents[ANN]!.acquire("x", { ttlMs: 60_000 });
    const first = agents[BOB]!.acquire("x", { timeoutMs: 5_000 });
    const second = refusalOf("TIMEOUT", agents[CYD]!.acquire(["z", "x"], { timeoutMs: 2_000 }));
    const since = new Date(clock.wallMs());
    clock.advance(2_000);
    const { details, message } = await second;
    expect(details).toMatchObject({ contextId: "x", timeoutMs: 2_000, position: 2, holder: { owner: "ann", since } });
    expect(message).toContain('waited 2000 ms for context "x", held by "ann" (since 2026-01-31T09:30:00.000+00:00');
    expect(message).toContain("reached place 2 in its queue");
    const timeout = refusalOf("TIMEOUT", first);
    clock.advance(3_000);
    expect((await timeout).details.position).toBe(1);
  });

  it("of 0 takes what is free, or fails at once", async () => {
    (await agents[ANN]!.acquire("x", { timeoutMs: 0 })).release();
    agents[ANN]!.lock("x");
    await refusalOf("TIMEOUT", agents[BOB]!.acquire("x", { timeoutMs: 0 }));
    agents[ANN]!.unlock("x");
    expect(agents[CYD]!.lock("x")).toBe(true);
  });

  it("says so when only the queue stood in the way", async () => {
    agents[ANN]!.lock("y");
    const ahead = agents[BOB]!.acquire(["x", "y"]);
    const { details, message } = await refusalOf("TIMEOUT", agents[CYD]!.acquire("x", { timeoutMs: 0 }));
    expect(details).toMatchObject({ contextId: "x", position: 2, holder: null });
    expect(message).toContain("which is free now");
    agents[ANN]!.unlock("y");
    (await ahead).release();
  });
});

describe("an abort", () => {
  it("that came before never queues", async () => {
    const reason = new RangeError("no more");
    await expect(agents[ANN]!.acquire("x", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(manager.get("x")?.lockedBy).toBeNull();
  });

  it("that races a grant releases it", async () => {
    const lease = await agents[ANN]!.acquire("x");
    const abort = new AbortController();
    const racing = agents[BOB]!.acquire("x", { signal: abort.signal });
    const behind = queueUp(agents[CYD]!);
    lease.release();
    abort.abort(new RangeError("late"));
    await expect(racing).rejects.toThrow("late");
    await behind;
    expect(manager.get("x")?.lockedBy).toBeNull();
  });

  it("after the grant is of no consequence, and no listener stays behind", async () => {
    const abort = new AbortController();
    const listeners = new Set<unknown>();
    const { signal } = abort;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (type: string, listener: never) => (listeners.add(listener), add(type, listener));
    signal.removeEventListener = (type: string, listener: never) => (
      listeners.delete(listener),
      remove(type, listener)
    );
    const lease = await agents[ANN]!.acquire("x");
    const wait = agents[BOB]!.acquire("x", { signal });
    expect(listeners.size).toBe(1);
    lease.release();
    const granted = await wait;
    expect(listeners.size).toBe(0);
    abort.abort();
    expect(manager.get("x")?.lock?.token).toBe(granted.token);
  });
});

describe("a deadlock", () => {
  it("is refused at once, with the cycle, and nobody loses a lock", async () => {
    const held = await Promise.all(["x", "y", "z"].map((id, at) => agents[at]!.acquire(id)));
    const waits = [agents[ANN]!.acquire("y"), agents[BOB]!.acquire("z")];
    const { details, message } = await refusalOf("DEADLOCK", agents[CYD]!.acquire("x"));
    expect(details.cycle).toEqual([
      { agentId: "cyd", contextId: "x" },
      { agentId: "ann", contextId: "y" },
      { agentId: "bob", contextId: "z" },
    ]);
    expect(message).toContain('"cyd" waits for "x", "ann" waits for "y", "bob" waits for "z", and so round');
    for (const [at, id] of ["x", "y", "z"].entries()) expect(manager.get(id)?.lock?.token).toBe(held[at]!.token);
    held[CYD]!.release();
    const z = await waits[1]!;
    held[BOB]!.release();
    const y = await waits[0]!;
    for (const lease of [z, y, held[ANN]!]) lease.release();
  });

  it("is to acquire what the same agent holds or awaits already", async () => {
    const lease = await agents[ANN]!.acquire("x");
    const { details, message } = await refusalOf("DEADLOCK", agents[ANN]!.acquire(["y", "x"]));
    expect(details.cycle).toEqual([{ agentId: "ann", contextId: "x" }]);
    expect(message).toContain("agent ids of their own");
    const waiting = agents[BOB]!.acquire("x");
    await refusalOf("DEADLOCK", agents[BOB]!.acquire("x"));
    lease.release();
    (await waiting).release();
  });

  it("counts those ahead in the queue, not only the holder", async () => {
    agents[ANN]!.lock("x");
    const held = await agents[CYD]!.acquire("z");
    const ahead = agents[BOB]!.acquire(["x", "z"]);
    const { details } = await refusalOf("DEADLOCK", agents[CYD]!.acquire("x"));
    expect(details.cycle).toEqual([
      { agentId: "cyd", contextId: "x" },
      { agentId: "bob", contextId: "z" },
    ]);
    held.release();
    agents[ANN]!.unlock("x");
    (await ahead).release();
  });

  it("is none when the lock in the way has lapsed", async () => {
    const stale: Lease<Plan> = await agents[ANN]!.acquire("x", { ttlMs: 1_000, maxHoldMs: 0 });
    const y = await agents[BOB]!.acquire("y");
    const wait = agents[ANN]!.acquire("y");
    clock.advance(1_000);
    (await agents[BOB]!.acquire("x")).release();
    refusal("LEASE_LOST", () => stale.renew());
    y.release();
    (await wait).release();
  });
});
