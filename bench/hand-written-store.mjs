/**
 * What a capable programmer writes in ten minutes instead of installing a package: versions are checked,
 * data is copied one level deep, and nothing else is promised. The measure of everything else here.
 *
 * @template {object} Data
 */
export class HandWrittenStore {
  /** @type {Map<string, HandWrittenRecord<Data>>} */
  #records = new Map();

  /**
   * @param {string} id
   * @param {Data} data
   */
  create(id, data) {
    if (this.#records.has(id)) throw new Error(`context ${id} exists`);
    const now = Date.now();
    /** @type {HandWrittenRecord<Data>} */
    const record = { contextId: id, version: "1", data: { ...data }, lockedBy: null, createdAt: now, updatedAt: now };
    this.#records.set(id, record);
    return record;
  }

  /** @param {string} id */
  get(id) {
    return this.#records.get(id);
  }

  /**
   * @param {string} id
   * @param {Data} data
   * @param {string} expectedVersion
   */
  update(id, data, expectedVersion) {
    const record = this.#existing(id);
    if (record.lockedBy !== null) throw new Error(`context ${id} is locked by ${record.lockedBy}`);
    if (record.version !== expectedVersion) {
      throw new Error(`context ${id} is at version ${record.version}, not ${expectedVersion}`);
    }
    /** @type {HandWrittenRecord<Data>} */
    const next = {
      contextId: id,
      version: String(Number(record.version) + 1),
      data: { ...data },
      lockedBy: null,
      createdAt: record.createdAt,
      updatedAt: Date.now(),
    };
    this.#records.set(id, next);
    return next;
  }

  /**
   * @param {string} id
   * @param {string} agentId
   */
  lock(id, agentId) {
    const record = this.#existing(id);
    if (record.lockedBy !== null) return record.lockedBy === agentId;
    this.#records.set(id, { ...record, lockedBy: agentId });
    return true;
  }

  /**
   * @param {string} id
   * @param {string} agentId
   */
  unlock(id, agentId) {
    const record = this.#existing(id);
    if (record.lockedBy !== agentId) return false;
    this.#records.set(id, { ...record, lockedBy: null });
    return true;
  }

  /** @param {string} id */
  #existing(id) {
    const record = this.#records.get(id);
    if (record === undefined) throw new Error(`context ${id} does not exist`);
    return record;
  }
}

/**
 * @template Data
 * @typedef {object} HandWrittenRecord
 * @property {string} contextId
 * @property {string} version
 * @property {Data} data
 * @property {string | null} lockedBy
 * @property {number} createdAt
 * @property {number} updatedAt
 */
