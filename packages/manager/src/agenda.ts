import type { Clock } from "./clock.ts";

/** Something to be done at a time. Times are lease time. */
export interface Item {
  atMs: number;
  /** How much earlier it may be done, so that one timer serves many. */
  readonly slackMs: number;
  /** Called when it is due; by then it has left the agenda. */
  due(): void;
  /** Where it stands in the list; only `Agenda` writes these. */
  previous: Item | undefined;
  next: Item | undefined;
}

/**
 * One timer for many items. A timer for each would cost more than the lock it is about; this one is set when
 * an item needs it earlier than it is set for, and looks through the list when it fires.
 */
export class Agenda {
  readonly #clock: Clock;
  /** Whether somebody waits for the items, so that they may keep a process alive. */
  readonly #awaited: boolean;
  #first: Item | undefined;
  #firesAtMs = Infinity;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, awaited: boolean) {
    this.#clock = clock;
    this.#awaited = awaited;
  }

  /** Takes an item on, or takes note that its time has changed. */
  add(item: Item): void {
    if (!this.#has(item)) {
      item.next = this.#first;
      if (this.#first !== undefined) this.#first.previous = item;
      this.#first = item;
    }
    this.#setFor(item.atMs);
  }

  remove(item: Item): void {
    if (!this.#has(item)) return;
    const { previous, next } = item;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
    item.previous = undefined;
    item.next = undefined;
    if (this.#awaited && this.#first === undefined) this.#stop();
  }

  /** Nothing is to be done any more. */
  clear(): void {
    for (let item = this.#first; item !== undefined; item = this.#first) this.remove(item);
    this.#stop();
  }

  #has(item: Item): boolean {
    return item.previous !== undefined || this.#first === item;
  }

  #setFor(atMs: number): void {
    if (atMs >= this.#firesAtMs) return;
    this.#stop();
    this.#firesAtMs = atMs;
    const delayMs = Math.ceil(atMs - this.#clock.leaseMs());
    this.#cancel = this.#clock.setTimer(() => this.#fire(), delayMs, this.#awaited);
  }

  #stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#firesAtMs = Infinity;
  }

  #fire(): void {
    this.#stop();
    const nowMs = this.#clock.leaseMs();
    const due: Item[] = [];
    // The list has the latest first: what is due together is done in the order of arrival.
    for (let item = this.#first; item !== undefined; item = item.next) {
      if (item.atMs - item.slackMs <= nowMs) due.unshift(item);
    }
    try {
      for (const item of due) {
        if (!this.#has(item)) continue;
        this.remove(item);
        item.due();
      }
    } finally {
      this.#setForNext();
    }
  }

  #setForNext(): void {
    let nextMs = Infinity;
    for (let item = this.#first; item !== undefined; item = item.next) nextMs = Math.min(nextMs, item.atMs);
    this.#setFor(nextMs);
  }
}
