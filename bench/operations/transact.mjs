/** @import { Agent } from "shared-context-manager" */
/** @import { Contestant, Target, TwoKeys, Walk } from "../types.d.ts" */

import { twoKeys } from "../payloads.mjs";
import * as stores from "../stores.mjs";

export const name = "transact";
export const title = "update of two contexts of 2 keys, by version";
export const sizes = [1_000];

const fill = stores.filledWithVersions(stores.deep);

/** @type {Record<string, Contestant>} */
export const contestants = {
  "two updates": { setUp: open, round: oneByOne },
  transaction: { setUp: open, round },
  "transaction that reads first": { setUp: open, round: readingFirst },
};

/** @type {Target[]} */
export const targets = [{ contestant: "transaction", against: "two updates", atMost: 3 }];

/** @param {readonly string[]} ids */
async function open(ids) {
  const { store, versions } = await fill(ids);
  return { agent: store.agent("planner"), versions };
}

/**
 * @param {{ agent: Agent<TwoKeys>, versions: any[] }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function oneByOne({ agent, versions }, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const other = at === 0 ? walk.length - 1 : at - 1;
    versions[at] = agent.update(walk[at], twoKeys(done), versions[at]).version;
    versions[other] = agent.update(walk[other], twoKeys(done), versions[other]).version;
    sum += versions[other].length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * @param {{ agent: Agent<TwoKeys>, versions: any[] }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function round({ agent, versions }, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const other = at === 0 ? walk.length - 1 : at - 1;
    agent.transact((tx) => {
      versions[at] = tx.update(walk[at], twoKeys(done), versions[at]).version;
      versions[other] = tx.update(walk[other], twoKeys(done), versions[other]).version;
    });
    sum += versions[other].length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * As one writes it: read both, decide, write both.
 *
 * @param {{ agent: Agent<TwoKeys> }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function readingFirst({ agent }, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const other = at === 0 ? walk.length - 1 : at - 1;
    sum += agent.transact((tx) => {
      const one = tx.get(walk[at])?.data.step ?? NaN;
      const two = tx.get(walk[other])?.data.step ?? NaN;
      tx.update(walk[at], twoKeys(one + 1));
      return tx.update(walk[other], twoKeys(two - 1)).version.length;
    });
    if (++at === walk.length) at = 0;
  }
  return sum;
}
