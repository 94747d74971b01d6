import { freeze, produce } from "immer";
import { existing, newRecord, nextVersion } from "./record.mjs";

/**
 * Records in a Map, each replaced by what `produce` makes of it. Auto-freezing stays on: it is the default,
 * and what keeps a caller from changing the store.
 *
 * @template {object} Data
 */
export class ImmerContexts {
  /** @type {Map<string, ReturnType<typeof newRecord<Data>>>} */
  #records = new Map();

  /**
   * @param {string} id
   * @param {Data} data
   */
  create(id, data) {
    this.#records.set(id, freeze(newRecord(id, data), true));
  }

  /** @param {string} id */
  get(id) {
    return existing(this.#records, id);
  }

  /**
   * @param {string} id
   * @param {Data} data
   * @param {string} expectedVersion
   */
  update(id, data, expectedVersion) {
    const record = existing(this.#records, id);
    const version = nextVersion(id, record.version, expectedVersion);
    const next = produce(record, (/** @type {any} */ draft) => {
      draft.data = data;
      draft.version = version;
      draft.updatedAt = Date.now();
    });
    this.#records.set(id, next);
    return next;
  }

  /**
   * @param {string} id
   * @param {(data: any) => void} change
   * @param {string} expectedVersion
   */
  edit(id, change, expectedVersion) {
    const record = existing(this.#records, id);
    const version = nextVersion(id, record.version, expectedVersion);
    const next = produce(record, (/** @type {any} */ draft) => {
      change(draft.data);
      draft.version = version;
      draft.updatedAt = Date.now();
    });
    this.#records.set(id, next);
    return next;
  }
}
