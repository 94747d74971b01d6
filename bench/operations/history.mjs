/** @import { Contestant, Target, Walk } from "../types.d.ts" */
/** @import { SharedContextManager } from "shared-context-manager" */

import { leaf, tree } from "../payloads.mjs";
import * as stores from "../stores.mjs";

export const name = "history";
export const title = "one leaf of a 100 KB tree, 64 versions kept";
export const sizes = [100];

/** @type {Record<string, Contestant>} */
export const contestants = {
  deep: { setUp: stores.filled(stores.deep, tree), round },
  "with history": { setUp: stores.filled(stores.withHistory, tree), round },
};

/** @type {Target[]} */
export const targets = [{ contestant: "with history", against: "deep", atMost: 1.5 }];

/**
 * @param {SharedContextManager<any>} store
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function round(store, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const id = walk[at];
    const context = store.get(id);
    if (context === undefined) return NaN;
    const { data } = context;
    const b5 = { ...data.b3.b5, b7: leaf(done) };
    sum += store.update(id, { ...data, b3: { ...data.b3, b5 } }, context).version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}
