/**
 * One process's way to the store, with all that may go wrong on it. Requests and replies take their time, each its own,
 * so that calls that do not wait for one another overtake one another.
 */

import {
  type CommitOutcome,
  type Engine,
  type EngineSupports,
  type LoggedChange,
  settle,
  type Transaction,
} from "../../src/engine.ts";
import type { Entry } from "../../src/entry.ts";
import { ContextError } from "../../src/errors.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** How often something goes wrong, of a hundred times. */
export interface Weather {
  readonly longestMs: number;
  /** A read that gets no answer. */
  readonly readFails: number;
  /** A commit that does not get there. */
  readonly commitFails: number;
  /** A commit whose reply is lost, whether it has got there or not. */
  readonly replyLost: number;
  /** Wake-ups that come late, twice or not at all. */
  readonly wakeLost: number;
}

export class Network implements Engine {
  readonly supports: Readonly<EngineSupports> = Object.freeze({ durable: false, shared: true });
  /** When something went wrong. */
  readonly failures: number[] = [];
  /** When the outcome of a commit was lost. */
  readonly losses: number[] = [];
  readonly store: Engine;
  readonly time: VirtualTime;
  /** With it a manager has two commits under way at once. */
  readonly sent?: () => Promise<void>;
  #weather: Weather;

  constructor(store: Engine, time: VirtualTime, weather: Weather) {
    this.store = store;
    this.time = time;
    this.#weather = weather;
    if (time.random.below(2) === 0) this.sent = () => Promise.resolve();
  }

  /** From now on nothing goes wrong. */
  clearUp(): void {
    this.#weather = { longestMs: 1, readFails: 0, commitFails: 0, replyLost: 0, wakeLost: 0 };
  }

  load(...request: Parameters<Engine["load"]>): ReturnType<Engine["load"]> {
    return this.#read(() => this.store.load(...request));
  }

  list(...request: Parameters<Engine["list"]>): ReturnType<Engine["list"]> {
    return this.#read(() => this.store.list(...request));
  }

  changes(...request: Parameters<Engine["changes"]>): ReturnType<Engine["changes"]> {
    return this.#read(() => this.store.changes(...request));
  }

  history(...request: Parameters<Engine["history"]>): ReturnType<Engine["history"]> {
    return this.#read(() => this.store.history(...request));
  }

  async commit(transactions: readonly Transaction[]): Promise<CommitOutcome[]> {
    const { longestMs, commitFails, replyLost } = this.#weather;
    const sent = transactions.map(copied);
    await this.time.pause(longestMs);
    if (this.#happens(commitFails)) throw this.#cut();
    const isLost = this.#happens(replyLost);
    if (isLost && this.#happens(40)) return this.loses(sent);
    const outcomes = await this.store.commit(sent);
    await this.time.pause(longestMs);
    // The reply may also be lost for one of several, where an engine takes several steps for them.
    if (isLost && this.#happens(60)) return this.loses(sent);
    const told = outcomes.map((outcome) => (isLost && this.#happens(50) ? this.#unknown() : outcome));
    this.#settle(transactions, outcomes, told);
    return told;
  }

  /** What the caller hears of transactions when their reply is lost. */
  loses(transactions: readonly Transaction[]): CommitOutcome[] {
    return transactions.map(() => this.#unknown());
  }

  onWake(listener: () => void): () => void {
    let listens = true;
    const deliver = (): void => {
      if (listens) listener();
    };
    const stop = this.store.onWake(() => {
      const { longestMs, wakeLost } = this.#weather;
      if (!this.#happens(wakeLost)) return deliver();
      // Never, once, or twice.
      for (let times = this.time.random.below(3); times > 0; times--)
        this.time.setTimer(deliver, this.time.random.below(20 * longestMs + 1));
    });
    return () => {
      listens = false;
      stop();
    };
  }

  /** The store goes on: it is the other processes' too. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  async #read<Reply>(ask: () => Promise<Reply>): Promise<Reply> {
    const { longestMs, readFails } = this.#weather;
    await this.time.pause(longestMs);
    if (this.#happens(readFails)) throw this.#cut();
    const reply = await ask();
    await this.time.pause(longestMs);
    return reply;
  }

  #happens(percent: number): boolean {
    return this.time.random.below(100) < percent;
  }

  #cut(): ContextError {
    this.failures.push(this.time.leaseMs());
    return new ContextError("UNAVAILABLE", { reason: "the connection was cut" });
  }

  #unknown(): CommitOutcome {
    this.losses.push(this.time.leaseMs());
    return { kind: "indeterminate", cause: new Error("the connection was cut") };
  }

  /** What has crossed a network was a copy: the caller's entries get their revisions from the reply, if there is one. */
  #settle(
    transactions: readonly Transaction[],
    outcomes: readonly CommitOutcome[],
    told: readonly CommitOutcome[],
  ): void {
    const revisions = outcomes.map((outcome) => (outcome.kind === "ok" ? outcome.revision : Number.NaN));
    for (const [index, { writes }] of transactions.entries()) {
      if (told[index]?.kind !== "ok") continue;
      for (const { next } of writes) if (next != null) settle(next, revisions);
    }
  }
}

function copied(transaction: Transaction): Transaction {
  const copies = new Map<Entry, Entry>();
  const copyOf = (entry: Entry): Entry => {
    const copy = copies.get(entry) ?? { ...entry, lock: entry.lock && { ...entry.lock } };
    copies.set(entry, copy);
    return copy;
  };
  const changes = transaction.changes.map((change): LoggedChange => ({
    ...change,
    entry: change.entry && copyOf(change.entry),
  }));
  return { ...transaction, writes: transaction.writes.map((w) => ({ ...w, next: w.next && copyOf(w.next) })), changes };
}
