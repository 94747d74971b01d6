/** @import { Agent } from "shared-context-manager" */
/** @import { Contestant, Target, Walk } from "../types.d.ts" */

import { leaf, list } from "../payloads.mjs";
import * as stores from "../stores.mjs";

export const name = "limit-list";
export const title = "patch of one item of a 100 KB list of 500 objects, its size limited";
export const sizes = [100];

const unlimited = agentOn(stores.deep);

/** @type {Record<string, Contestant>} */
export const contestants = {
  deep: { setUp: unlimited, round },
  "with maxDataBytes": { setUp: agentOn(stores.limited), round },
  "JSON.stringify": { setUp: unlimited, round: serialised },
};

/** @type {Target[]} */
export const targets = [{ contestant: "with maxDataBytes", against: "JSON.stringify", atMost: 1 / 5 }];

/** @param {typeof stores.deep} open */
function agentOn(open) {
  const fill = stores.filled(open, list);
  return async (/** @type {readonly string[]} */ ids) => (await fill(ids)).agent("planner");
}

/**
 * @param {Agent<any>} agent
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function round(agent, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const path = `/items/id=${done % 500}/title`;
    sum += agent.patch(walk[at], [{ op: "set", path, value: leaf(done) }]).version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * The limit by hand: what was written is serialised, and its length compared.
 *
 * @param {Agent<any>} agent
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function serialised(agent, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const path = `/items/id=${done % 500}/title`;
    const next = agent.patch(walk[at], [{ op: "set", path, value: leaf(done) }]);
    if (JSON.stringify(next.data).length > stores.MAX_DATA_BYTES) return NaN;
    sum += next.version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}
