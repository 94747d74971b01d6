/**
 * Between the rules and an engine: loads what commands are about, lets the rules make plans, and commits them. What
 * is asked for at the same time shares one round trip (group commit); commands for the same context are planned one on
 * the result of the other. Each keeps its own outcome.
 *
 * What is known already is not loaded: an engine commits only what is planned on what is there. Whoever would be refused
 * by what is only believed, or would do nothing, is planned again on what has been loaded.
 */

import type { Clock } from "../clock.ts";
import type { Counters } from "../counters.ts";
import { type CommitOutcome, type Engine, placeholder, type Transaction } from "../engine.ts";
import { changesData, type Entry, stamp, type Time } from "../entry.ts";
import { ContextError, isContextError } from "../errors.ts";
import { Plan } from "../plan.ts";
import { accepted } from "../refusal.ts";
import { Rejection } from "../rejection.ts";
import type { Follower } from "./follower.ts";
import { Known } from "./known.ts";
import type { Named } from "../rules.ts";
import { clearingTransaction, settleFound, transactionOf } from "./transactions.ts";

/** What a job finds. */
export interface View {
  readonly time: Time;
  /** How many contexts there are; 0 unless the job counts. */
  readonly contexts: number;
  /** The versions before the present one; none unless the job asks for them. */
  kept(contextId: string): readonly Entry[];
}

/** Something to be planned and committed. It is planned again when another was faster. */
export interface Job<Result> extends Named {
  readonly contextIds: readonly string[];
  /** Whether it must know how many contexts there are. */
  readonly counts?: boolean;
  /** It deletes every context; then it has no plan. */
  readonly clears?: boolean;
  /** Whether it must know the lease time. */
  readonly isTimed?: boolean;
  /** Whether it must know old versions of a context. */
  wantsHistory?(found: Entry | undefined): boolean;
  plan(plan: Plan, view: View): Result | Rejection;
}

interface Queued {
  readonly job: Job<unknown>;
  readonly opId: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
  attempts: number;
}

/** A queued job with what came of planning it. */
interface Planned {
  readonly queued: Queued;
  readonly outcome: unknown;
  readonly failed: boolean;
  /** How many of its writes change data, and how many of those were merges. */
  readonly writes: number;
  readonly merges: number;
  /** Its place among the transactions; `undefined` when it writes nothing. */
  readonly index: number | undefined;
  /** The transactions of the same round that it has seen the results of. */
  readonly basis: ReadonlySet<number>;
}

const MAX_JOBS_AT_ONCE = 128;
/** So many attempts go without a pause: another process was faster, and will be done. */
const EAGER_ATTEMPTS = 3;
const LONGEST_PAUSE_MS = 20;
const CHANGES_AT_ONCE = 1_000;

export class Committer {
  readonly #engine: Engine;
  readonly #counters: Counters;
  readonly #follower: Pick<Follower, "head" | "committed">;
  readonly #known: Known;
  readonly #queue: Queued[] = [];
  readonly #name = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  #operations = 0;
  #running: Promise<void> | undefined;

  constructor(engine: Engine, clock: Clock, counters: Counters, follower: Pick<Follower, "head" | "committed">) {
    this.#engine = engine;
    this.#known = new Known(clock);
    this.#counters = counters;
    this.#follower = follower;
  }

  /** @returns what the job's plan came to, once it is committed; rejects with its refusal. */
  run<Result>(job: Job<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const opId = job.operationId ?? `${this.#name}-${++this.#operations}`;
      this.#queue.push({ job, opId, resolve: resolve as (result: unknown) => void, reject, attempts: 0 });
      this.#running ??= this.#drain();
    });
  }

  async #drain(): Promise<void> {
    await Promise.resolve(); // those who call in the same turn come along
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, MAX_JOBS_AT_ONCE);
      const again = await this.#round(batch);
      this.#queue.unshift(...again);
      await pauseFor(Math.max(0, ...again.map(({ attempts }) => attempts)));
    }
    this.#running = undefined;
  }

  /** When all that has been asked for has its outcome. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** @returns those that another was faster than. */
  async #round(batch: readonly Queued[]): Promise<Queued[]> {
    let found = this.#believed(batch);
    const isBelieved = found !== undefined;
    let planned: Planned[];
    const transactions: Transaction[] = [];
    let outcomes: CommitOutcome[] = [];
    try {
      found ??= await this.#load(batch);
      planned = this.#plan(batch, found, transactions);
      if (transactions.length > 0) {
        // Whoever begins to listen now may be told of the head before this is known to have happened.
        this.#follower.committed(found.head + 1, found.head);
        outcomes = await this.#engine.commit(transactions);
      }
    } catch (error) {
      if (batch.length > 1 && isContextError(error, "CORRUPT")) {
        // One that cannot be read is no reason to refuse the others.
        const again: Queued[] = [];
        for (const queued of batch) again.push(...(await this.#round([queued])));
        return again;
      }
      const failure = asUnavailable(error);
      for (const { reject } of batch) reject(failure);
      return [];
    }
    const revisions = await this.#revisionsOf(outcomes, transactions, found.head);
    settleFound(outcomes, transactions, revisions);
    this.#learn(transactions, revisions);
    const done = revisions.filter((revision) => typeof revision === "number");
    if (done.length > 0) this.#follower.committed(Math.min(...done), Math.max(...done));
    const again = planned
      .filter((one) => (isBelieved && one.index === undefined) || !this.#isSettled(one, revisions))
      .map(({ queued }) => queued);
    if (isBelieved) for (const { job } of again) for (const id of job.contextIds) this.#known.doubt(id);
    return [...again, ...batch.slice(planned.length)];
  }

  /** What is known of all that a batch is about; `undefined` when it must be asked for. */
  #believed(batch: readonly Queued[]): Found | undefined {
    const present = new Map<string, Entry | undefined>();
    for (const { job } of batch) {
      const { contextIds, counts = false, clears = false, isTimed = false } = job;
      if (contextIds.length === 0 || counts || clears || isTimed) return undefined;
      for (const id of contextIds) {
        const entry = this.#known.calm(id);
        if (entry === undefined || job.wantsHistory?.(entry) === true) return undefined;
        present.set(id, entry);
      }
    }
    return { present, history: new Map(), time: this.#known.time, head: this.#follower.head, contexts: 0 };
  }

  #learn(transactions: readonly Transaction[], revisions: readonly (number | undefined | ContextError)[]): void {
    for (const [index, { writes, clears = false }] of transactions.entries()) {
      const hasHappened = typeof revisions[index] === "number";
      if (clears) this.#known.clear();
      for (const { id, next } of writes) {
        if (!hasHappened) this.#known.doubt(id);
        else if (next !== undefined) this.#known.committed(id, next ?? undefined);
      }
    }
  }

  async #load(batch: readonly Queued[]): Promise<Found> {
    const ids = [...new Set(batch.flatMap(({ job }) => job.contextIds))];
    const counts = batch.some(({ job }) => job.counts === true);
    const loaded = await this.#engine.load(ids, counts);
    this.#known.loaded(ids, loaded);
    const { entries, time, head, contexts = 0 } = loaded;
    const present = new Map(ids.map((id, index) => [id, entries[index]]));
    const wanted = batch.flatMap(({ job }) =>
      job.contextIds.filter((id) => job.wantsHistory?.(present.get(id)) ?? false),
    );
    const history = new Map(
      await Promise.all([...new Set(wanted)].map(async (id) => [id, await this.#engine.history(id)] as const)),
    );
    return { present, history, time, head, contexts };
  }

  #plan(batch: readonly Queued[], { present, history, time, contexts }: Found, transactions: Transaction[]): Planned[] {
    /** Which transaction has left what is present. */
    const author = new Map<string, number>();
    let growth = 0;
    const planned: Planned[] = [];
    for (const queued of batch) {
      const { job } = queued;
      if (job.clears === true) {
        if (planned.length === 0) planned.push(clearing(queued, contexts, transactions));
        break; // alone in its round: what comes after it finds nothing
      }
      // What this round replaces is in no history yet: whoever asks for it, and all behind, come in the next.
      if (job.contextIds.some((id) => author.has(id) && job.wantsHistory?.(present.get(id)) === true)) break;
      planned.push(planOne(queued));
    }
    return planned;

    function planOne(queued: Queued): Planned {
      queued.attempts += 1;
      const plan = new Plan((id) => present.get(id));
      let outcome: unknown;
      let failed = false;
      try {
        outcome = queued.job.plan(plan, {
          time,
          contexts: contexts + growth,
          kept: (id) => keptBefore(history.get(id) ?? [], present.get(id)),
        });
      } catch (error) {
        outcome = error;
        failed = true;
      }
      const { steps } = plan;
      const basis = new Set(steps.flatMap(({ contextId }) => author.get(contextId) ?? []));
      const writes = failed || outcome instanceof Rejection ? [] : steps.filter(({ found, next }) => next !== found);
      if (writes.length === 0) return { queued, outcome, failed, writes: 0, merges: 0, index: undefined, basis };
      const index = transactions.length;
      for (const { next } of writes) if (next !== undefined) stamp(next, placeholder(index));
      transactions.push(transactionOf(queued.opId, steps));
      growth += plan.growth;
      for (const { contextId, next } of writes) {
        present.set(contextId, next);
        author.set(contextId, index);
      }
      return {
        queued,
        outcome,
        failed,
        writes: writes.filter(({ found, next }) => changesData(found, next)).length,
        merges: plan.merges,
        index,
        basis,
      };
    }
  }

  /** The revision of each transaction; `undefined` for one that did not happen, an error for one that may have. */
  async #revisionsOf(
    outcomes: readonly CommitOutcome[],
    transactions: readonly Transaction[],
    head: number,
  ): Promise<(number | undefined | ContextError)[]> {
    const doubtful = transactions.filter((_, index) => outcomes[index]?.kind === "indeterminate");
    const found = doubtful.length === 0 ? new Map<string, number>() : await this.#find(doubtful, head);
    return outcomes.map((outcome, index) => {
      if (outcome.kind !== "indeterminate") return outcome.kind === "ok" ? outcome.revision : undefined;
      const { opId: operationId, writes } = transactions[index] as Transaction;
      if (found !== undefined) return found.get(operationId);
      const unknown = new ContextError("INDETERMINATE", { contextIds: writes.map(({ id }) => id), operationId });
      unknown.cause = outcome.cause;
      return unknown;
    });
  }

  /**
   * Looks into the change log for operations whose outcome is not known (law 6): for all of them at once, since they
   * build on one another.
   *
   * @returns the revisions of those that have happened; `undefined` when the log does not tell.
   */
  async #find(transactions: readonly Transaction[], since: number): Promise<Map<string, number> | undefined> {
    const wanted = new Set(transactions.map(({ opId }) => opId));
    const found = new Map<string, number>();
    try {
      for (let after = since; ;) {
        const { changes, head, oldest } = await this.#engine.changes({ after, limit: CHANGES_AT_ONCE });
        if (oldest > after + 1) return undefined;
        for (const { opId, revision } of changes) if (wanted.has(opId)) found.set(opId, revision);
        after = changes.at(-1)?.revision ?? head;
        if (found.size === wanted.size || after >= head) return found;
      }
    } catch {
      return undefined;
    }
  }

  /** `false` when it must be planned again. */
  #isSettled(planned: Planned, revisions: readonly (number | undefined | ContextError)[]): boolean {
    const { queued, outcome, failed, writes, merges, index, basis } = planned;
    const own = index === undefined ? 0 : revisions[index];
    if (own instanceof ContextError) {
      this.#counters.refuse(own.code);
      queued.reject(own);
      return true;
    }
    if (own === undefined) return false;
    // A refusal that builds on what did not happen is none. What has been committed has happened, and so has its basis.
    if (index === undefined && [...basis].some((other) => typeof revisions[other] !== "number")) return false;
    if (failed) {
      queued.reject(outcome);
    } else if (isRejection(outcome)) {
      this.#counters.refuse(outcome.code);
      rejectWith(queued, outcome);
    } else {
      this.#counters.writes += writes;
      this.#counters.merges += merges;
      queued.resolve(outcome);
    }
    return true;
  }
}

interface Found {
  readonly present: Map<string, Entry | undefined>;
  readonly history: ReadonlyMap<string, readonly Entry[]>;
  readonly time: Time;
  readonly head: number;
  readonly contexts: number;
}

function keptBefore(kept: readonly Entry[], present: Entry | undefined): readonly Entry[] {
  return kept.filter(({ incarnation }) => incarnation === present?.incarnation);
}

/** Nothing is cleared where there is nothing. */
function clearing(queued: Queued, contexts: number, transactions: Transaction[]): Planned {
  queued.attempts += 1;
  const index = contexts === 0 ? undefined : 0;
  if (index !== undefined) transactions.push(clearingTransaction(queued.opId));
  const writes = index === undefined ? 0 : 1;
  return { queued, outcome: undefined, failed: false, writes, merges: 0, index, basis: new Set() };
}

function isRejection(outcome: unknown): outcome is Rejection {
  return outcome instanceof Rejection;
}

function rejectWith({ reject }: Queued, outcome: Rejection): void {
  try {
    accepted(outcome);
  } catch (error) {
    reject(error);
  }
}

export function asUnavailable(error: unknown): unknown {
  if (error instanceof ContextError) return error;
  const failure = new ContextError("UNAVAILABLE", { reason: error instanceof Error ? error.message : String(error) });
  failure.cause = error;
  return failure;
}

function pauseFor(attempts: number): Promise<void> | undefined {
  if (attempts <= EAGER_ATTEMPTS) return undefined;
  const boundMs = Math.min(LONGEST_PAUSE_MS, 2 ** (attempts - EAGER_ATTEMPTS));
  return new Promise((resolve) => {
    setTimeout(resolve, Math.random() * boundMs);
  });
}
