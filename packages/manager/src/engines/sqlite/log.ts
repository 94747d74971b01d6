/// <reference types="node" />
/**
 * The change log of a file, as far as this connection has read it. Each commit is a row of it, whatever it does, so that
 * the rows behind the last one read are all that others have done since.
 */

import type { Transaction } from "../../engine.ts";
import type { Entry } from "../../entry.ts";
import { encodeChanges } from "./changes.ts";
import type { Contexts, Statements } from "./contexts.ts";
import { asArrays, rowsOf } from "./rows.ts";
import type { Sweeper } from "./sweeper.ts";

/**
 * So many revisions are in the log alone at most, and go from it at once: nobody else writes meanwhile, and the event
 * loop stands still.
 */
const TIDIED_AT_ONCE = 256;
/** So many commits of others are followed one by one; after more, everything is read anew. */
const FOLLOWED_AT_ONCE = 512;

/** Of which contexts a row makes another: of `id` a version, or something else of all `ids`, as JSON; else of all. */
export type LogRow = readonly [
  revision: number,
  ns: number,
  folded: number,
  oldest: number,
  id: string | null,
  ids: string | null,
];

export class Log {
  readonly #sql: Statements;
  readonly #ns: number;
  readonly #contexts: Contexts;
  readonly #sweeper: Sweeper;
  readonly #limit: number;
  #head = 0;
  #oldest = 1;
  #folded = 0;

  /** @param limit - how many rows are kept at least. */
  constructor(sql: Statements, ns: number, contexts: Contexts, sweeper: Sweeper, limit: number) {
    this.#sql = sql;
    this.#ns = ns;
    this.#contexts = contexts;
    this.#sweeper = sweeper;
    this.#limit = Math.max(limit, 1); // the last row stays: it has the head
    asArrays(sql.since, sql.unfolded);
  }

  /** The last revision. */
  get head(): number {
    return this.#head;
  }

  /** Reads what others have committed since. */
  catchUp(): void {
    this.#follow(this.#head);
  }

  /** The same before a commit, which must not build on a log that is another one: a file can be put back from a copy. */
  confirm(): void {
    this.#follow(Math.max(0, this.#head - 1));
  }

  /** What was read is no longer sure. */
  forget(): void {
    this.#contexts.forget();
    this.#head = 0;
    this.#oldest = 1;
    this.#folded = 0;
  }

  /** @param version - what the transaction makes, where it makes one version and no more; `past` is the one before. */
  add(transaction: Transaction, version: Entry | undefined, past: number, texts: Texts): void {
    const { opId, changes } = transaction;
    this.#head += 1;
    const place = [this.#head, this.#ns, this.#folded, this.#oldest] as const;
    const what = [opId, encodeChanges(changes, version, texts)] as const;
    if (version === undefined) {
      this.#sql.log.run(...place, null, idsOf(transaction), null, null, null, ...what, null);
    } else {
      const { contextId, incarnation } = version;
      const text = texts.get(version) as string;
      this.#sql.log.run(...place, contextId, null, Number(version.version), incarnation, past, ...what, text);
    }
  }

  /** Now and then the contexts are brought up to date, and old rows go. */
  tidy(): void {
    if (this.#head - this.#folded < TIDIED_AT_ONCE) return;
    this.#sql.fold.run(this.#folded);
    this.#folded = this.#head;
    this.#contexts.folded(this.#head);
    const last = this.#head - this.#limit;
    if (last < this.#oldest) return;
    this.#sql.trimLog.run(this.#oldest, last); // versions stay
    this.#oldest = last + 1;
    this.#sweeper.sweep(last);
  }

  #follow(from: number): void {
    const rows = rowsOf(this.#sql.since.all(from, FOLLOWED_AT_ONCE)) as readonly LogRow[];
    if (rows.length === 0 && from === this.#head) return;
    if (rows[0]?.[0] !== from + 1 || rows.length === FOLLOWED_AT_ONCE) {
      this.forget();
      this.#hear(rowsOf(this.#sql.unfolded.all()) as readonly LogRow[]);
    } else if (rows.at(-1)?.[0] !== this.#head) this.#hear(rows);
  }

  #hear(rows: readonly LogRow[]): void {
    for (const row of rows) if (row[1] === this.#ns && row[0] > this.#head) this.#contexts.hear(row);
    const last = rows.at(-1);
    if (last === undefined) return;
    const [head, , folded, oldest] = last;
    if (folded !== this.#folded) this.#contexts.folded(folded);
    this.#head = head;
    this.#oldest = oldest;
    this.#folded = folded;
  }
}

/** What is only read stays as it is. */
function idsOf({ writes, clears = false }: Transaction): string | null {
  const written = writes.filter(({ next }) => next !== undefined);
  return clears ? null : JSON.stringify(written.map(({ id }) => id));
}

type Texts = ReadonlyMap<Entry, string>;
