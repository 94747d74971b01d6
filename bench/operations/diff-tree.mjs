/** @import { Contestant, Target, Walk } from "../types.d.ts" */

import fastJsonPatch from "fast-json-patch";
import { diff } from "shared-context-manager";
import { leaf, tree } from "../payloads.mjs";
import * as stores from "../stores.mjs";

export const name = "diff-tree";
export const title = "diff of two 100 KB trees, one leaf changed";
export const sizes = [100];

const fill = stores.filled(stores.deep, tree);

/** @type {Record<string, Contestant>} */
export const contestants = {
  diff: { setUp: pairs, round },
  "fast-json-patch": { setUp: pairs, round: roundOfCompare },
};

/** @type {Target[]} */
export const targets = [{ contestant: "diff", against: "fast-json-patch", atMost: 1 / 10 }];

/**
 * Two versions of each context, the second made of the first with spreads.
 *
 * @param {readonly string[]} ids
 */
async function pairs(ids) {
  const manager = await fill(ids);
  return ids.map((id, index) => {
    const before = manager.get(id)?.data;
    const b5 = { ...before.b3.b5, b7: leaf(index) };
    const after = manager.update(id, { ...before, b3: { ...before.b3, b5 } }, "1").data;
    return { before, after };
  });
}

/**
 * @param {readonly any[]} versions
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function round(versions, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const { before, after } = versions[at];
    sum += diff(before, after).length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * @param {readonly any[]} versions
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function roundOfCompare(versions, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const { before, after } = versions[at];
    sum += fastJsonPatch.compare(before, after).length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}
