/** @import { AsyncStore, Contestant, Store, Target, TwoKeys, Walk } from "../types.d.ts" */

import * as stores from "../stores.mjs";

export const name = "get";
export const title = "get, read its version and one value";
export const sizes = stores.ALL_SIZES;

/** @type {Record<string, Contestant>} */
export const contestants = {
  Map: { setUp: stores.filledMap(), round: fromMap },
  "hand-written": { setUp: stores.filled(stores.handWritten), round },
  deep: { setUp: stores.filled(stores.deep), round },
  shallow: { setUp: stores.filled(stores.shallow), round },
  zustand: { sizes: stores.PEER_SIZES, setUp: stores.filled(stores.zustand), round },
  valtio: { sizes: stores.PEER_SIZES, setUp: stores.filled(stores.valtio), round },
  immer: { sizes: stores.PEER_SIZES, setUp: stores.filled(stores.immer), round },
  keyv: { sizes: stores.PEER_SIZES, setUp: stores.filled(stores.keyv), round: roundAwaited },
};

/** @type {Target[]} */
export const targets = [
  { contestant: "deep", against: "hand-written", atMost: 1.2 },
  { contestant: "shallow", against: "hand-written", atMost: 1.2 },
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
    const context = store.get(walk[at]);
    if (context !== undefined) sum += context.version.length + context.data.step;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * @param {AsyncStore<TwoKeys>} store
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
async function roundAwaited(store, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const context = await store.get(walk[at]);
    if (context !== undefined) sum += context.version.length + context.data.step;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * @param {Map<string, TwoKeys>} map
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function fromMap(map, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const data = map.get(walk[at]);
    if (data !== undefined) sum += data.step;
    if (++at === walk.length) at = 0;
  }
  return sum;
}
