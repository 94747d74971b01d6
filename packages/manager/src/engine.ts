/**
 * What a storage must be able to do to stand under a manager: compare and set, and tell what was set. It knows no
 * rules (law 3). Everything above it, from conflicts to leases, is the same for every engine.
 */

import type { ChangeKind } from "./changes.ts";
import { describe } from "./describe.ts";
import type { Entry, Lock, Time } from "./entry.ts";
import { invalid } from "./errors.ts";

/**
 * What one transaction does to one context.
 *
 * A negative number in `expect`, and in the revision, incarnation or token of `next`, is a placeholder: `-n` stands
 * for the revision that the n-th transaction of the same `commit` gets, counted from 1. So transactions can build on
 * one another in one round trip; when one of them fails, those that build on it are mismatches.
 */
export interface Write {
  /** The context. */
  readonly id: string;
  /** The revision that the entry must have; 0 when there must be none. */
  readonly expect: number;
  /** What is to be there then: `null` for nothing, `undefined` for what is there, which is then only checked. */
  readonly next: Entry | null | undefined;
  /** Whether the entry that is replaced is a version of its own, for `history`. `null` forgets those kept. */
  readonly keeps: boolean | null;
}

/** All of it or nothing, under one revision. */
export interface Transaction {
  /** Names the attempt in the change log, so that it can be found there when its outcome is not known. */
  readonly opId: string;
  /** At most one for each context. */
  readonly writes: readonly Write[];
  /** For the change log; their revision is that of the transaction. */
  readonly changes: readonly LoggedChange[];
  /** Removes every context. Then there are no writes. */
  readonly clears?: boolean;
}

/** A change as an engine keeps it. */
export interface LoggedChange {
  /** What has happened. */
  readonly kind: ChangeKind;
  /** `null` when it is about all of them. */
  readonly contextId: string | null;
  /** Who did it; `null` when it was done without a handle. */
  readonly agentId: string | null;
  /** What was said about it, or `null`. */
  readonly note: string | null;
  /** The context after it; `null` when it is there no more. */
  readonly entry: Entry | null;
}

/** A change as an engine tells it. */
export interface EngineChange extends LoggedChange {
  /** Of its transaction. */
  readonly revision: number;
  /** Of its transaction: an outcome that is not known is looked up by it. */
  readonly opId: string;
}

/** What became of a transaction. */
export type CommitOutcome =
  | { readonly kind: "ok"; readonly revision: number }
  /** An entry was not at the expected revision. Not a conflict: that is for the rules to say. */
  | { readonly kind: "mismatch" }
  /** It may have been committed or not: a connection was cut at the wrong moment. It does not land any later. */
  | { readonly kind: "indeterminate"; readonly cause: unknown };

/** What an engine has found, all of it as of one revision. */
export interface Loaded {
  /** In the order of the ids asked for. */
  readonly entries: readonly (Entry | undefined)[];
  /** Now, in milliseconds: `wallMs` since the epoch; `leaseMs`, which leases go by, by the clock of the storage. */
  readonly time: Time;
  /** The revision as of which this is so. A context that is loaded alone, without `contexts`, may be newer. */
  readonly head: number;
  /** How many contexts there are, where that was asked for. */
  readonly contexts: number | undefined;
}

/** Some of the contexts of an engine. */
export interface EnginePage {
  /** In the order of creation. */
  readonly entries: readonly Entry[];
  /** Where the next page goes on; `undefined` when there is none. */
  readonly next: string | undefined;
  /** The revision as of which this is so. */
  readonly head: number;
}

/** A stretch of the change log. */
export interface EngineChanges {
  /** In order; the changes of one transaction are never torn apart. */
  readonly changes: readonly EngineChange[];
  /** The revision of the last commit. */
  readonly head: number;
  /** All changes from this revision on are kept. */
  readonly oldest: number;
}

/** What an engine can do beyond the contract. Checked in both directions by the conformance kit. */
export interface EngineSupports {
  /** What is committed is there after the process has gone. */
  readonly durable: boolean;
  /** Several processes may have the same store open. */
  readonly shared: boolean;
}

/**
 * A storage. It knows entries and revisions, and no rules. `docs/writing-an-engine.md` has the contract in full, and the
 * kit in `shared-context-manager/testing` checks it.
 *
 * @example
 * ```ts
 * const manager = await managerOver(engine);
 * ```
 */
export interface Engine {
  /** What it can do beyond the contract. Frozen. */
  readonly supports: Readonly<EngineSupports>;
  /**
   * Where others do the work of a commit, the next one can be planned meanwhile: a manager over an engine that has this has
   * two commits under way, about different contexts; over any other, one. Resolves as soon as what was handed over before has been sent,
   * and never rejects.
   */
  sent?(): Promise<void>;
  /**
   * What is there now.
   *
   * @param ids - of contexts; there may be none of them.
   * @param counts - whether `contexts` is wanted.
   */
  load(ids: readonly string[], counts?: boolean): Promise<Loaded>;
  /**
   * Commits independent transactions in their order. Puts revisions in place of the placeholders in the entries
   * given, by `settle`. Rejects only when nothing at all was committed.
   */
  commit(transactions: readonly Transaction[]): Promise<CommitOutcome[]>;
  /**
   * Some of the contexts, in the order of their creation.
   *
   * @param options - `after` is the `next` of the page before; what is none is INVALID: see `pageStart`. `limit` is how many
   *   at most.
   */
  list(options: {
    readonly prefix: string;
    readonly after: string | undefined;
    readonly limit: number;
  }): Promise<EnginePage>;
  /** The changes past a revision, at least `limit` of them if there are as many, and whole transactions. */
  changes(options: { readonly after: number; readonly limit: number }): Promise<EngineChanges>;
  /** The versions before the present one that are kept, the oldest first. */
  history(id: string): Promise<Entry[]>;
  /** A hint that `changes` may have more: it may come late, too often or not at all. */
  onWake(listener: () => void): () => void;
  /** Lets go of connections and files. A manager calls it once, when it is closed. */
  close(): Promise<void>;
}

/** What an engine is opened with. */
export interface EngineOptions {
  /** How many versions before the present one are kept of each context. */
  readonly historyLimit: number;
  /** How many changes are kept at least. */
  readonly changeLogLimit: number;
}

export { decodeEntry, encodeEntry } from "./codec.ts";
export type { Entry, Lock, Time } from "./entry.ts";

/** Where a page begins, for engines that count: `after` is the number that the page before ended with. */
export function pageStart(after: string | undefined): number {
  if (after === undefined) return 0;
  if (/^\d{1,15}$/.test(after)) return Number(after);
  throw invalid("options", "/after", "the next of the page before", describe(after));
}

/** The placeholder for the revision of a transaction, by its place in a commit from 0. */
export function placeholder(index: number): number {
  return -(index + 1);
}

/** The revision that a number stands for. */
export function resolved(value: number, revisions: readonly number[]): number {
  return value >= 0 ? value : (revisions[-value - 1] ?? value);
}

/** Puts revisions in place of the placeholders of an entry. */
export function settle(entry: Entry, revisions: readonly number[]): void {
  renumber(entry, (value) => resolved(value, revisions));
}

/** Takes back what `settle` has put in, because nothing was committed: no entry has had revisions that nobody got. */
export function unsettle(entry: Entry, revisions: readonly number[]): void {
  renumber(entry, (value) => {
    const index = revisions.indexOf(value);
    return index < 0 ? value : placeholder(index);
  });
}

function renumber(entry: Entry, numberOf: (value: number) => number): void {
  const draft = entry as { -readonly [Key in keyof Entry]: Entry[Key] };
  draft.revision = numberOf(entry.revision);
  draft.incarnation = numberOf(entry.incarnation);
  if (entry.lock !== null)
    (draft.lock as { -readonly [Key in keyof Lock]: Lock[Key] }).token = numberOf(entry.lock.token);
}
