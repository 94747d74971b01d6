/** A token bucket for each name: so many requests a second, and twice as many at once. */

import { HttpError } from "./problems.ts";

interface Bucket {
  left: number;
  atMs: number;
}

const MANY_NAMES = 10_000;

export class RateLimit {
  readonly #perSecond: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** @throws HttpError RATE_LIMITED. */
  take(name: string): void {
    if (this.#perSecond === Infinity) return;
    const nowMs = performance.now();
    const most = this.#perSecond * 2;
    const { left, atMs } = this.#buckets.get(name) ?? { left: most, atMs: nowMs };
    const now = Math.min(most, left + ((nowMs - atMs) / 1000) * this.#perSecond);
    if (now < 1) {
      const seconds = Math.ceil((1 - now) / this.#perSecond);
      throw new HttpError(
        "RATE_LIMITED",
        `more than ${this.#perSecond} requests a second with this token: wait ${seconds} s, or watch instead of asking again`,
        { per_second: this.#perSecond },
        { "retry-after": String(seconds) },
      );
    }
    if (this.#buckets.size >= MANY_NAMES) this.#buckets.clear();
    this.#buckets.set(name, { left: now - 1, atMs: nowMs });
  }
}
