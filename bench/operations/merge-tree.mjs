/** @import { Agent, SharedContext, SharedContextManager } from "shared-context-manager" */
/** @import { Contestant, Target, Walk } from "../types.d.ts" */

import { leaf, tree } from "../payloads.mjs";
import * as stores from "../stores.mjs";

export const name = "merge-tree";
export const title = "merge of one leaf of a 100 KB tree, another changed meanwhile";
export const sizes = [100];

const fill = stores.filled(stores.deep, tree);

/** @type {Record<string, Contestant>} */
export const contestants = {
  deep: { setUp, round },
  "JSON.stringify": { setUp: fill, round: serialised },
};

/** @type {Target[]} */
export const targets = [{ contestant: "deep", against: "JSON.stringify", atMost: 1 }];

/**
 * Two agents take turns. What each has read is one version old: the other one has committed its merge since.
 *
 * @typedef {object} Turn
 * @property {SharedContext<any>} read
 * @property {SharedContext<any>} present
 * @property {number} step
 */

/** @param {readonly string[]} ids */
async function setUp(ids) {
  const manager = await fill(ids);
  const agents = [manager.agent("planner"), manager.agent("reviewer")];
  /** @type {Turn[]} */
  const turns = ids.map((id) => {
    const read = /** @type {SharedContext<any>} */ (manager.get(id));
    return { read, present: read, step: 0 };
  });
  return { agents, turns };
}

/**
 * @param {{ agents: readonly any[], turns: readonly any[] }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function round({ agents, turns }, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    /** @type {Turn} */
    const turn = turns[at];
    /** @type {Agent<any>} */
    const agent = agents[turn.step & 1];
    const { read, present, step } = turn;
    const { data } = read;
    const b5 = { ...data.b3.b5, [`b${step % 10}`]: leaf(step) };
    const next = agent.merge(read, { ...data, b3: { ...data.b3, b5 } });
    turn.read = present;
    turn.present = next;
    turn.step = step + 1;
    sum += next.version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * The measure: one serialisation of the document, and nothing done with it.
 *
 * @param {SharedContextManager<any>} store
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function serialised(store, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    sum += JSON.stringify(store.get(walk[at])?.data).length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}
