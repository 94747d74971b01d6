/** @import { Agent } from "shared-context-manager" */
/** @import { Contestant, Target, Walk } from "../types.d.ts" */

import { MutexContexts } from "../peers/async-mutex.mjs";
import * as stores from "../stores.mjs";

const LINE = 1_000;

export const name = "waiters";
export const title = "each of 1,000 waiters on one context";
export const sizes = [1];

const fill = stores.filled(stores.deep);

/** @type {Record<string, Contestant>} */
export const contestants = {
  deep: {
    async setUp(ids) {
      const manager = await fill(ids);
      return Array.from({ length: LINE }, (_, index) => manager.agent(`waiter-${index}`));
    },
    round,
  },
  "async-mutex": { setUp: stores.filled(() => new MutexContexts()), round: roundOfMutex },
};

/** @type {Target[]} */
export const targets = [{ contestant: "deep", against: "async-mutex", atMost: 1 }];

/**
 * All line up, the first without waiting; then each releases as soon as it is granted. `count` waiters, in as
 * many lines as that takes.
 *
 * @param {readonly Agent<any>[]} agents
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
async function round(agents, walk, from, count) {
  let sum = 0;
  for (let left = count; left > 0; left -= LINE) {
    const line = agents.slice(0, left).map((agent) => agent.acquire(walk[from]));
    for (const granted of line) {
      (await granted).release();
      sum += 1;
    }
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
  for (let left = count; left > 0; left -= LINE) {
    const line = Array.from({ length: Math.min(LINE, left) }, () => store.acquire(walk[from]));
    for (const granted of line) {
      (await granted)();
      sum += 1;
    }
  }
  return sum;
}
