/** @import { SharedContextManager } from "shared-context-manager" */
/** @import { Contestant, Target, Walk } from "../types.d.ts" */

import * as stores from "../stores.mjs";

export const name = "wait-for";
export const title = "wait for a condition that holds already";
export const sizes = [1_000];

/** @type {Record<string, Contestant>} */
export const contestants = {
  deep: { setUp: stores.filled(stores.deep), round },
  "get, awaited": { setUp: stores.filled(stores.deep), round: awaited },
};

/** @type {Target[]} */
export const targets = [];

/**
 * @param {SharedContextManager<any>} manager
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
async function round(manager, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const { data } = await manager.waitFor(walk[at], ({ data }) => data.status === "running");
    sum += data.step;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * The least that a function can do that may wait: look, and give a promise.
 *
 * @param {SharedContextManager<any>} manager
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
async function awaited(manager, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const context = manager.get(walk[at]);
    if (context?.data.status !== "running") return NaN;
    const { data } = await Promise.resolve(context);
    sum += data.step;
    if (++at === walk.length) at = 0;
  }
  return sum;
}
