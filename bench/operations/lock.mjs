/** @import { Contestant, Target, TwoKeys, Walk } from "../types.d.ts" */
/** @import { HandWrittenStore } from "../hand-written-store.mjs" */

import { HandWrittenLocks } from "../hand-written-locks.mjs";
import { MutexContexts } from "../peers/async-mutex.mjs";
import { twoKeys } from "../payloads.mjs";
import * as stores from "../stores.mjs";

export const name = "lock";
export const title = "lock and unlock";
export const sizes = stores.ALL_SIZES;

/** @type {Record<string, Contestant>} */
export const contestants = {
  Map: { setUp: stores.filledMap(), round: setTwice },
  "hand-written": { setUp: stores.filled(stores.handWritten), round },
  "hand-written, since when": { setUp: stores.filled(() => new HandWrittenLocks()), round },
  deep: { setUp: stores.filled(stores.deep), round },
  shallow: { setUp: stores.filled(stores.shallow), round },
  "async-mutex": {
    sizes: stores.PEER_SIZES,
    setUp: stores.filled(() => new MutexContexts()),
    round: roundAwaited,
  },
};

/** @type {Target[]} */
export const targets = [
  { contestant: "deep", against: "hand-written, since when", atMost: 1.3 },
  { contestant: "shallow", against: "hand-written, since when", atMost: 1.3 },
  { contestant: "deep", against: "async-mutex", atMost: 1 },
];

/**
 * @param {Pick<HandWrittenStore<TwoKeys>, "lock" | "unlock">} store
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function round(store, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const id = walk[at];
    if (store.lock(id, "planner")) sum += 1;
    if (store.unlock(id, "planner")) sum += 1;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * @param {MutexContexts} store
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
async function roundAwaited(store, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const release = await store.acquire(walk[at]);
    sum += 1;
    release();
    if (++at === walk.length) at = 0;
  }
  return sum;
}

const locked = twoKeys(1);
const unlocked = twoKeys(0);

/**
 * @param {Map<string, TwoKeys>} map
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function setTwice(map, walk, from, count) {
  for (let done = 0, at = from; done < count; done++) {
    const id = walk[at];
    map.set(id, locked);
    map.set(id, unlocked);
    if (++at === walk.length) at = 0;
  }
  return map.size;
}
