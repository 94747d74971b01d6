/** @import { Order } from "../types.d.ts" */

/** With a fixed seed, every run walks alike. */
const random = mulberry32(20_601);

/** @param {number} size */
export function makeIds(size) {
  return Array.from({ length: size }, (_, index) => `context-${index}`);
}

/**
 * @param {readonly string[]} ids
 * @param {Order} order
 */
export function walkOf(ids, order) {
  return order === "shuffled" ? shuffled(ids) : ids;
}

/**
 * A shuffled copy, after Fisher and Yates. Later calls shuffle differently.
 *
 * @template Value
 * @param {readonly Value[]} values
 * @returns {Value[]}
 */
export function shuffled(values) {
  /** @type {any[]} */
  const copy = [...values];
  for (let last = copy.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [copy[last], copy[other]] = [copy[other], copy[last]];
  }
  return copy;
}

/**
 * mulberry32, a small generator of good numbers.
 *
 * @param {number} seed
 */
function mulberry32(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
