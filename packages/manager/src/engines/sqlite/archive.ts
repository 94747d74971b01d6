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
  readonly #ns: number;
  readonly #historyLimit: number;
  /** Where the next look begins: first anywhere, so that processes which live shortly do not all begin in the same place. */
  #sweptTo: number | undefined;

  constructor(sql: Statements, ns: number, historyLimit: number) {
    this.#sql = sql;
    this.#ns = ns;
    this.#historyLimit = Math.min(historyLimit, Number.MAX_SAFE_INTEGER);
  }

  /** Takes in what is going to leave the log and is still needed. To be called where the contexts are up to date. */
  add(through: number): void {
    if (this.#historyLimit > 0) this.#sql.archive.run(through, this.#historyLimit);
  }

  /**
   * Takes in the present version of a context, which the table alone has and is about to lose: before all the others, since
   * at its own revision it would lie anywhere.
   *
   * @returns where it is.
   */
  addPresent(id: string): number {
    return Number(this.#sql.archivePresent.run(this.#ns, id).lastInsertRowid);
  }

  get(id: string, place: number): Archived | undefined {
    return this.#sql.archived.get(place, this.#ns, id) as Archived | undefined;
  }

  /** Drops some of what is not needed any more: versions beyond the limit, and those of contexts that are gone. */
  sweep(head: number): void {
    const from = this.#sweptTo ?? Math.floor((Math.random() - 0.5) * 2 * head);
    const end = this.#sql.sweepEnd.get(from, SWEPT_AT_ONCE) as { revision: number } | undefined;
    this.#sql.sweep.run(from, end?.revision ?? head, this.#historyLimit);
    this.#sweptTo = end === undefined ? Number.MIN_SAFE_INTEGER : end.revision + 1;
  }
}

/** A version with the place of the one before: in the log or here; 0 for none. */
export interface Archived {
  readonly past: number;
  readonly entry: string;
}
