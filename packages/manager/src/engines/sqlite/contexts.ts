/// <reference types="node" />
/**
 * The contexts of a namespace: what is there, and what was there before. Every version is in the log; the table says which
 * is the present one. After an update only the log does, until the table is brought up to date.
 */

import type { StatementSync } from "node:sqlite";
import { decodeEntry, encodeEntry } from "../../codec.ts";
import { pageStart, resolved, settle, type Write } from "../../engine.ts";
import type { Entry } from "../../entry.ts";
import { Recent } from "../../recent.ts";
import type { LogRow } from "./log.ts";
import { asArrays, rowOf } from "./rows.ts";
import type { SQL } from "./statements.ts";

export type Statements = { readonly [Name in keyof typeof SQL]: StatementSync };

/** A context, if there is one, and where it is in the log. */
export interface Row {
  readonly entry: Entry | undefined;
  /** At its revision, or at a negative number where the row of that has not it alone; 0 for nowhere. */
  readonly place: number;
  /** Where the version before is; 0 for nowhere. */
  readonly past: number;
}

/** A transaction, as far as the log is concerned. */
export interface Logging {
  /** Those of the commit; the last is its own. */
  readonly revisions: readonly number[];
  /** Whether the log will have what is written, as a version of its own. */
  readonly isLogged: boolean;
  /** What is written, as text. */
  readonly texts: Map<Entry, string>;
}

const NOTHING: Row = { entry: undefined, place: 0, past: 0 };
/** To look at each write for versions beyond the limit would cost more than the write. */
const TRIM_EVERY = 16;

export class Contexts {
  readonly #sql: Statements;
  readonly #ns: number;
  readonly #historyLimit: number;
  /** What has been read and not changed since. */
  readonly #cache = new Recent<Row>();
  /** Which contexts may be newer in the log than in the table, and at which revision. */
  readonly #ahead = new Map<string, number>();

  constructor(sql: Statements, ns: number, historyLimit: number) {
    this.#sql = sql;
    this.#ns = ns;
    this.#historyLimit = historyLimit;
    asArrays(sql.contextOf, sql.versionAt);
  }

  get(id: string): Entry | undefined {
    return this.#rowOf(id).entry;
  }

  /**
   * Reads a context that is not known, before the log is caught up with: what has changed since is then read anew.
   *
   * @returns where the log ended at that moment; `undefined` when that was not read.
   */
  lookUp(id: string): number | undefined {
    if (this.#cache.get(id) !== undefined || this.#ahead.has(id)) return undefined;
    const found = this.#contextOf(id);
    this.#keep(id, found);
    return found?.[3];
  }

  count(): number {
    return (this.#sql.count.get(this.#ns) as { contexts: number }).contexts;
  }

  /** To be called where nobody commits meanwhile. */
  page(prefix: string, after: string | undefined, limit: number): { entries: Entry[]; next: string | undefined } {
    const rows = this.#sql.page.all(this.#ns, pageStart(after), prefix, limit) as {
      seq: number;
      id: string;
      entry: string | null;
    }[];
    const ahead = (id: string): Entry | undefined => (this.#ahead.has(id) ? this.get(id) : undefined);
    const entries = rows.map(({ id, entry }) => ahead(id) ?? decoded(id, entry));
    return { entries, next: rows.length < limit ? undefined : String(rows.at(-1)?.seq) };
  }

  /** What has been read, or was written and rolled back, is no longer sure. */
  forget(): void {
    this.#cache.clear();
    this.#ahead.clear();
  }

  clear(): void {
    this.#sql.removeAll.run(this.#ns);
    this.#sql.forgetAll.run(this.#ns);
    this.forget();
  }

  /** Another connection has committed this. */
  hear([revision, , , , id, ids]: LogRow): void {
    if (id !== null) {
      this.#cache.delete(id);
      this.#ahead.set(id, revision);
    } else if (ids === null) this.forget();
    else {
      for (const one of JSON.parse(ids) as string[]) {
        this.#cache.delete(one);
        this.#ahead.delete(one);
      }
    }
  }

  /** The table has everything up to a revision. */
  folded(through: number): void {
    for (const [id, revision] of this.#ahead) if (revision <= through) this.#ahead.delete(id);
  }

  /** Whether all is as a transaction expects it. */
  fit(writes: readonly Write[], revisions: readonly number[]): boolean {
    return writes.every(({ id, expect }) => (this.get(id)?.revision ?? 0) === resolved(expect, revisions));
  }

  /** @returns what is there now. */
  write({ id, next, keeps }: Write, { revisions, isLogged, texts }: Logging): Row {
    const found = this.#rowOf(id);
    if (next === undefined) return found;
    if (keeps === null && this.#historyLimit > 0) this.#sql.forget.run(this.#ns, id);
    const isThere = found.entry !== undefined;
    if (keeps === true && isThere) this.#trim(id, Number(found.entry.version));
    if (isThere && (next === null || keeps === null)) this.#sql.remove.run(this.#ns, id);
    if (next === null) return this.#put(id, NOTHING, 0);
    settle(next, revisions);
    const text = encodeEntry(next);
    texts.set(next, text);
    const revision = revisions.at(-1) as number;
    const past = keeps === null ? 0 : keeps && isThere ? found.place : found.past;
    const row = { entry: next, place: isLogged ? revision : 0, past };
    if (isLogged && isThere && keeps === true) {
      this.#ahead.set(id, revision);
      return this.#remember(id, row, text.length);
    }
    const version = Number(next.version);
    if (!isLogged) row.place = this.#setApart(row, text, keeps === false ? found.place : 0);
    const apart = Math.min(row.place, 0);
    if (isThere && keeps !== null) this.#sql.replace.run(next.revision, version, apart, this.#ns, id);
    else this.#sql.add.run(this.#ns, id, next.revision, version, next.incarnation, apart);
    return this.#put(id, row, text.length);
  }

  /** The versions before the present one, the oldest first. To be called where nobody trims the log meanwhile. */
  history(id: string): Entry[] {
    const versions = new Map<number, Entry>();
    const kept = this.#sql.versions.all(this.#ns, id) as { version: number; entry: string }[];
    for (const { version, entry } of kept) versions.set(version, decodeEntry(id, entry));
    let { entry: later, past } = this.#rowOf(id);
    for (let left = this.#historyLimit; past !== 0 && left > 0; left--) {
      const found = this.#versionAt(id, past);
      if (found === undefined) break;
      const [before, text] = found;
      const entry = decoded(id, text);
      // Where a version was swept away, another one may be by now.
      if (Number(entry.version) >= Number(later?.version)) break;
      versions.set(Number(entry.version), entry);
      later = entry;
      past = before;
    }
    const inOrder = [...versions].sort(([one], [other]) => one - other).map(([, entry]) => entry);
    return inOrder.slice(-this.#historyLimit || inOrder.length);
  }

  #trim(id: string, version: number): void {
    if (version % TRIM_EVERY !== 0 || this.#historyLimit === 0 || this.#historyLimit === Infinity) return;
    this.#sql.trimVersions.run(this.#ns, id, version - this.#historyLimit);
  }

  /** @returns where in the log an entry is that the row of its revision has not alone. */
  #setApart({ entry, past }: Row & { readonly entry: Entry }, text: string, replaced: number): number {
    const { contextId, version, incarnation } = entry;
    if (replaced < 0) {
      this.#sql.replaceApart.run(Number(version), text, replaced);
      return replaced;
    }
    const { lastInsertRowid } = this.#sql.addApart.run(this.#ns, contextId, Number(version), incarnation, past, text);
    return Number(lastInsertRowid);
  }

  #rowOf(id: string): Row {
    const cached = this.#cache.get(id);
    if (cached !== undefined) return cached;
    const place = this.#ahead.get(id) ?? 0;
    const logged = place === 0 ? undefined : this.#versionAt(id, place);
    return this.#keep(id, logged === undefined ? this.#contextOf(id) : [...logged, place]);
  }

  #keep(id: string, found: readonly [...Version, place: number, ...unknown[]] | undefined): Row {
    if (found === undefined) return this.#remember(id, NOTHING, 0);
    const [past, text, place] = found;
    return this.#remember(id, { entry: decoded(id, text), place, past }, text?.length ?? 0);
  }

  #contextOf(id: string): Placed | undefined {
    return rowOf(this.#sql.contextOf.get(this.#ns, id)) as Placed | undefined;
  }

  #versionAt(id: string, place: number): Version | undefined {
    return rowOf(this.#sql.versionAt.get(place, this.#ns, id)) as Version | undefined;
  }

  /** The table has it. */
  #put(id: string, row: Row, bytes: number): Row {
    this.#ahead.delete(id);
    return this.#remember(id, row, bytes);
  }

  #remember(id: string, row: Row, bytes: number): Row {
    this.#cache.set(id, row, bytes);
    return row;
  }
}

type Version = readonly [past: number, entry: string | null];

type Placed = readonly [...Version, place: number, head: number];

/** @throws ContextError CORRUPT. */
function decoded(id: string, text: string | null): Entry {
  return decodeEntry(id, text ?? "");
}
