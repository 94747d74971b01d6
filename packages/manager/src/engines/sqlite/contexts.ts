/// <reference types="node" />
/**
 * The contexts of a namespace: what is there, and what was there before. An update is in the log alone until the table
 * is brought up to date, and a version that has been replaced stays there until it is archived.
 */

import type { StatementSync } from "node:sqlite";
import { decodeEntry, encodeEntry } from "../../codec.ts";
import { pageStart, resolved, settle, type Write } from "../../engine.ts";
import type { Entry } from "../../entry.ts";
import { Recent } from "../../recent.ts";
import type { Archive, Archived } from "./archive.ts";
import type { LogRow } from "./log.ts";
import type { SQL } from "./statements.ts";

export type Statements = { readonly [Name in keyof typeof SQL]: StatementSync };

/** A context, if there is one, and where it is in the log. */
export interface Row {
  readonly entry: Entry | undefined;
  /** The revision that the log has it at, just as it is; 0 for none. */
  readonly logged: number;
  /** Where the version before is, in the log or in the archive; 0 for nowhere. */
  readonly past: number;
}

/** A transaction, as far as the log is concerned. */
export interface Logging {
  /** Those of the commit; the last is its own. */
  readonly revisions: readonly number[];
  /** The oldest that the log has. */
  readonly oldest: number;
  /** Whether the log will have what is written, as a version of its own. */
  readonly isLogged: boolean;
  /** What is written, as text. */
  readonly texts: Map<Entry, string>;
}

const NOTHING: Row = { entry: undefined, logged: 0, past: 0 };
/** To look at each write for versions beyond the limit would cost more than the write. */
const TRIM_EVERY = 16;

export class Contexts {
  readonly #sql: Statements;
  readonly #ns: number;
  readonly #archive: Archive;
  readonly #historyLimit: number;
  /** What has been read and not changed since. */
  readonly #cache = new Recent<Row>();
  /** Which contexts may be newer in the log than in the table, and at which revision. */
  readonly #ahead = new Map<string, number>();

  constructor(sql: Statements, ns: number, archive: Archive, historyLimit: number) {
    this.#sql = sql;
    this.#ns = ns;
    this.#archive = archive;
    this.#historyLimit = historyLimit;
  }

  get(id: string): Entry | undefined {
    return this.#rowOf(id).entry;
  }

  count(): number {
    return (this.#sql.count.get(this.#ns) as { contexts: number }).contexts;
  }

  /** To be called where nobody commits meanwhile. */
  page(prefix: string, after: string | undefined, limit: number): { entries: Entry[]; next: string | undefined } {
    const rows = this.#sql.page.all(this.#ns, pageStart(after), prefix, limit) as {
      seq: number;
      id: string;
      entry: string;
    }[];
    const ahead = (id: string): Entry | undefined => (this.#ahead.has(id) ? this.get(id) : undefined);
    const entries = rows.map(({ id, entry }) => ahead(id) ?? decodeEntry(id, entry));
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
  write({ id, next, keeps }: Write, { revisions, oldest, isLogged, texts }: Logging): Row {
    const found = this.#rowOf(id);
    if (next === undefined) return found;
    if (keeps === null && this.#historyLimit > 0) this.#sql.forget.run(this.#ns, id);
    const isThere = found.entry !== undefined;
    const past = keeps === true && isThere ? this.#keep(id, found, oldest) : keeps === null ? 0 : found.past;
    if (isThere && (next === null || keeps === null)) this.#sql.remove.run(this.#ns, id);
    if (next === null) return this.#put(id, NOTHING, 0);
    settle(next, revisions);
    const text = encodeEntry(next);
    texts.set(next, text);
    const revision = revisions.at(-1) as number;
    const row: Row = { entry: next, logged: isLogged ? revision : 0, past };
    if (isLogged && isThere && keeps === true) {
      this.#ahead.set(id, revision);
      return this.#remember(id, row, text.length);
    }
    const columns = [next.revision, Number(next.version)] as const;
    const place = [Number(isLogged), row.past, text] as const;
    if (isThere && keeps !== null) this.#sql.replace.run(...columns, ...place, this.#ns, id);
    else this.#sql.add.run(this.#ns, id, ...columns, next.incarnation, ...place);
    return this.#put(id, row, text.length);
  }

  /** The versions before the present one, the oldest first. To be called where nobody trims the log meanwhile. */
  history(id: string): Entry[] {
    const versions = new Map<number, Entry>();
    const kept = this.#sql.versions.all(this.#ns, id) as { version: number; entry: string }[];
    for (const { version, entry } of kept) versions.set(version, decodeEntry(id, entry));
    let { past } = this.#rowOf(id);
    for (let left = this.#historyLimit; past !== 0 && left > 0; left--) {
      const logged = this.#logged(id, past) ?? this.#archive.get(id, past);
      if (logged === undefined) break;
      const entry = decodeEntry(id, logged.entry);
      versions.set(Number(entry.version), entry);
      ({ past } = logged);
    }
    const inOrder = [...versions].sort(([one], [other]) => one - other).map(([, entry]) => entry);
    return inOrder.slice(-this.#historyLimit || inOrder.length);
  }

  /** @returns where the version that is about to be replaced can be found then. */
  #keep(id: string, found: Row, oldest: number): number {
    if (this.#historyLimit === 0) return found.logged || found.past;
    const version = Number(found.entry?.version);
    if (version % TRIM_EVERY === 0 && this.#historyLimit !== Infinity)
      this.#sql.trimVersions.run(this.#ns, id, version - this.#historyLimit);
    return found.logged < oldest ? this.#archive.addPresent(id) : found.logged;
  }

  #rowOf(id: string): Row {
    const cached = this.#cache.get(id);
    if (cached !== undefined) return cached;
    const ahead = this.#ahead.get(id);
    const logged = ahead === undefined ? undefined : this.#logged(id, ahead);
    if (logged !== undefined) {
      const { entry, past } = logged;
      return this.#remember(id, { entry: decodeEntry(id, entry), logged: ahead as number, past }, entry.length);
    }
    // What has gone from the log meanwhile is in the table.
    const found = this.#sql.contextOf.get(this.#ns, id) as ContextRow | undefined;
    if (found === undefined) return this.#remember(id, NOTHING, 0);
    const { entry, revision, in_log: isLogged, past } = found;
    const row = { entry: decodeEntry(id, entry), logged: isLogged === 1 ? revision : 0, past };
    return this.#remember(id, row, entry.length);
  }

  #logged(id: string, revision: number): Archived | undefined {
    return this.#sql.logged.get(revision, this.#ns, id) as Archived | undefined;
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

interface ContextRow {
  readonly revision: number;
  readonly in_log: number;
  readonly past: number;
  readonly entry: string;
}
