/** @import { Contestant, Held, Target, TwoKeys, Walk } from "../types.d.ts" */
/** @import { SharedContextManager } from "shared-context-manager" */
/** @import { HandWrittenStore } from "../hand-written-store.mjs" */

import { twoKeys } from "../payloads.mjs";
import * as stores from "../stores.mjs";

export const name = "update2-by-snapshot";
export const title = "update of 2 keys, by snapshot";
export const sizes = [1_000];

/** @type {Record<string, Contestant>} */
export const contestants = {
  "hand-written": { setUp: filledWithSeen(stores.handWritten), round: byVersion },
  deep: { setUp: filledWithSeen(stores.deep), round: bySnapshot },
  shallow: { setUp: filledWithSeen(stores.shallow), round: bySnapshot },
};

/** @type {Target[]} */
export const targets = [
  { contestant: "deep", against: "hand-written", atMost: 1.7 },
  { contestant: "shallow", against: "hand-written", atMost: 1.6 },
];

/**
 * The caller keeps what it has last seen of each context: snapshots here, records of the hand-written store.
 *
 * @template {{ create(id: string, data: any): unknown, get(id: string): Held<any> | undefined }} Store
 * @param {() => Store} open
 */
function filledWithSeen(open) {
  const fill = stores.filled(open);
  return async (/** @type {readonly string[]} */ ids) => {
    const store = await fill(ids);
    return { store, seen: ids.map((id) => store.get(id)) };
  };
}

/**
 * @param {{ store: HandWrittenStore<TwoKeys>, seen: any[] }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function byVersion({ store, seen }, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const next = store.update(walk[at], twoKeys(done), seen[at].version);
    seen[at] = next;
    sum += next.version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * @param {{ store: SharedContextManager<TwoKeys>, seen: any[] }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function bySnapshot({ store, seen }, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const next = store.update(walk[at], twoKeys(done), seen[at]);
    seen[at] = next;
    sum += next.version.length;
    if (++at === walk.length) at = 0;
  }
  return sum;
}
