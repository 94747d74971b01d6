import Keyv from "keyv";
import { newRecord, nextVersion } from "./record.mjs";

/**
 * Keyv over its own in-memory Map, with its default serialisation, which is what copies the data.
 *
 * @template {object} Data
 */
export class KeyvContexts {
  /** @type {Keyv<ReturnType<typeof newRecord<Data>>>} */
  #keyv = new Keyv();

  /**
   * @param {string} id
   * @param {Data} data
   */
  async create(id, data) {
    await this.#keyv.set(id, newRecord(id, data));
  }

  /** @param {string} id */
  get(id) {
    return this.#keyv.get(id);
  }

  /**
   * @param {string} id
   * @param {Data} data
   * @param {string} expectedVersion
   */
  async update(id, data, expectedVersion) {
    const record = await this.#keyv.get(id);
    if (record === undefined) throw new Error(`context ${id} does not exist`);
    const version = nextVersion(id, record.version, expectedVersion);
    const next = { ...record, version, data, updatedAt: Date.now() };
    await this.#keyv.set(id, next);
    return next;
  }
}
