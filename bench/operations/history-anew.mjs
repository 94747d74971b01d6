/** @import { Contestant, Target, Walk } from "../types.d.ts" */
/** @import { SharedContextManager } from "shared-context-manager" */

import { anew, leaf, tree } from "../payloads.mjs";
import * as stores from "../stores.mjs";

export const name = "history-anew";
export const title = "one leaf of a 100 KB tree that is sent whole, 64 versions kept";
export const sizes = [100];

/** @type {Record<string, Contestant>} */
export const contestants = {
  deep: { setUp: filledWithDocuments(stores.deep), round },
  "with history": { setUp: filledWithDocuments(stores.withHistory), round },
};

/** @type {Target[]} */
export const targets = [{ contestant: "with history", against: "deep", atMost: 1.5 }];

/**
 * For each context two documents that share nothing with it or with each other, and differ in one leaf. They stay
 * the caller's own, so they can be sent again and again.
 *
 * @param {() => SharedContextManager<any>} open
 */
function filledWithDocuments(open) {
  const fill = stores.filled(open, tree);
  return async (/** @type {readonly string[]} */ ids) => {
    const store = await fill(ids);
    const documents = ids.map((id, index) => {
      const [even, odd] = [anew(store.get(id)?.data), anew(store.get(id)?.data)];
      even.b3.b5.b7 = leaf(index);
      odd.b3.b5.b7 = leaf(index + 1);
      return [even, odd];
    });
    return { store, documents };
  };
}

/**
 * @param {{ store: SharedContextManager<any>, documents: readonly any[] }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function round({ store, documents }, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const id = walk[at];
    const context = store.get(id);
    if (context === undefined) return NaN;
    const document = documents[at][Number(context.version) & 1];
    sum += store.update(id, document, context).version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}
