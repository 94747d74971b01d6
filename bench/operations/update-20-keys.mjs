/** @import { AsyncStore, Contestant, Store, Target, Walk } from "../types.d.ts" */

import { twentyKeys } from "../payloads.mjs";
import * as stores from "../stores.mjs";

export const name = "update20";
export const title = "update of 20 keys of 1 KB each, by version";
export const sizes = stores.ALL_SIZES;

/** @type {Record<string, Contestant>} */
export const contestants = {
  Map: { setUp: stores.filledMap(twentyKeys), round: intoMap },
  "hand-written": { setUp: stores.filledWithVersions(stores.handWritten, twentyKeys), round },
  deep: { setUp: stores.filledWithVersions(stores.deep, twentyKeys), round },
  shallow: { setUp: stores.filledWithVersions(stores.shallow, twentyKeys), round },
  zustand: { sizes: stores.PEER_SIZES, setUp: stores.filledWithVersions(stores.zustand, twentyKeys), round },
  valtio: { sizes: stores.PEER_SIZES, setUp: stores.filledWithVersions(stores.valtio, twentyKeys), round },
  immer: { sizes: stores.PEER_SIZES, setUp: stores.filledWithVersions(stores.immer, twentyKeys), round },
  keyv: { sizes: stores.PEER_SIZES, setUp: stores.filledWithVersions(stores.keyv, twentyKeys), round: roundAwaited },
};

/** @type {Target[]} */
export const targets = [
  { contestant: "deep", against: "hand-written", atMost: 2 },
  { contestant: "deep", against: "valtio", atMost: 1 },
  { contestant: "deep", against: "immer", atMost: 1 },
  { contestant: "deep", against: "keyv", atMost: 1 },
];

/**
 * @param {{ store: Store<object>, versions: any[] }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function round({ store, versions }, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const { version } = store.update(walk[at], twentyKeys(done), versions[at]);
    versions[at] = version;
    sum += version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * @param {{ store: AsyncStore<object>, versions: any[] }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
async function roundAwaited({ store, versions }, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const { version } = await store.update(walk[at], twentyKeys(done), versions[at]);
    versions[at] = version;
    sum += version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * @param {Map<string, object>} map
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function intoMap(map, walk, from, count) {
  for (let done = 0, at = from; done < count; done++) {
    map.set(walk[at], twentyKeys(done));
    if (++at === walk.length) at = 0;
  }
  return map.size;
}
