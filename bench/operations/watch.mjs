/** @import { Contestant, Store, Target, TwoKeys, Walk } from "../types.d.ts" */

import { EventEmitter, on } from "node:events";
import { twoKeys } from "../payloads.mjs";
import * as stores from "../stores.mjs";

/** As many changes are written before they are read: fewer than a consumer may lag. */
const BURST = 500;

export const name = "watch";
export const title = "update of 2 keys, read by a watcher 500 at a time";
export const sizes = [1];

const fill = stores.filledWithVersions(stores.deep);

/** @type {Record<string, Contestant>} */
export const contestants = {
  deep: {
    async setUp(ids) {
      const state = await fill(ids);
      const changes = state.store.watch(ids[0]);
      await changes.next(); // how it is
      return { ...state, changes };
    },
    round,
  },
  "events.on": {
    async setUp(ids) {
      const emitter = new EventEmitter();
      return { ...(await fill(ids)), emitter, events: on(emitter, ids[0] ?? "") };
    },
    round: roundOfEmitter,
  },
  "events.on, nothing written": {
    async setUp(ids) {
      const emitter = new EventEmitter();
      return { emitter, events: on(emitter, ids[0] ?? ""), context: (await fill(ids)).store.get(ids[0] ?? "") };
    },
    round: roundOfEmitterAlone,
  },
};

/** @type {Target[]} */
export const targets = [{ contestant: "deep", against: "events.on", atMost: 1 }];

/**
 * @param {{ store: Store<TwoKeys>, versions: any[], changes: AsyncIterator<any> }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
async function round({ store, versions, changes }, walk, from, count) {
  let sum = 0;
  for (let left = count; left > 0; left -= BURST) {
    const burst = Math.min(BURST, left);
    for (let done = 0; done < burst; done++) {
      versions[from] = store.update(walk[from], twoKeys(done), versions[from]).version;
    }
    for (let done = 0; done < burst; done++) {
      const { value } = await changes.next();
      sum += value.context.version.length;
    }
  }
  return sum;
}

/**
 * The same manager, and an emitter that emits what was written.
 *
 * @param {{ store: Store<TwoKeys>, versions: any[], emitter: EventEmitter, events: AsyncIterator<any> }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
async function roundOfEmitter({ store, versions, emitter, events }, walk, from, count) {
  let sum = 0;
  for (let left = count; left > 0; left -= BURST) {
    const burst = Math.min(BURST, left);
    for (let done = 0; done < burst; done++) {
      const context = store.update(walk[from], twoKeys(done), versions[from]);
      versions[from] = context.version;
      emitter.emit(walk[from], { kind: "updated", context });
    }
    for (let done = 0; done < burst; done++) {
      const { value } = await events.next();
      sum += value[0].context.version.length;
    }
  }
  return sum;
}

/**
 * What the emitter costs without the manager.
 *
 * @param {{ emitter: EventEmitter, events: AsyncIterator<any>, context: any }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
async function roundOfEmitterAlone({ emitter, events, context }, walk, from, count) {
  let sum = 0;
  for (let left = count; left > 0; left -= BURST) {
    const burst = Math.min(BURST, left);
    for (let done = 0; done < burst; done++) emitter.emit(walk[from], { kind: "updated", context });
    for (let done = 0; done < burst; done++) {
      const { value } = await events.next();
      sum += value[0].context.version.length;
    }
  }
  return sum;
}
