/**
 * The locks of the hand-written store, for whoever is also to be told since when a lock is held, as LOCKED and
 * `snapshot.lock` tell here: that takes a look at the clock with every lock.
 *
 * @template {object} Data
 */
export class HandWrittenLocks {
  /** @type {Map<string, { contextId: string, version: string, data: Data, createdAt: number, updatedAt: number, lock: HandWrittenLock | null }>} */
  #records = new Map();

  /**
   * @param {string} id
   * @param {Data} data
   */
  create(id, data) {
    const now = Date.now();
    this.#records.set(id, {
      contextId: id,
      version: "1",
      data: { ...data },
      createdAt: now,
      updatedAt: now,
      lock: null,
    });
  }

  /**
   * @param {string} id
   * @param {string} agentId
   */
  lock(id, agentId) {
    const record = this.#existing(id);
    if (record.lock !== null) return record.lock.owner === agentId;
    this.#records.set(id, { ...record, lock: { owner: agentId, since: Date.now() } });
    return true;
  }

  /**
   * @param {string} id
   * @param {string} agentId
   */
  unlock(id, agentId) {
    const record = this.#existing(id);
    if (record.lock?.owner !== agentId) return false;
    this.#records.set(id, { ...record, lock: null });
    return true;
  }

  /** @param {string} id */
  #existing(id) {
    const record = this.#records.get(id);
    if (record === undefined) throw new Error(`context ${id} does not exist`);
    return record;
  }
}

/** @typedef {{ owner: string, since: number }} HandWrittenLock */
