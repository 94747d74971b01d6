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
  "events.on, as much told": { setUp: (ids) => withEmitter(ids, toldInFull), round: roundOfEmitter },
  "events.on": { setUp: (ids) => withEmitter(ids, told), round: roundOfEmitter },
  "events.on, nothing written": {
    async setUp(ids) {
      const emitter = new EventEmitter();
      return { emitter, events: on(emitter, ids[0] ?? ""), context: (await fill(ids)).store.get(ids[0] ?? "") };
    },
    round: roundOfEmitterAlone,
  },
};

/** @type {Target[]} */
export const targets = [{ contestant: "deep", against: "events.on, as much told", atMost: 1 }];

/**
 * @param {readonly string[]} ids
 * @param {(context: any, previous: any) => object} eventOf
 */
async function withEmitter(ids, eventOf) {
  const emitter = new EventEmitter();
  const state = await fill(ids);
  return { ...state, emitter, events: on(emitter, ids[0] ?? ""), eventOf, previous: state.store.get(ids[0] ?? "") };
}

/** @param {any} context */
function told(context) {
  return { kind: "updated", context };
}

/**
 * What a watcher is told.
 *
 * @param {any} context
 * @param {any} previous
 */
function toldInFull(context, previous) {
  const { revision, contextId, updatedBy, note } = context;
  return { revision, kind: "updated", contextId, agentId: updatedBy, note, context, previous };
}

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
 * @param {Emitting} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
async function roundOfEmitter(state, walk, from, count) {
  const { store, versions, emitter, events, eventOf } = state;
  let sum = 0;
  for (let left = count; left > 0; left -= BURST) {
    const burst = Math.min(BURST, left);
    for (let done = 0; done < burst; done++) {
      const context = store.update(walk[from], twoKeys(done), versions[from]);
      versions[from] = context.version;
      emitter.emit(walk[from], eventOf(context, state.previous));
      state.previous = context;
    }
    for (let done = 0; done < burst; done++) {
      const { value } = await events.next();
      sum += value[0].context.version.length;
    }
  }
  return sum;
}

/**
 * @typedef {object} Emitting
 * @property {Store<TwoKeys>} store
 * @property {any[]} versions
 * @property {EventEmitter} emitter
 * @property {AsyncIterator<any>} events
 * @property {(context: any, previous: any) => object} eventOf
 * @property {any} previous
 */

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
