/** The stores that take part, and how they are filled: alike for all. */

import { SharedContextManager } from "shared-context-manager";
import { HandWrittenStore } from "./hand-written-store.mjs";
import { twoKeys } from "./payloads.mjs";
import { ImmerContexts } from "./peers/immer.mjs";
import { KeyvContexts } from "./peers/keyv.mjs";
import { ValtioContexts } from "./peers/valtio.mjs";
import { ZustandContexts } from "./peers/zustand.mjs";

/** @returns {HandWrittenStore<any>} */
export const handWritten = () => new HandWrittenStore();
/** @returns {SharedContextManager<any>} */
export const deep = () => new SharedContextManager();
/** @returns {SharedContextManager<any>} */
export const shallow = () => new SharedContextManager({ isolation: "shallow" });
/** Far above the size of any payload here: what counts is the counting. */
export const MAX_DATA_BYTES = 1_000_000;
/** How many versions are kept beside the present one, where they are. */
export const HISTORY_LIMIT = 64;
/** @returns {SharedContextManager<any>} */
export const limited = () => new SharedContextManager({ maxDataBytes: MAX_DATA_BYTES });
/** @returns {SharedContextManager<any>} */
export const withHistory = () => new SharedContextManager({ historyLimit: HISTORY_LIMIT });
/** @returns {ZustandContexts<any>} */
export const zustand = () => new ZustandContexts();
/** @returns {ValtioContexts<any>} */
export const valtio = () => new ValtioContexts();
/** @returns {ImmerContexts<any>} */
export const immer = () => new ImmerContexts();
/** @returns {KeyvContexts<any>} */
export const keyv = () => new KeyvContexts();

/** Peers take part at this size alone, which is enough to place them. */
export const PEER_SIZES = [1_000];
export const ALL_SIZES = [1_000, 100_000, 1_000_000];

/**
 * A set-up that opens a store and creates a context for each id.
 *
 * @template {{ create(id: string, data: any): unknown }} Store
 * @param {() => Store} open
 * @param {(step: number) => any} [payload]
 */
export function filled(open, payload = twoKeys) {
  return async (/** @type {readonly string[]} */ ids) => {
    const store = open();
    for (const [index, id] of ids.entries()) {
      const created = store.create(id, payload(index));
      if (created instanceof Promise) await created;
    }
    return store;
  };
}

/**
 * The same, with a list of the versions that the caller has last seen, by position in the walk.
 *
 * @template {{ create(id: string, data: any): unknown }} Store
 * @param {() => Store} open
 * @param {(step: number) => any} [payload]
 */
export function filledWithVersions(open, payload) {
  const fill = filled(open, payload);
  return async (/** @type {readonly string[]} */ ids) => {
    /** @type {any[]} */
    const versions = ids.map(() => "1");
    return { store: await fill(ids), versions };
  };
}

/**
 * The floor: a Map that holds the payload itself, without version, copy or check.
 *
 * @param {(step: number) => any} [payload]
 */
export function filledMap(payload = twoKeys) {
  return (/** @type {readonly string[]} */ ids) => new Map(ids.map((id, index) => [id, payload(index)]));
}
