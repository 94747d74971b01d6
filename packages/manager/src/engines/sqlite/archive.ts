/// <reference types="node" />
/**
 * Old versions of the contexts of a file, in the order of their revisions as in the log that they come from: so they are
 * added at the end, and found by following `past`. By context they would lie anywhere in the file, a page for each.
 */

import type { Statements } from "./contexts.ts";

/**
 * So many are looked at, when others may be added, for those that no history needs any more: twice as many as can come,
 * so that at most a third of what is kept is waste.
 */
const SWEPT_AT_ONCE = 512;

export class Archive {
  readonly #sql: Statements;
  readonly #historyLimit: number;
  /** Where the next look begins: first anywhere, so that processes which live shortly do not all begin in the same place. */
  #sweptTo: number | undefined;

  constructor(sql: Statements, historyLimit: number) {
    this.#sql = sql;
    this.#historyLimit = Math.min(historyLimit, Number.MAX_SAFE_INTEGER);
  }

  /** Takes in what is going to leave the log and is still needed. To be called where the contexts are up to date. */
  add(through: number): void {
    if (this.#historyLimit > 0) this.#sql.archive.run(through, this.#historyLimit);
  }

  /** Drops some of what is not needed any more: versions beyond the limit, and those of contexts that are gone. */
  sweep(head: number): void {
    const from = this.#sweptTo ?? Math.floor(Math.random() * head);
    const end = this.#sql.sweepEnd.get(from, SWEPT_AT_ONCE) as { revision: number } | undefined;
    this.#sql.sweep.run(from, end?.revision ?? head, this.#historyLimit);
    this.#sweptTo = end === undefined ? 0 : end.revision + 1;
  }
}
