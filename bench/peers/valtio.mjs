import { proxy, snapshot } from "valtio/vanilla";
import { existing, newRecord, nextVersion } from "./record.mjs";

/**
 * One proxy per context, changed in place as valtio is meant to be used; readers get its snapshots.
 *
 * @template {object} Data
 */
export class ValtioContexts {
  /** @type {Map<string, ReturnType<typeof newRecord<Data>>>} */
  #proxies = new Map();

  /**
   * @param {string} id
   * @param {Data} data
   */
  create(id, data) {
    this.#proxies.set(id, proxy(newRecord(id, { ...data })));
  }

  /** @param {string} id */
  get(id) {
    return this.#snapshot(existing(this.#proxies, id));
  }

  /**
   * @param {string} id
   * @param {Data} data
   * @param {string} expectedVersion
   */
  update(id, data, expectedVersion) {
    const state = existing(this.#proxies, id);
    const version = nextVersion(id, state.version, expectedVersion);
    Object.assign(state.data, data);
    state.version = version;
    state.updatedAt = Date.now();
    return this.#snapshot(state);
  }

  /**
   * @param {string} id
   * @param {(data: any) => void} change
   * @param {string} expectedVersion
   */
  edit(id, change, expectedVersion) {
    const state = existing(this.#proxies, id);
    const version = nextVersion(id, state.version, expectedVersion);
    change(state.data);
    state.version = version;
    state.updatedAt = Date.now();
    return this.#snapshot(state);
  }

  /**
   * @param {ReturnType<typeof newRecord<Data>>} state
   * @returns {ReturnType<typeof newRecord<Data>>}
   */
  #snapshot(state) {
    return /** @type {any} */ (snapshot(state));
  }
}
