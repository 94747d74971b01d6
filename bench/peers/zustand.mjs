import { createStore } from "zustand/vanilla";
import { existing, newRecord, nextVersion } from "./record.mjs";

/**
 * One vanilla store per context: one store for all of them would copy its table of ids at every update.
 *
 * @template {object} Data
 */
export class ZustandContexts {
  /** @type {Map<string, import("zustand/vanilla").StoreApi<ReturnType<typeof newRecord<Data>>>>} */
  #stores = new Map();

  /**
   * @param {string} id
   * @param {Data} data
   */
  create(id, data) {
    const record = newRecord(id, { ...data });
    this.#stores.set(
      id,
      createStore(() => record),
    );
  }

  /** @param {string} id */
  get(id) {
    return existing(this.#stores, id).getState();
  }

  /**
   * @param {string} id
   * @param {Data} data
   * @param {string} expectedVersion
   */
  update(id, data, expectedVersion) {
    const store = existing(this.#stores, id);
    const version = nextVersion(id, store.getState().version, expectedVersion);
    store.setState({ version, data: { ...data }, updatedAt: Date.now() });
    return store.getState();
  }
}
