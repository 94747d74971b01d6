/** @import { Agent, SharedContextManager } from "shared-context-manager" */
/** @import { Contestant, Store, Target, Walk } from "../types.d.ts" */
/** @import { ImmerContexts } from "../peers/immer.mjs" */

import { leaf, list } from "../payloads.mjs";
import * as stores from "../stores.mjs";

export const name = "patch-list";
export const title = "patch of one item of a 100 KB list of 500 objects";
export const sizes = [100];

const fill = stores.filled(stores.deep, list);

/** @type {Record<string, Contestant>} */
export const contestants = {
  "hand-written": { setUp: stores.filled(stores.handWritten, list), round: withSpreads },
  deep: { setUp: async (ids) => (await fill(ids)).agent("planner"), round },
  "deep, with spreads": { setUp: fill, round: bySnapshot },
  immer: { setUp: stores.filled(stores.immer, list), round: inPlace },
};

/** @type {Target[]} */
export const targets = [
  { contestant: "deep", against: "deep, with spreads", atMost: 5 },
  { contestant: "deep", against: "immer", atMost: 1 / 10 },
];

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
 * The same edit by hand.
 *
 * @param {Store<any>} store
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function withSpreads(store, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const id = walk[at];
    const context = store.get(id);
    if (context === undefined) return NaN;
    const { data, version } = context;
    const place = done % 500;
    const items = [...data.items];
    items[place] = { ...items[place], title: leaf(done) };
    sum += store.update(id, { ...data, items }, version).version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * The same edit by hand, on what the manager gives.
 *
 * @param {SharedContextManager<any>} store
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function bySnapshot(store, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const id = walk[at];
    const context = store.get(id);
    if (context === undefined) return NaN;
    const { data } = context;
    const place = done % 500;
    const items = [...data.items];
    items[place] = { ...items[place], title: leaf(done) };
    sum += store.update(id, { ...data, items }, context).version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * The same edit by assignment, on a draft.
 *
 * @param {ImmerContexts<any>} store
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function inPlace(store, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const id = walk[at];
    const { version } = store.get(id);
    const change = (/** @type {any} */ data) => {
      data.items[done % 500].title = leaf(done);
    };
    sum += store.edit(id, change, version).version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}
