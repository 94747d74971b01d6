/**
 * Transactions as one compare-and-set, for storages where every statement costs: what each context must be at, what it
 * is left as, what becomes history, and what is logged. Which transaction builds on which is found out here; a storage
 * compares one list of revisions and writes lists of texts, all of it or nothing.
 *
 * When something is not as it was believed to be, the storage says what it is, and what still fits comes once more.
 */

import { type CommitOutcome, placeholder, settle, type Transaction, type Write } from "../engine.ts";
import type { Entry } from "../entry.ts";
import { Lines } from "./lines.ts";

/** A text that is written, by its place among the lines, and the transaction that writes it, counted from 1. */
export interface Written {
  readonly line: number;
  readonly rank: number;
}

export interface Left extends Written {
  readonly entry: Entry;
}

/** What becomes of one context. */
export interface Step {
  readonly id: string;
  /** The revision that it must have, 0 for none; `undefined` when it is gone by then, whatever it was. */
  readonly expect: number | undefined;
  /** What is stored, and its history, go before anything else. */
  readonly forgets: boolean;
  /** What is stored becomes history. */
  readonly keepsStored: boolean;
  /** What this batch has written and replaced again, and becomes history, the oldest first. */
  readonly between: readonly Written[];
  /** What it is left as; nothing where it is left as it is, or as nothing. */
  readonly last: Left | undefined;
}

export interface Batch {
  /** How many revisions it takes, one for each transaction that fits. */
  readonly count: number;
  /** Whether every context goes before anything is written. */
  readonly clears: boolean;
  /** Those that come to be are in that order. */
  readonly steps: readonly Step[];
  readonly lines: Lines;
}

/** What a storage has done. */
export type Answer =
  /** All of it; its transactions have the revisions that follow. */
  | { readonly kind: "done"; readonly base: number }
  /** Nothing: these are the revisions that the contexts have, in the order of the steps. */
  | { readonly kind: "found"; readonly revisions: readonly number[] }
  /** All of it or nothing. */
  | { readonly kind: "doubt"; readonly cause: unknown };

/**
 * @param attempt - one round trip.
 * @param onDone - called when a batch has been written, with what became of all transactions.
 */
export async function commitTogether(
  transactions: readonly Transaction[],
  historyLimit: number,
  attempt: (batch: Batch) => Promise<Answer>,
  onDone?: (batch: Batch, transactions: readonly Transaction[], outcomes: readonly CommitOutcome[]) => void,
): Promise<CommitOutcome[]> {
  const found = new Map<string, number>();
  for (;;) {
    const { batch, fitting } = batchOf(transactions, found, historyLimit);
    if (batch.count === 0 && batch.steps.length === 0) return transactions.map(() => ({ kind: "mismatch" }));
    const answer = await attempt(batch);
    if (answer.kind === "done") {
      const outcomes = settled(transactions, fitting, answer.base);
      if (batch.count > 0) onDone?.(batch, transactions, outcomes);
      return outcomes;
    }
    if (answer.kind === "doubt") return inDoubt(fitting, answer.cause);
    batch.steps.forEach(({ id }, index) => found.set(id, answer.revisions[index] ?? 0));
  }
}

function inDoubt(fitting: readonly number[], cause: unknown): CommitOutcome[] {
  return fitting.map((rank) => (rank === 0 ? { kind: "mismatch" } : { kind: "indeterminate", cause }));
}

function settled(transactions: readonly Transaction[], fitting: readonly number[], base: number): CommitOutcome[] {
  const revisions = fitting.map((rank) => (rank === 0 ? Number.NaN : base + rank));
  return transactions.map(({ writes }, index): CommitOutcome => {
    const revision = revisions[index] ?? Number.NaN;
    if (Number.isNaN(revision)) return { kind: "mismatch" };
    for (const { next } of writes) if (next != null) settle(next, revisions);
    return { kind: "ok", revision };
  });
}

/**
 * @param found - the revisions that contexts are known to have; the others are believed to be as is expected first.
 * @returns `fitting` has the rank of each transaction among those that fit; 0 for one that does not.
 */
function batchOf(
  transactions: readonly Transaction[],
  found: ReadonlyMap<string, number>,
  historyLimit: number,
): { readonly batch: Batch; readonly fitting: readonly number[] } {
  const drafts = new Map<string, Draft>();
  const fitting: number[] = [];
  let count = 0;
  let clears = false;
  for (const [index, transaction] of transactions.entries()) {
    const fits = transaction.writes.every((write) => {
      const draft = drafts.get(write.id) ?? draftOf(write, found, clears);
      if (draft === undefined) return false;
      drafts.set(write.id, draft);
      return draft.state === write.expect;
    });
    fitting.push(fits ? ++count : 0);
    if (!fits) continue;
    if (transaction.clears === true) {
      clears = true;
      for (const draft of drafts.values()) draft.clear();
    }
    for (const write of transaction.writes) {
      const draft = drafts.get(write.id) as Draft;
      const isBorn = write.next != null && (draft.state === 0 || write.keeps === null);
      draft.apply(write, index, count);
      // The steps are in the order in which contexts come to be.
      if (isBorn && drafts.delete(write.id)) drafts.set(write.id, draft);
    }
  }
  const lines = new Lines(transactions, fitting);
  const steps: Step[] = [];
  for (const draft of drafts.values()) {
    // What nothing depends on is of no interest once it is known; or whoever writes it often could keep the rest waiting.
    if (draft.matters || !found.has(draft.id)) steps.push(draft.step(lines, historyLimit));
  }
  return { batch: { count, clears, steps, lines }, fitting };
}

/** @returns nothing for what cannot fit, whatever is stored: it builds on a transaction that did not write it. */
function draftOf({ id, expect }: Write, found: ReadonlyMap<string, number>, isCleared: boolean): Draft | undefined {
  if (isCleared) return new Draft(id, undefined);
  const believed = found.get(id) ?? expect;
  return believed < 0 ? undefined : new Draft(id, believed);
}

interface Put {
  readonly entry: Entry;
  readonly rank: number;
}

class Draft {
  readonly id: string;
  readonly #expect: number | undefined;
  /** The revision it is at, 0 for nothing, or the placeholder of the transaction that has written it. */
  state: number;
  /** Whether a transaction that fits is about it. */
  matters = false;
  /** Whether there is still something stored. */
  #isStored: boolean;
  #forgets = false;
  #keepsStored = false;
  #between: Put[] = [];
  #last: Put | undefined;

  constructor(id: string, expect: number | undefined) {
    this.id = id;
    this.#expect = expect;
    this.state = expect ?? 0;
    this.#isStored = this.state > 0;
  }

  apply({ next, keeps }: Write, index: number, rank: number): void {
    this.matters = true;
    if (next === undefined) return;
    if (keeps === null || next === null) {
      this.#reset();
      this.#forgets = this.#isStored;
    } else if (keeps && this.#last !== undefined) {
      this.#between.push(this.#last);
    } else if (keeps && this.state > 0) {
      this.#keepsStored = true;
    }
    if (next === null) return;
    this.#last = { entry: next, rank };
    this.state = placeholder(index);
  }

  clear(): void {
    this.#reset();
    this.#isStored = false;
    this.#forgets = false;
  }

  #reset(): void {
    this.state = 0;
    this.#keepsStored = false;
    this.#between = [];
    this.#last = undefined;
  }

  step(lines: Lines, historyLimit: number): Step {
    const written = ({ entry, rank }: Put): Left => ({ entry, line: lines.lineOf(entry), rank });
    const between = historyLimit === 0 ? [] : this.#between.slice(-historyLimit);
    return {
      id: this.id,
      expect: this.#expect,
      forgets: this.#forgets,
      keepsStored: this.#keepsStored && historyLimit > between.length,
      between: between.map(written),
      last: this.#last && written(this.#last),
    };
  }
}
