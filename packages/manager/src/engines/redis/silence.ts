/**
 * Notices that a server has gone silent. What is sent on one connection is answered in order, so there is one timer for all
 * that is under way: one for each command took 1 µs of it.
 */

import { letProcessEnd } from "../../clock.ts";

export class Silence {
  readonly #longestMs: number;
  readonly #onSilence: () => void;
  /** When that was sent which has no answer yet, the oldest first. */
  readonly #sentMs: number[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param onSilence - called when something has had no answer for so long. */
  constructor(longestMs: number, onSilence: () => void) {
    this.#longestMs = longestMs;
    this.#onSilence = onSilence;
  }

  sent(): void {
    this.#sentMs.push(performance.now());
    if (this.#timer === undefined) this.#lookAfter(this.#longestMs);
  }

  answered(): void {
    this.#sentMs.shift();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #lookAfter(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const [oldestMs] = this.#sentMs;
      if (oldestMs === undefined) return;
      const leftMs = oldestMs + this.#longestMs - performance.now();
      if (leftMs > 0) this.#lookAfter(leftMs);
      else this.#onSilence();
    }, ms);
    // While something is under way, the connection keeps the process.
    letProcessEnd(this.#timer);
  }
}
