/// <reference types="node" />
/**
 * The change log of a file, as far as this connection has read it. Each commit is a row of it, whatever it does, so that
 * the rows behind the last one read are all that others have done since.
 */

import type { Transaction } from "../../engine.ts";
import type { Entry } from "../../entry.ts";
import { encodeChanges } from "./changes.ts";
import type { Archive } from "./archive.ts";
import type { Contexts, Statements } from "./contexts.ts";

/**
 * So many revisions are in the log alone at most, and go from it at once: nobody else writes meanwhile, and the event
 * loop stands still.
 */
const TIDIED_AT_ONCE = 256;
/** So many commits of others are followed one by one, says the statement too; after more, everything is read anew. */
const FOLLOWED_AT_ONCE = 512;

/** What a row says of its commit, apart from what may be large. */
export interface LogRow {
  readonly revision: number;
  readonly ns: number;
  readonly folded: number;
  readonly oldest: number;
  readonly id: string | null;
  readonly ids: string | null;
  readonly version: number | null;
}

export class Log {
  readonly #sql: Statements;
  readonly #ns: number;
  readonly #contexts: Contexts;
  readonly #archive: Archive;
  readonly #limit: number;
  #head = 0;
  #oldest = 1;
  #folded = 0;

  /** @param limit - how many rows are kept at least. */
  constructor(sql: Statements, ns: number, contexts: Contexts, archive: Archive, limit: number) {
    this.#sql = sql;
    this.#ns = ns;
    this.#contexts = contexts;
    this.#archive = archive;
    this.#limit = Math.max(limit, 1); // the last row stays: it has the head
  }

  /** The last revision. */
  get head(): number {
    return this.#head;
  }

  /** The first revision that is kept. */
  get oldest(): number {
    return this.#oldest;
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
  add({ opId, writes, changes }: Transaction, version: Entry | undefined, past: number, texts: Texts): void {
    this.#head += 1;
    const written = writes.filter(({ next }) => next !== undefined);
    const id = written.length === 1 ? (written[0]?.id ?? null) : null;
    const ids = written.length > 1 ? JSON.stringify(written.map((write) => write.id)) : null;
    const place = [this.#head, this.#ns, this.#folded, this.#oldest, id, ids] as const;
    const what = [opId, encodeChanges(changes, version, texts)] as const;
    if (version === undefined) this.#sql.log.run(...place, null, null, null, ...what, null);
    else {
      const text = texts.get(version) as string;
      this.#sql.log.run(...place, Number(version.version), version.incarnation, past, ...what, text);
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
    this.#archive.add(last);
    this.#sql.trimLog.run(last);
    this.#oldest = last + 1;
    this.#archive.sweep(last);
  }

  #follow(from: number): void {
    const rows = this.#sql.since.all(from) as unknown as LogRow[];
    if (rows.length === 0 && from === this.#head) return;
    if (rows[0]?.revision !== from + 1 || rows.length === FOLLOWED_AT_ONCE) {
      this.forget();
      this.#hear(this.#sql.unfolded.all() as unknown as LogRow[]);
    } else if (rows.at(-1)?.revision !== this.#head) this.#hear(rows);
  }

  #hear(rows: readonly LogRow[]): void {
    for (const row of rows) if (row.ns === this.#ns && row.revision > this.#head) this.#contexts.hear(row);
    const last = rows.at(-1);
    if (last === undefined) return;
    if (last.folded !== this.#folded) this.#contexts.folded(last.folded);
    this.#head = last.revision;
    this.#oldest = last.oldest;
    this.#folded = last.folded;
  }
}

type Texts = ReadonlyMap<Entry, string>;
