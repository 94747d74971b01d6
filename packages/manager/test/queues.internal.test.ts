/** The queue rules against plain lists, over random joins, departures and handovers. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Queues, type Wait, type Waiter } from "../src/queues.ts";

const AGENTS = ["ann", "bob", "cyd", "dan"];
const CONTEXTS = ["x", "y", "z"];

type Step =
  | { does: "join"; agentId: string; contextIds: string[] }
  | { does: "leave"; at: number }
  | { does: "pass"; contextId: string; to: string | null };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant("join" as const),
      agentId: fc.constantFrom(...AGENTS),
      contextIds: fc.shuffledSubarray(CONTEXTS, { minLength: 1 }),
    }),
  },
  fc.record({ does: fc.constant("leave" as const), at: fc.nat(9) }),
  fc.record({
    does: fc.constant("pass" as const),
    contextId: fc.constantFrom(...CONTEXTS),
    to: fc.constantFrom(null, ...AGENTS),
  }),
);

/** Who waits for whom, the long way round: for the holder and for everybody ahead. */
function waitsOf(waiters: readonly Waiter[], holders: ReadonlyMap<string, string>): (Wait & { for: string })[] {
  return waiters.flatMap(({ agentId, contextIds }, place) =>
    contextIds.flatMap((contextId) => {
      const ahead = waiters.slice(0, place).filter((other) => other.contextIds.includes(contextId));
      const holder = holders.get(contextId);
      const targets = [...ahead.map((other) => other.agentId), ...(holder === undefined ? [] : [holder])];
      return targets.map((target) => ({ agentId, contextId, for: target }));
    }),
  );
}

function reaches(from: string, to: string, waits: readonly (Wait & { for: string })[]): boolean {
  const seen = new Set<string>();
  const pending = waits.filter(({ agentId }) => agentId === from).map((wait) => wait.for);
  for (let agent = pending.pop(); agent !== undefined; agent = pending.pop()) {
    if (agent === to) return true;
    if (seen.has(agent)) continue;
    seen.add(agent);
    pending.push(...waits.filter(({ agentId }) => agentId === agent).map((wait) => wait.for));
  }
  return false;
}

/** Runs random steps on the queues and on plain lists; the number of cycles met. */
function compare(subject: typeof Queues, numRuns: number): number {
  let cycles = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const queues = new subject();
      const holders = new Map<string, string>();
      const holderOf = (contextId: string): string | null => holders.get(contextId) ?? null;
      let waiting: Waiter[] = [];
      for (const each of steps) {
        if (each.does === "join") {
          const waiter: Waiter = { agentId: each.agentId, contextIds: each.contextIds };
          const waits = waitsOf([...waiting, waiter], holders);
          const cycle = queues.cycle(each.agentId, each.contextIds, holderOf);
          expect(cycle !== undefined).toBe(reaches(each.agentId, each.agentId, waits));
          if (cycle === undefined) {
            queues.join(waiter, holderOf);
            waiting.push(waiter);
            continue;
          }
          cycles += 1;
          expect(cycle[0]?.agentId).toBe(each.agentId);
          for (const [index, { agentId, contextId }] of cycle.entries()) {
            const target = cycle[(index + 1) % cycle.length]?.agentId;
            expect(waits).toContainEqual({ agentId, contextId, for: target });
          }
        } else if (each.does === "leave") {
          const gone = waiting[each.at % Math.max(waiting.length, 1)];
          if (gone === undefined) continue;
          queues.leave(gone);
          waiting = waiting.filter((waiter) => waiter !== gone);
        } else {
          // Only whoever does not wait itself: an agent that is handed a lock has left its queue before.
          if (each.to !== null && waiting.some(({ agentId }) => agentId === each.to)) continue;
          if (each.to === null) holders.delete(each.contextId);
          else holders.set(each.contextId, each.to);
          queues.pass(each.contextId, each.to);
        }
        for (const contextId of CONTEXTS) {
          const line = waiting.filter(({ contextIds }) => contextIds.includes(contextId));
          expect(queues.waitersFor(contextId)).toEqual(line);
          expect(queues.first(contextId)).toBe(line[0]);
          expect(queues.has(contextId)).toBe(line.length > 0);
          for (const [index, waiter] of line.entries()) expect(queues.position(waiter, contextId)).toBe(index + 1);
        }
        for (const waiter of waiting) {
          const first = waiter.contextIds.every(
            (id) => waiting.find(({ contextIds }) => contextIds.includes(id)) === waiter,
          );
          expect(queues.isFirstEverywhere(waiter)).toBe(first);
        }
        expect(queues.size).toBe(waiting.length);
      }
    }),
    { numRuns },
  );
  return cycles;
}

const mutants: Record<string, typeof Queues> = {
  "the last comes first": class extends Queues {
    override first(contextId: string): Waiter | undefined {
      return this.waitersFor(contextId).at(-1);
    }
  },
  "one queue is enough": class extends Queues {
    override isFirstEverywhere(waiter: Waiter): boolean {
      return waiter.contextIds.some((contextId) => this.first(contextId) === waiter);
    }
  },
  "leaving lets the next one pass the others": class extends Queues {
    override leave(waiter: Waiter): void {
      const [next] = this.waitersFor(waiter.contextIds[0] ?? "").slice(1);
      super.leave(waiter);
      if (next === undefined) return;
      super.leave(next);
      super.join(next, () => null);
    }
  },
  "no cycle is found": class extends Queues {
    override cycle(): undefined {
      return undefined;
    }
  },
  "any wait is a cycle": class extends Queues {
    override cycle(agentId: string, contextIds: readonly string[]): Wait[] {
      return contextIds.map((contextId) => ({ agentId, contextId }));
    }
  },
};

describe("queues", () => {
  it("keep the order of arrival, whoever leaves, and find exactly the real cycles", () => {
    expect(compare(Queues, 1_000)).toBeGreaterThan(100);
  });

  it.each(Object.keys(mutants))("would be caught if %s", (name) => {
    expect(() => compare(mutants[name]!, 1_000)).toThrow(/Property failed/);
  });
});
