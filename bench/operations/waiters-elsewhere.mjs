/** @import { Agent } from "shared-context-manager" */
/** @import { Contestant, Target, Walk } from "../types.d.ts" */

import * as stores from "../stores.mjs";

const CROWD = 1_000;

export const name = "waiters-elsewhere";
export const title = "grant to a waiter, 1,000 waiting elsewhere";
export const sizes = [100_000];

const fill = stores.filled(stores.deep);

/** @type {Record<string, Contestant>} */
export const contestants = {
  alone: { setUp: async (ids) => (await open(ids)).agents, round },
  "in a crowd": {
    async setUp(ids) {
      const { manager, agents, elsewhere } = await open(ids);
      const holder = manager.agent("holder");
      for (const [index, id] of elsewhere.entries()) {
        // For ever, without a timer: nothing may fire in a round, or keep the process alive after the last.
        await holder.acquire(id, { ttlMs: Infinity });
        void manager.agent(`waiter-${index}`).acquire(id, { timeoutMs: Infinity });
      }
      return agents;
    },
    round,
  },
};

/** @type {Target[]} */
export const targets = [{ contestant: "in a crowd", against: "alone", atMost: 1.3 }];

/** @param {readonly string[]} ids */
async function open(ids) {
  const elsewhere = Array.from({ length: CROWD }, (_, index) => `elsewhere-${index}`);
  const manager = await fill([...ids, ...elsewhere]);
  return { manager, agents: [manager.agent("planner"), manager.agent("reviewer")], elsewhere };
}

/**
 * One holds, the other waits; the release grants.
 *
 * @param {readonly [Agent<any>, Agent<any>]} agents
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
async function round([planner, reviewer], walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const held = await planner.acquire(walk[at]);
    const waiting = reviewer.acquire(walk[at]);
    held.release();
    (await waiting).release();
    sum += 1;
    if (++at === walk.length) at = 0;
  }
  return sum;
}
