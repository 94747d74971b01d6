/** @import { Contestant, Store, Target, TwoKeys, Walk } from "../types.d.ts" */

import { twoKeys } from "../payloads.mjs";
import * as stores from "../stores.mjs";

export const name = "stale-deep";
export const title = "stale update, refused and caught 10 calls up";
export const sizes = [1_000];

/** How deep a program is when its agent writes: a stack has more to capture there than in a bare loop. */
const CALLS = 10;

/** @type {Record<string, Contestant>} */
export const contestants = {
  "hand-written": { setUp: stores.filled(stores.handWritten), round },
  deep: { setUp: stores.filled(stores.deep), round },
  shallow: { setUp: stores.filled(stores.shallow), round },
};

/** @type {Target[]} */
export const targets = [
  { contestant: "deep", against: "hand-written", atMost: 1.5 },
  { contestant: "shallow", against: "hand-written", atMost: 1.5 },
];

/**
 * @param {Store<TwoKeys>} store
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function round(store, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    try {
      call(CALLS, store, walk[at], done);
    } catch (error) {
      if (error instanceof Error) sum += error.message.length;
    }
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * @param {number} calls
 * @param {Store<TwoKeys>} store
 * @param {string} id
 * @param {number} step
 */
function call(calls, store, id, step) {
  if (calls > 0) call(calls - 1, store, id, step);
  else store.update(id, twoKeys(step), "0");
}
