/** @import { Agent } from "shared-context-manager" */
/** @import { Contestant, Target, Walk } from "../types.d.ts" */

import { MutexContexts } from "../peers/async-mutex.mjs";
import * as stores from "../stores.mjs";

export const name = "acquire";
export const title = "acquire and release a free context";
export const sizes = [1_000, 100_000];

const fill = stores.filled(stores.deep);

/** @type {Record<string, Contestant>} */
export const contestants = {
  deep: { setUp: async (ids) => (await fill(ids)).agent("planner"), round },
  "async-mutex": { setUp: stores.filled(() => new MutexContexts()), round: roundOfMutex },
};

/** @type {Target[]} */
export const targets = [{ contestant: "deep", against: "async-mutex", atMost: 1 / 1.5 }];

/**
 * @param {Agent<any>} agent
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
async function round(agent, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const lease = await agent.acquire(walk[at]);
    sum += 1;
    lease.release();
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * @param {MutexContexts} store
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
async function roundOfMutex(store, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const release = await store.acquire(walk[at]);
    sum += 1;
    release();
    if (++at === walk.length) at = 0;
  }
  return sum;
}
