/**
 * Jobs that wait to be planned, and the rounds of those that are under way. What is about one context is planned in the
 * order in which it was asked for, one on the result of the other: so two rounds at once are never about the same one.
 */

import type { Job, Queued } from "./planning.ts";

const MOST_IN_A_ROUND = 128;
/** What is shorter goes in one round: each costs a call of its own, here and there. */
const WORTH_SPLITTING = 16;
/** Who waits behind so many is not looked for: to flood one context must not make each look longer. */
const LOOKED_THROUGH = 2 * MOST_IN_A_ROUND;

export class Backlog {
  readonly #roundsAtOnce: number;
  #waiting: Queued[] = [];
  /** At most a few: a set of objects costs a hash for each, and 0.7 µs. */
  #underWay: readonly (readonly Queued[])[] = [];
  #jobsUnderWay = 0;

  /** @param roundsAtOnce - how many may be under way. */
  constructor(roundsAtOnce: number) {
    this.#roundsAtOnce = roundsAtOnce;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#underWay.length === 0;
  }

  add(queued: Queued): void {
    this.#waiting.push(queued);
  }

  /** @returns the jobs of a round, which is under way then; `undefined` when none can begin now. */
  next(): readonly Queued[] | undefined {
    if (this.#waiting.length === 0 || this.#underWay.length === this.#roundsAtOnce) return undefined;
    const fair = Math.ceil((this.#waiting.length + this.#jobsUnderWay) / this.#roundsAtOnce);
    const share = Math.max(fair, WORTH_SPLITTING);
    const batch = this.#underWay.length === 0 && share >= this.#waiting.length ? this.#first() : this.#free(share);
    if (batch.length === 0) return undefined;
    this.#underWay = [...this.#underWay, batch];
    this.#jobsUnderWay += batch.length;
    return batch;
  }

  /** A round is over. @param again - those of its jobs that are planned once more, before all that came later. */
  over(batch: readonly Queued[], again: readonly Queued[]): void {
    this.#underWay = this.#underWay.filter((other) => other !== batch);
    this.#jobsUnderWay -= batch.length;
    if (again.length > 0) this.#waiting.unshift(...again);
  }

  #first(): Queued[] {
    return this.#waiting.splice(0, MOST_IN_A_ROUND);
  }

  /** So many jobs that nothing is in the way of, and those on the same contexts, which can build on them at once. */
  #free(share: number): Queued[] {
    const taken = new Set<string>();
    const awaited = new Set<string>();
    for (const batch of this.#underWay) {
      for (const { job } of batch) {
        if (isAboutAll(job)) return [];
        for (const id of job.contextIds) awaited.add(id);
      }
    }
    const batch: Queued[] = [];
    const left: Queued[] = [];
    let at = 0;
    for (; at < this.#waiting.length && at < LOOKED_THROUGH && batch.length < MOST_IN_A_ROUND; at++) {
      const queued = this.#waiting[at] as Queued;
      const { contextIds } = queued.job;
      if (isAboutAll(queued.job)) {
        // It waits for all that goes before it, and all behind it waits for it.
        if (at === 0 && this.#underWay.length === 0) return this.#first();
        break;
      }
      const waits = contextIds.some((id) => awaited.has(id));
      const goes = !waits && (batch.length < share || contextIds.some((id) => taken.has(id)));
      (goes ? batch : left).push(queued);
      for (const id of contextIds) (goes ? taken : awaited).add(id);
    }
    if (batch.length > 0) this.#waiting = [...left, ...this.#waiting.slice(at)];
    return batch;
  }
}

/** What it finds depends on every context there is. */
function isAboutAll({ counts = false, clears = false }: Job<unknown>): boolean {
  return counts || clears;
}
