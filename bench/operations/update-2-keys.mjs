/** @import { AsyncStore, Contestant, Store, Target, TwoKeys, Walk } from "../types.d.ts" */

import { twoKeys } from "../payloads.mjs";
import * as stores from "../stores.mjs";

export const name = "update2";
export const title = "update of 2 keys, by version";
export const sizes = stores.ALL_SIZES;

/** @type {Record<string, Contestant>} */
export const contestants = {
  Map: { setUp: stores.filledMap(), round: intoMap },
  "hand-written": { setUp: stores.filledWithVersions(stores.handWritten), round },
  deep: { setUp: stores.filledWithVersions(stores.deep), round },
  shallow: { setUp: stores.filledWithVersions(stores.shallow), round },
  zustand: { sizes: stores.PEER_SIZES, setUp: stores.filledWithVersions(stores.zustand), round },
  valtio: { sizes: stores.PEER_SIZES, setUp: stores.filledWithVersions(stores.valtio), round },
  immer: { sizes: stores.PEER_SIZES, setUp: stores.filledWithVersions(stores.immer), round },
  keyv: { sizes: stores.PEER_SIZES, setUp: stores.filledWithVersions(stores.keyv), round: roundAwaited },
};

/** @type {Target[]} */
export const targets = [
  { contestant: "deep", against: "hand-written", atMost: 1.7 },
  { contestant: "shallow", against: "hand-written", atMost: 1.6 },
  { contestant: "deep", against: "valtio", atMost: 1 },
  { contestant: "deep", against: "immer", atMost: 1 },
  { contestant: "deep", against: "keyv", atMost: 1 },
];

/**
 * @param {{ store: Store<TwoKeys>, versions: any[] }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function round({ store, versions }, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const { version } = store.update(walk[at], twoKeys(done), versions[at]);
    versions[at] = version;
    sum += version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * @param {{ store: AsyncStore<TwoKeys>, versions: any[] }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
async function roundAwaited({ store, versions }, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const { version } = await store.update(walk[at], twoKeys(done), versions[at]);
    versions[at] = version;
    sum += version.length;
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
function intoMap(map, walk, from, count) {
  for (let done = 0, at = from; done < count; done++) {
    map.set(walk[at], twoKeys(done));
    if (++at === walk.length) at = 0;
  }
  return map.size;
}
