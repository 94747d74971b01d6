/** @import { Contestant, Store, Target, Walk } from "../types.d.ts" */
/** @import { ImmerContexts } from "../peers/immer.mjs" */

import { leaf, tree } from "../payloads.mjs";
import * as stores from "../stores.mjs";

export const name = "edit-tree";
export const title = "one leaf of a 100 KB tree";
export const sizes = [100];

/** @type {Record<string, Contestant>} */
export const contestants = {
  "hand-written": { setUp: stores.filled(stores.handWritten, tree), round: withSpreads },
  deep: { setUp: stores.filled(stores.deep, tree), round: withSpreads },
  shallow: { setUp: stores.filled(stores.shallow, tree), round: withSpreads },
  valtio: { setUp: stores.filled(stores.valtio, tree), round: inPlace },
  immer: { setUp: stores.filled(stores.immer, tree), round: inPlace },
};

/** @type {Target[]} */
export const targets = [
  { contestant: "deep", against: "immer", atMost: 1 / 3 },
  { contestant: "deep", against: "valtio", atMost: 1 },
];

/**
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
    const b5 = { ...data.b3.b5, b7: leaf(done) };
    sum += store.update(id, { ...data, b3: { ...data.b3, b5 } }, version).version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * The same edit by assignment, on a draft or a proxy.
 *
 * @param {Pick<ImmerContexts<any>, "get" | "edit">} store
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
      data.b3.b5.b7 = leaf(done);
    };
    sum += store.edit(id, change, version).version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}
