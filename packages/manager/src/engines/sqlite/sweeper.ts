/// <reference types="node" />
/**
 * A version stays where it was written, in the log, for as long as it is the present one or part of a history, however old
 * it is. What nobody needs is swept away little by little.
 */

import type { Statements } from "./contexts.ts";

/**
 * So many are looked at each time, twice as many as can have grown old since the last: so at most a third of what is older
 * than the log is waste.
 */
const SWEPT_AT_ONCE = 512;

export class Sweeper {
  readonly #sql: Statements;
  readonly #historyLimit: number;
  /** Where the next look begins: first anywhere, so that processes which live shortly do not all begin in the same place. */
  #sweptTo: number | undefined;

  constructor(sql: Statements, historyLimit: number) {
    this.#sql = sql;
    this.#historyLimit = Math.min(historyLimit, Number.MAX_SAFE_INTEGER);
  }

  /**
   * Drops some of what is not needed any more: versions beyond the limit, and those of contexts that are gone. To be called
   * where the contexts are up to date.
   *
   * @param through - what is newer is part of the log.
   */
  sweep(through: number): void {
    const from = this.#sweptTo ?? Math.floor((Math.random() - 0.5) * 2 * through);
    const end = this.#sql.sweepEnd.get(from, through, SWEPT_AT_ONCE) as { revision: number } | undefined;
    this.#sql.sweep.run(from, end?.revision ?? through, this.#historyLimit);
    this.#sweptTo = end === undefined ? Number.MIN_SAFE_INTEGER : end.revision + 1;
  }
}
