/** @import { Contestant, Store, Target, TwoKeys, Walk } from "../types.d.ts" */

import { EventEmitter } from "node:events";
import { twoKeys } from "../payloads.mjs";
import * as stores from "../stores.mjs";

const LISTENERS = 1_000;

export const name = "subscribers";
export const title = "update of 2 keys, told to 1,000 subscribers";
export const sizes = [1];

const fill = stores.filledWithVersions(stores.deep);

/** @type {Record<string, Contestant>} */
export const contestants = {
  deep: {
    async setUp(ids) {
      const state = { ...(await fill(ids)), heard: 0 };
      for (let index = 0; index < LISTENERS; index++) {
        state.store.subscribe(ids[0], ({ context }) => {
          state.heard += context?.data.step === undefined ? NaN : 1;
        });
      }
      return state;
    },
    round,
  },
  EventEmitter: { setUp: openWithEmitter, round: roundOfEmitter },
  "EventEmitter, nothing written": { setUp: openWithEmitter, round: roundOfEmitterAlone },
};

/** @type {Target[]} */
export const targets = [{ contestant: "deep", against: "EventEmitter", atMost: 1 }];

/** @param {readonly string[]} ids */
async function openWithEmitter(ids) {
  const state = { ...(await fill(ids)), emitter: new EventEmitter(), heard: 0 };
  state.emitter.setMaxListeners(LISTENERS);
  for (let index = 0; index < LISTENERS; index++) {
    state.emitter.on(ids[0] ?? "", ({ context }) => {
      state.heard += context?.data.step === undefined ? NaN : 1;
    });
  }
  return state;
}

/**
 * @param {{ store: Store<TwoKeys>, versions: any[], heard: number }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function round(state, walk, from, count) {
  const { store, versions } = state;
  state.heard = 0;
  for (let done = 0; done < count; done++) {
    versions[from] = store.update(walk[from], twoKeys(done), versions[from]).version;
  }
  return state.heard === count * LISTENERS ? state.heard : NaN;
}

/**
 * The same manager, and an emitter that emits what was written.
 *
 * @param {{ store: Store<TwoKeys>, versions: any[], emitter: EventEmitter, heard: number }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function roundOfEmitter(state, walk, from, count) {
  const { store, versions, emitter } = state;
  state.heard = 0;
  for (let done = 0; done < count; done++) {
    const context = store.update(walk[from], twoKeys(done), versions[from]);
    versions[from] = context.version;
    emitter.emit(walk[from], { kind: "updated", context });
  }
  return state.heard === count * LISTENERS ? state.heard : NaN;
}

/**
 * What the emitter costs without the manager.
 *
 * @param {{ store: Store<TwoKeys>, emitter: EventEmitter, heard: number }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function roundOfEmitterAlone(state, walk, from, count) {
  const { store, emitter } = state;
  const context = store.get(walk[from]);
  state.heard = 0;
  for (let done = 0; done < count; done++) emitter.emit(walk[from], { kind: "updated", context });
  return state.heard === count * LISTENERS ? state.heard : NaN;
}
