/** @import { SharedContextManager } from "shared-context-manager" */
/** @import { Contestant, Store, Target, TwoKeys, Walk } from "../types.d.ts" */

import { twoKeys } from "../payloads.mjs";
import * as stores from "../stores.mjs";

const CROWD = 10_000;

export const name = "watchers-elsewhere";
export const title = "update of 2 keys, by version, 10,000 watching elsewhere";
export const sizes = [1_000];

const fill = stores.filledWithVersions(stores.deep);

/** @type {Record<string, Contestant>} */
export const contestants = {
  "nobody watches": { setUp: open, round },
  watchers: {
    async setUp(ids) {
      const state = await open(ids);
      for (let index = 0; index < CROWD; index++) {
        const changes = state.store.watch(elsewhere(index));
        await changes.next(); // how it is
        void changes.next(); // and then it waits for a change that never comes
      }
      return state;
    },
    round,
  },
  subscribers: {
    setUp: (ids) => openWith(ids, (store, index) => store.subscribe(elsewhere(index), () => undefined)),
    round,
  },
  "subscribers by prefix": {
    setUp: (ids) => openWith(ids, (store, index) => store.subscribe({ prefix: elsewhere(index) }, () => undefined)),
    round,
  },
};

/** @type {Target[]} */
export const targets = [
  { contestant: "watchers", against: "nobody watches", atMost: 1.5 },
  { contestant: "subscribers", against: "nobody watches", atMost: 1.5 },
];

/** @param {number} index */
function elsewhere(index) {
  return `elsewhere-${index}`;
}

/**
 * The contexts of the walk and those that are watched: as many for all contestants.
 *
 * @param {readonly string[]} ids
 */
function open(ids) {
  return fill([...ids, ...Array.from({ length: CROWD }, (_, index) => elsewhere(index))]);
}

/**
 * @param {readonly string[]} ids
 * @param {(store: SharedContextManager<any>, index: number) => void} listen
 */
async function openWith(ids, listen) {
  const state = await open(ids);
  for (let index = 0; index < CROWD; index++) listen(state.store, index);
  return state;
}

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
