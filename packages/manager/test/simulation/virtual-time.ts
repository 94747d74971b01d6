/**
 * Time that goes from timer to timer, and a source of chance: with both in place of the platform's, a run is the same
 * each time. Between two timers all that waits for promises alone runs to its end.
 */

import type { Clock } from "shared-context-manager";
import { type Random, randomFrom } from "../../src/testing/random.ts";

interface Timer {
  readonly atMs: number;
  /** Of two for the same instant, the one that was set first goes first. */
  readonly order: number;
  readonly callback: () => void;
}

const STARTED_MS = Date.UTC(2026, 0, 31, 9, 30);

export class VirtualTime implements Clock {
  readonly random: Random;
  readonly #timers = new Map<number, Timer>();
  #nowMs = 0;
  #order = 0;

  constructor(seed: number) {
    this.random = randomFrom(seed);
  }

  wallMs(): number {
    return STARTED_MS + this.#nowMs;
  }

  leaseMs(): number {
    return this.#nowMs;
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    const order = ++this.#order;
    this.#timers.set(order, { atMs: this.#nowMs + Math.max(0, delayMs), order, callback });
    return () => this.#timers.delete(order);
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.setTimer(resolve, delayMs);
    });
  }

  /** Some time of at most so many milliseconds. */
  pause(longestMs: number): Promise<void> {
    return this.sleep(this.random.below(longestMs + 1));
  }

  /** Goes on until `work` has ended. @returns whether it has, within so many milliseconds. */
  async runUntil(work: Promise<unknown>, limitMs: number): Promise<boolean> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    work.then(over, over);
    const untilMs = this.#nowMs + limitMs;
    for (;;) {
      await promisesRun();
      if (isOver) return true;
      const next = this.#next();
      if (next === undefined || next.atMs > untilMs) return false;
      this.#timers.delete(next.order);
      this.#nowMs = next.atMs;
      next.callback();
    }
  }

  /** Calls back again and again. */
  repeat(callback: () => void, delayMs: number): () => void {
    let cancel: () => void;
    const wind = (): void => {
      cancel = this.setTimer(() => {
        wind();
        callback();
      }, delayMs);
    };
    wind();
    return () => cancel();
  }

  /** Takes the place of the platform's timers and of its chance. @returns what puts them back. */
  install(): () => void {
    const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
    const { random } = Math;
    const cancels: (() => void)[] = [];
    const keep = (cancel: () => void): number => cancels.push(cancel);
    const clear = (id: number | undefined): void => cancels[(id ?? 0) - 1]?.();
    Object.assign(globalThis, {
      setTimeout: (callback: () => void, delayMs = 0) => keep(this.setTimer(callback, delayMs)),
      setInterval: (callback: () => void, delayMs = 0) => keep(this.repeat(callback, delayMs)),
      clearTimeout: clear,
      clearInterval: clear,
    });
    Math.random = () => this.random.below(2 ** 30) / 2 ** 30;
    return () => {
      Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval });
      Math.random = random;
    };
  }

  #next(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers.values()) {
      if (next === undefined || timer.atMs < next.atMs) next = timer;
    }
    return next;
  }
}

const { setImmediate: whenIdle } = globalThis;

function promisesRun(): Promise<void> {
  return new Promise((resolve) => {
    whenIdle(resolve);
  });
}
