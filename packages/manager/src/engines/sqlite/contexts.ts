/// <reference types="node" />
/**
 * The contexts of a namespace: what is there, read once while nobody else commits, and what was there before. A version
 * that has been replaced stays where it is, in the log; only what the log does not have is kept apart.
 */

import type { StatementSync } from "node:sqlite";
import { decodeEntry, encodeEntry } from "../../codec.ts";
import { resolved, settle, type Write } from "../../engine.ts";
import type { Entry } from "../../entry.ts";
import { Recent } from "../../recent.ts";
import type { SQL } from "./statements.ts";

export type Statements = { readonly [Name in keyof typeof SQL]: StatementSync };

/** A context, if there is one, and where it is in the log. */
export interface Row {
  readonly entry: Entry | undefined;
  /** The revision that the log has it at, just as it is; 0 for none. */
  readonly logged: number;
  /** The same of the version before. */
  readonly past: number;
}

/** A transaction, as far as the log is concerned. */
export interface Logging {
  /** Those of the commit; the last is its own. */
  readonly revisions: readonly number[];
  /** The oldest that the log has. */
  readonly oldest: number;
  /** Whether a history can find in the log what is written. */
  readonly isFound: boolean;
  /** What is written, as text. */
  readonly texts: Map<Entry, string>;
}

const NOTHING: Row = { entry: undefined, logged: 0, past: 0 };
/** To look at each write for versions beyond the limit would cost more than the write. */
const TRIM_EVERY = 16;

export class Contexts {
  readonly #sql: Statements;
  readonly #ns: number;
  readonly #historyLimit: number;
  /** What has been read and not changed since. */
  readonly #cache = new Recent<Row>();

  constructor(sql: Statements, ns: number, historyLimit: number) {
    this.#sql = sql;
    this.#ns = ns;
    this.#historyLimit = historyLimit;
  }

  get(id: string): Entry | undefined {
    return this.#rowOf(id).entry;
  }

  count(): number {
    return (this.#sql.count.get(this.#ns) as { contexts: number }).contexts;
  }

  /** Somebody else has committed, or what was written has been rolled back. */
  forget(): void {
    this.#cache.clear();
  }

  clear(): void {
    this.#sql.removeAll.run(this.#ns);
    this.#sql.forgetAll.run(this.#ns);
    this.#cache.clear();
  }

  /** Whether all is as a transaction expects it. */
  fit(writes: readonly Write[], revisions: readonly number[]): boolean {
    return writes.every(({ id, expect }) => (this.get(id)?.revision ?? 0) === resolved(expect, revisions));
  }

  /** @returns what is there now. */
  write({ id, next, keeps }: Write, { revisions, oldest, isFound, texts }: Logging): Row {
    const found = this.#rowOf(id);
    if (next === undefined) return found;
    if (keeps === null && this.#historyLimit > 0) this.#sql.forget.run(this.#ns, id);
    const isThere = found.entry !== undefined;
    if (keeps === true && isThere) this.#keep(id, found, oldest);
    if (isThere && (next === null || keeps === null)) this.#sql.remove.run(this.#ns, id);
    if (next === null) return this.#remember(id, NOTHING, 0);
    settle(next, revisions);
    const text = encodeEntry(next);
    texts.set(next, text);
    const version = Number(next.version);
    const logged = isFound ? (revisions.at(-1) as number) : 0;
    const past = pastOf(found, keeps);
    if (!isThere || keeps === null)
      this.#sql.add.run(this.#ns, id, next.revision, text, version, next.incarnation, logged, past);
    else this.#sql.replace.run(next.revision, text, version, logged, past, this.#ns, id);
    return this.#remember(id, { entry: next, logged, past }, text.length);
  }

  /** The versions before the present one, the oldest first. To be called where nobody trims the log meanwhile. */
  history(id: string): Entry[] {
    const versions = new Map<number, Entry>();
    const kept = this.#sql.versions.all(this.#ns, id) as { version: number; entry: string }[];
    for (const { version, entry } of kept) versions.set(version, decodeEntry(id, entry));
    const present = this.#sql.contextOf.get(this.#ns, id) as { past: number } | undefined;
    let past = present?.past ?? 0;
    for (let left = this.#historyLimit; past > 0 && left > 0; left--) {
      const logged = this.#sql.logged.get(past, this.#ns, id) as { entry: string; past: number } | undefined;
      if (logged === undefined) break;
      const entry = decodeEntry(id, logged.entry);
      versions.set(Number(entry.version), entry);
      ({ past } = logged);
    }
    const inOrder = [...versions].sort(([one], [other]) => one - other).map(([, entry]) => entry);
    return inOrder.slice(-this.#historyLimit || inOrder.length);
  }

  /** Keeps what will not be in the log any more and is still needed. */
  saveLogged(through: number): void {
    if (this.#historyLimit === 0) return;
    this.#sql.saveLogged.run(through, Math.min(this.#historyLimit, Number.MAX_SAFE_INTEGER));
  }

  #keep(id: string, found: Row, oldest: number): void {
    if (this.#historyLimit === 0) return;
    if (found.logged < oldest) this.#sql.keep.run(this.#ns, id);
    const version = Number(found.entry?.version);
    if (version % TRIM_EVERY === 0 && this.#historyLimit !== Infinity)
      this.#sql.trimVersions.run(this.#ns, id, version - this.#historyLimit);
  }

  #rowOf(id: string): Row {
    const cached = this.#cache.get(id);
    if (cached !== undefined) return cached;
    const found = this.#sql.contextOf.get(this.#ns, id) as { entry: string; logged: number; past: number } | undefined;
    if (found === undefined) return this.#remember(id, NOTHING, 0);
    const { entry, logged, past } = found;
    return this.#remember(id, { entry: decodeEntry(id, entry), logged, past }, entry.length);
  }

  #remember(id: string, row: Row, bytes: number): Row {
    this.#cache.set(id, row, bytes);
    return row;
  }
}

/** Where the log has the version before, once this is written over `found`. */
function pastOf(found: Row, keeps: boolean | null): number {
  if (keeps === null) return 0;
  return keeps && found.logged > 0 ? found.logged : found.past;
}
