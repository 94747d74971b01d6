import type { Clock } from "./clock.ts";

/** Something that renews itself from time to time. Times are lease time. */
export interface Renewable {
  readonly renewAtMs: number;
  /** How much earlier it may happen, so that one timer serves many. */
  readonly slackMs: number;
  renewItself(): void;
}

/**
 * One timer for all leases of a manager. A timer for each would cost more than the lock it guards; this one is
 * set when a lease needs it earlier than it is set for, and finds out by itself that nobody needs it any more.
 */
export class Renewals {
  readonly #clock: Clock;
  readonly #waiting = new Set<Renewable>();
  #firesAtMs = Infinity;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(renewable: Renewable): void {
    this.#waiting.add(renewable);
    this.#setFor(renewable.renewAtMs);
  }

  remove(renewable: Renewable): void {
    this.#waiting.delete(renewable);
  }

  #setFor(atMs: number): void {
    if (atMs >= this.#firesAtMs) return;
    this.#cancel?.();
    this.#firesAtMs = atMs;
    const delayMs = Math.ceil(atMs - this.#clock.leaseMs());
    this.#cancel = this.#clock.setTimer(() => this.#fire(), delayMs, false);
  }

  #fire(): void {
    this.#firesAtMs = Infinity;
    const nowMs = this.#clock.leaseMs();
    const due = [...this.#waiting].filter(({ renewAtMs, slackMs }) => renewAtMs - slackMs <= nowMs);
    for (const renewable of due) if (this.#waiting.has(renewable)) renewable.renewItself();
    let nextMs = Infinity;
    for (const { renewAtMs } of this.#waiting) nextMs = Math.min(nextMs, renewAtMs);
    this.#setFor(nextMs);
  }
}
