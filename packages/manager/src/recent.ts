/**
 * What was put in last, up to a number of bytes: a cache.
 *
 * Two generations instead of a queue: when the young one is full it becomes the old one, and the old one goes whole. So
 * nothing is moved when it is read and nothing is removed one by one, and what was put in stays for at least half of the
 * bytes put in after it.
 */
export class Recent<Value extends object, Key = string> {
  readonly #maxBytes: number;
  #young = new Map<Key, Value>();
  #old = new Map<Key, Value>();
  /** Put into the young generation; what another value has replaced there counts too. */
  #bytes = 0;

  /** @param maxBytes - 32 MB by default, as text: what it stands for takes a few times as much. */
  constructor(maxBytes: number = 32 * 2 ** 20) {
    this.#maxBytes = maxBytes;
  }

  get(key: Key): Value | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  /** @param bytes - about how large the value is. */
  set(key: Key, value: Value, bytes: number): void {
    this.#bytes += bytes + OVERHEAD_BYTES;
    if (this.#bytes > this.#maxBytes / 2) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#bytes = bytes + OVERHEAD_BYTES;
    }
    this.#young.set(key, value);
  }

  delete(key: Key): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#bytes = 0;
  }
}

/** Of a value with its place in the map, however small it is. */
const OVERHEAD_BYTES = 256;
