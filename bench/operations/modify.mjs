/** @import { Agent, SharedContextManager } from "shared-context-manager" */
/** @import { Contestant, Store, Target, TwoKeys, Walk } from "../types.d.ts" */

import * as stores from "../stores.mjs";

export const name = "modify";
export const title = "modify of 2 keys, synchronous";
export const sizes = [1_000];

const fill = stores.filled(stores.deep);

/** @type {Record<string, Contestant>} */
export const contestants = {
  "hand-written": { setUp: stores.filled(stores.handWritten), round: byVersion },
  deep: { setUp: async (ids) => (await fill(ids)).agent("planner"), round },
  "deep, by hand": { setUp: managerAndAgent, round: bySnapshot },
};

/** @type {Target[]} */
export const targets = [{ contestant: "deep", against: "deep, by hand", atMost: 1.3 }];

/** @param {readonly string[]} ids */
async function managerAndAgent(ids) {
  const manager = await fill(ids);
  return { manager, agent: manager.agent("planner") };
}

/**
 * @param {Agent<TwoKeys>} agent
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function round(agent, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    sum += agent.modify(walk[at], ({ data }) => ({ ...data, step: data.step + 1 })).version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * The same as a read and a write.
 *
 * @param {{ manager: SharedContextManager<TwoKeys>, agent: Agent<TwoKeys> }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function bySnapshot({ manager, agent }, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const id = walk[at];
    const context = manager.get(id);
    if (context === undefined) return NaN;
    const { data } = context;
    sum += agent.update(id, { ...data, step: data.step + 1 }, context).version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * @param {Store<TwoKeys>} store
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function byVersion(store, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const id = walk[at];
    const context = store.get(id);
    if (context === undefined) return NaN;
    const { data, version } = context;
    sum += store.update(id, { ...data, step: data.step + 1 }, version).version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}
