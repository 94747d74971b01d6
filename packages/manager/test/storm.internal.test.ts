/**
 * 200 agents and 20 contexts under a seeded scheduler on virtual time: nested and many-context acquires, with
 * aborts, hung holders and closed agents. A failure prints seed and path; replay with FC_SEED.
 */

import fc from "fast-check";
import { type Agent, isContextError, type Lease, SharedContextManager } from "shared-context-manager";
import { describe, expect, it, vi } from "vitest";
import type { Wait, Waiter } from "../src/queues.ts";
import { Handovers } from "../src/handovers.ts";
import { type ManualClock, manualClock, settled } from "./support.ts";

interface Counter {
  readonly count: number;
}

const AGENTS = 200;
const CONTEXTS = Array.from({ length: 20 }, (_, index) => `c${index}`);

/** A small generator of its own (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). */
function dice(seed: number): (sides: number) => number {
  let state = seed >>> 0;
  return (sides) => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) % sides;
  };
}

class Storm {
  readonly clock: ManualClock = manualClock();
  readonly manager = new SharedContextManager<Counter>({ clock: this.clock });
  readonly accepted = new Map<string, number>();
  readonly waiting = new Map<string, readonly string[]>();
  readonly ends: Record<string, number> = {};
  readonly #roll: (sides: number) => number;
  readonly #pause: () => Promise<unknown>;

  constructor(seed: number, pause: () => Promise<unknown>) {
    this.#roll = dice(seed);
    this.#pause = pause;
    for (const id of CONTEXTS) this.manager.create(id, { count: 0 });
  }

  async live(name: string): Promise<void> {
    const agent = this.manager.agent(name);
    await this.#pause();
    for (let round = 0; round < 3; round++) {
      try {
        await this.#work(agent, 0);
      } catch (error) {
        const end = isContextError(error) ? error.code : "ABORT";
        if (!isContextError(error) && !(error instanceof RangeError)) throw error;
        this.ends[end] = (this.ends[end] ?? 0) + 1;
        if (end === "CLOSED") return;
        if (end === "CONFLICT") throw error;
      }
    }
  }

  /** The first agent that could have all it waits for, and does not: nobody woke it. */
  forgotten(): string | undefined {
    const claimed = new Set<string>();
    for (const [agentId, ids] of this.waiting) {
      const free = ids.every((id) => !claimed.has(id) && this.manager.get(id)?.lockedBy === null);
      if (free) return agentId;
      for (const id of ids) claimed.add(id);
    }
    return undefined;
  }

  async #work(agent: Agent<Counter>, depth: number): Promise<void> {
    const ids = Array.from({ length: 1 + this.#roll(3) }, () => CONTEXTS[this.#roll(CONTEXTS.length)]!);
    const lease = await this.#acquire(agent, ids);
    const reads = lease.contextIds.map((id) => this.manager.get(id)!);
    await this.#pause();
    for (const read of reads) {
      lease.update(read.contextId, { count: read.data.count + 1 }, read);
      this.accepted.set(read.contextId, (this.accepted.get(read.contextId) ?? 0) + 1);
    }
    if (depth < 2 && this.#roll(3) === 0) {
      try {
        await this.#work(agent, depth + 1);
      } catch (error) {
        if (!isContextError(error, "DEADLOCK") && !isContextError(error, "TIMEOUT")) throw error;
        this.ends[error.code] = (this.ends[error.code] ?? 0) + 1;
      }
    }
    const fate = this.#roll(20);
    if (fate === 0) return; // hangs on to it: only the expiry helps
    if (fate === 1) agent.close();
    lease.release();
  }

  async #acquire(agent: Agent<Counter>, ids: string[]): Promise<Lease<Counter>> {
    const abort = new AbortController();
    const hangs = this.#roll(5) === 0;
    const options = {
      ttlMs: 50 + this.#roll(100),
      maxHoldMs: hangs ? 0 : 1_000,
      timeoutMs: 1_000,
      signal: abort.signal,
    };
    const promise = agent.acquire(ids, options);
    // Nothing has run since the decision: this is what it was made on.
    const holders = new Map(CONTEXTS.map((id) => [id, this.manager.get(id)?.lockedBy]));
    const waits = new Map(this.waiting);
    this.waiting.set(agent.agentId, ids);
    if (this.#roll(10) === 0) void this.#pause().then(() => abort.abort(new RangeError("enough")));
    try {
      return await promise;
    } catch (error) {
      if (isContextError(error, "DEADLOCK")) {
        const { cycle } = error.details;
        for (const [index, { contextId }] of cycle.entries()) {
          const next = cycle[(index + 1) % cycle.length]!.agentId;
          const real = holders.get(contextId) === next || waits.get(next)?.includes(contextId) === true;
          if (!real) throw new Error("called a deadlock without a cycle", { cause: error });
        }
      }
      throw error;
    } finally {
      this.waiting.delete(agent.agentId);
    }
  }
}

/** Runs storms; what the agents' tries have ended in besides success. */
async function weather(numRuns: number): Promise<Record<string, number>> {
  const ends: Record<string, number> = {};
  const seed = process.env["FC_SEED"];
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.nat(), async (scheduler, storySeed) => {
      const storm = new Storm(storySeed, () => scheduler.schedule(Promise.resolve()));
      const living = new Set<string>();
      const lives = Array.from({ length: AGENTS }, async (_, index) => {
        living.add(`agent-${index}`);
        await storm.live(`agent-${index}`);
        living.delete(`agent-${index}`);
      });
      const all = Promise.all(lives);
      all.catch(() => undefined); // reported below
      for (let turn = 0; living.size > 0 && turn < 10_000; turn++) {
        if (scheduler.count() > 0) await scheduler.waitNext(1);
        else storm.clock.advance(5);
        if (turn % 50 === 0) storm.clock.advance(1);
        await settled();
        expect(storm.forgotten(), "an agent that nobody woke").toBeUndefined();
      }
      if (living.size === 0) await all;
      expect(living, "agents that never heard again").toEqual(new Set());
      storm.clock.advance(10_000);
      const last = storm.manager.agent("last");
      for (const id of CONTEXTS) {
        expect(last.lock(id), `${id} is free and nobody waits for it`).toBe(true);
        const { data, version } = storm.manager.get(id)!;
        const accepted = storm.accepted.get(id) ?? 0;
        expect([data.count, Number(version) - 1]).toEqual([accepted, accepted]);
      }
      for (const [end, times] of Object.entries(storm.ends)) ends[end] = (ends[end] ?? 0) + times;
    }),
    { numRuns, endOnFailure: true, ...(seed && { seed: Number(seed) }) },
  );
  return ends;
}

describe("a storm of agents", () => {
  it("loses no wake-up and no update, drains every queue, and calls only real cycles deadlocks", async () => {
    const ends = Object.keys(await weather(10));
    expect(ends).toEqual(expect.arrayContaining(["ABORT", "CLOSED", "DEADLOCK", "LEASE_LOST", "TIMEOUT"]));
  }, 60_000);

  it.each<[string, () => unknown]>([
    ["nobody is woken", () => vi.spyOn(Handovers.prototype, "settle").mockImplementation(() => undefined)],
    ["every wait is called a deadlock", () => vi.spyOn(Handovers.prototype, "cycle").mockImplementation(wrongCycle)],
  ])(
    "would be caught if %s",
    async (_name, mutate) => {
      mutate();
      await expect(weather(10)).rejects.toThrow(/Property failed/);
      vi.restoreAllMocks();
    },
    60_000,
  );
});

function wrongCycle({ agentId, contextIds }: Waiter): Wait[] {
  return [{ agentId, contextId: contextIds[0] ?? "" }];
}
