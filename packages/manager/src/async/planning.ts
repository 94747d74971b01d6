/** The jobs of one round, planned one on the result of the other. */

import { placeholder, type Transaction } from "../engine.ts";
import { changesData, type Entry, stamp, type Time } from "../entry.ts";
import { Plan } from "../plan.ts";
import { Rejection } from "../rejection.ts";
import type { Named } from "../rules.ts";
import { clearingTransaction, transactionOf } from "./transactions.ts";

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

export interface Queued {
  readonly job: Job<unknown>;
  readonly opId: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
  attempts: number;
  /** How many of them were cut off, and did not happen. */
  cuts: number;
}

/** A queued job with what came of planning it. */
export interface Planned {
  readonly queued: Queued;
  readonly outcome: unknown;
  readonly failed: boolean;
  /** How many of its writes change data, and how many of those were merges. */
  readonly writes: number;
  readonly merges: number;
  /** Its place among the transactions; `undefined` when it writes nothing. */
  readonly index: number | undefined;
  /** The transactions of the same round that it has seen the results of. */
  readonly basis: readonly number[];
}

/** What a round begins with. */
export interface Found {
  readonly present: Map<string, Entry | undefined>;
  readonly history: ReadonlyMap<string, readonly Entry[]>;
  readonly time: Time;
  readonly head: number;
  readonly contexts: number;
}

/** Plans a batch, as far as it can be planned in one round. */
export class Round {
  readonly #found: Found;
  /** Which transaction has left what is present. */
  readonly #author = new Map<string, number>();
  #growth = 0;
  /** What is to be committed. */
  readonly transactions: Transaction[] = [];
  /** In the order of the batch; the jobs behind the last one come in another round. */
  readonly planned: Planned[] = [];

  /** @param found - its present is brought to what it will be after the round. */
  constructor(batch: readonly Queued[], found: Found) {
    this.#found = found;
    for (const queued of batch) {
      const { job } = queued;
      if (job.clears === true) {
        if (this.planned.length === 0) this.planned.push(this.#clear(queued));
        return; // alone in its round: what comes after it finds nothing
      }
      // What this round replaces is in no history yet: whoever asks for it, and all behind, come in the next.
      if (this.transactions.length > 0 && job.wantsHistory !== undefined && this.#wantsReplaced(job)) return;
      this.planned.push(this.#plan(queued));
    }
  }

  #wantsReplaced(job: Job<unknown>): boolean {
    const { present } = this.#found;
    return job.contextIds.some((id) => this.#author.has(id) && job.wantsHistory?.(present.get(id)) === true);
  }

  /** Nothing is cleared where there is nothing. */
  #clear(queued: Queued): Planned {
    queued.attempts += 1;
    const index = this.#found.contexts === 0 ? undefined : 0;
    if (index !== undefined) this.transactions.push(clearingTransaction(queued.opId));
    const writes = index === undefined ? 0 : 1;
    return { queued, outcome: undefined, failed: false, writes, merges: 0, index, basis: [] };
  }

  #plan(queued: Queued): Planned {
    queued.attempts += 1;
    const { present } = this.#found;
    const plan = new Plan((id) => present.get(id));
    let outcome: unknown;
    let failed = false;
    try {
      outcome = queued.job.plan(plan, this.#view());
    } catch (error) {
      outcome = error;
      failed = true;
    }
    const { steps } = plan;
    const basis = this.#author.size === 0 ? [] : steps.flatMap(({ contextId }) => this.#author.get(contextId) ?? []);
    const writes = failed || outcome instanceof Rejection ? [] : steps.filter(({ found, next }) => next !== found);
    if (writes.length === 0) return { queued, outcome, failed, writes: 0, merges: 0, index: undefined, basis };
    const index = this.transactions.length;
    for (const { next } of writes) if (next !== undefined) stamp(next, placeholder(index));
    this.transactions.push(transactionOf(queued.opId, steps));
    this.#growth += plan.growth;
    for (const { contextId, next } of writes) {
      present.set(contextId, next);
      this.#author.set(contextId, index);
    }
    let changing = 0;
    for (const { found, next } of writes) if (changesData(found, next)) changing += 1;
    return { queued, outcome, failed, writes: changing, merges: plan.merges, index, basis };
  }

  #view(): View {
    const { present, history, time, contexts } = this.#found;
    return {
      time,
      contexts: contexts + this.#growth,
      kept: (id) => (history.get(id) ?? []).filter(({ incarnation }) => incarnation === present.get(id)?.incarnation),
    };
  }
}
