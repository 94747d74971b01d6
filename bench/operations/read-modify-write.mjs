/** @import { AsyncStore, Contestant, Store, Target, TwoKeys, Walk } from "../types.d.ts" */
/** @import { SharedContextManager } from "shared-context-manager" */

import * as stores from "../stores.mjs";

export const name = "rmw";
export const title = "read-modify-write of 2 keys";
export const sizes = [1_000];

/** @type {Record<string, Contestant>} */
export const contestants = {
  "hand-written": { setUp: stores.filled(stores.handWritten), round },
  deep: { setUp: stores.filled(stores.deep), round: bySnapshot },
  shallow: { setUp: stores.filled(stores.shallow), round: bySnapshot },
  zustand: { setUp: stores.filled(stores.zustand), round },
  valtio: { setUp: stores.filled(stores.valtio), round },
  immer: { setUp: stores.filled(stores.immer), round },
  keyv: { setUp: stores.filled(stores.keyv), round: roundAwaited },
};

/** @type {Target[]} */
export const targets = [
  { contestant: "deep", against: "valtio", atMost: 1 },
  { contestant: "deep", against: "immer", atMost: 1 },
  { contestant: "deep", against: "keyv", atMost: 1 },
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
    const id = walk[at];
    const context = store.get(id);
    if (context === undefined) return NaN;
    const { data, version } = context;
    sum += store.update(id, { ...data, step: data.step + 1 }, version).version.length;
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
    const id = walk[at];
    const context = await store.get(id);
    if (context === undefined) return NaN;
    const { data, version } = context;
    sum += (await store.update(id, { ...data, step: data.step + 1 }, version)).version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * @param {SharedContextManager<TwoKeys>} store
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
    sum += store.update(id, { ...data, step: data.step + 1 }, context).version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}
