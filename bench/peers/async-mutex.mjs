import { Mutex } from "async-mutex";
import { existing } from "./record.mjs";

/** One mutex per context. */
export class MutexContexts {
  /** @type {Map<string, Mutex>} */
  #mutexes = new Map();

  /** @param {string} id */
  create(id) {
    this.#mutexes.set(id, new Mutex());
  }

  /** @param {string} id */
  acquire(id) {
    return existing(this.#mutexes, id).acquire();
  }
}
