/** @import { SharedContextManager } from "shared-context-manager" */
/** @import { Contestant, Target, Walk } from "../types.d.ts" */

import { EventEmitter } from "node:events";
import * as stores from "../stores.mjs";

export const name = "subscribe";
export const title = "subscribe to one context, and unsubscribe";
export const sizes = [1_000];

/** @type {Record<string, Contestant>} */
export const contestants = {
  deep: { setUp: stores.filled(stores.deep), round },
  EventEmitter: { setUp: () => new EventEmitter(), round: roundOfEmitter },
};

/** @type {Target[]} */
export const targets = [];

/**
 * @param {SharedContextManager<any>} manager
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function round(manager, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const unsubscribe = manager.subscribe(walk[at], () => {
      sum += 1;
    });
    unsubscribe();
    if (++at === walk.length) at = 0;
  }
  return sum;
}

/**
 * @param {EventEmitter} emitter
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function roundOfEmitter(emitter, walk, from, count) {
  let sum = 0;
  for (let done = 0, at = from; done < count; done++) {
    const listener = () => {
      sum += 1;
    };
    emitter.on(walk[at], listener);
    emitter.off(walk[at], listener);
    if (++at === walk.length) at = 0;
  }
  return sum;
}
