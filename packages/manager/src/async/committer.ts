/**
 * Between the rules and an engine: loads what commands are about, lets the rules make plans, and commits them. What
 * is asked for at the same time shares one round trip (group commit); commands for the same context are planned one on
 * the result of the other. Each keeps its own outcome. Two round trips are under way at once, about different contexts,
 * where the engine can make use of that.
 *
 * What is known already is not loaded: an engine commits only what is planned on what is there. Whoever would be refused
 * by what is only believed, or would do nothing, is planned again on what has been loaded.
 */

import { checkStorable } from "../arguments.ts";
import type { Clock } from "../clock.ts";
import type { Counters } from "../counters.ts";
import type { CommitOutcome, Engine, Loaded, Transaction } from "../engine.ts";
import type { Entry } from "../entry.ts";
import { ContextError, isContextError } from "../errors.ts";
import { accepted } from "../refusal.ts";
import { Rejection } from "../rejection.ts";
import { Backlog } from "./backlog.ts";
import type { Follower } from "./follower.ts";
import { Known } from "./known.ts";
import { type Revision, revisionsOf } from "./outcomes.ts";
import { type Found, type Job, type Planned, type Queued, Round } from "./planning.ts";
import { asUnavailable } from "./reading.ts";

/** One is planned while the storage works on the other. */
const ROUNDS_AT_ONCE = 2;
/** So many attempts go without a pause: another process was faster, and will be done. */
const EAGER_ATTEMPTS = 3;
const LONGEST_PAUSE_MS = 20;
/** What is cut off every time may be what cuts the connection: too large for a proxy, or the death of the server. */
const MOST_CUTS = 8;

export class Committer {
  readonly #engine: Engine;
  readonly #counters: Counters;
  readonly #follower: Pick<Follower, "head" | "committed">;
  readonly #known: Known;
  readonly #backlog: Backlog;
  readonly #name = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  #operations = 0;
  #isBeginning = false;
  readonly #onIdle: (() => void)[] = [];

  constructor(engine: Engine, clock: Clock, counters: Counters, follower: Pick<Follower, "head" | "committed">) {
    this.#engine = engine;
    this.#backlog = new Backlog(engine.sent === undefined ? 1 : ROUNDS_AT_ONCE);
    this.#known = new Known(clock);
    this.#counters = counters;
    this.#follower = follower;
  }

  /** @returns what the job's plan came to, once it is committed; rejects with its refusal. */
  run<Result>(job: Job<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      for (const contextId of job.contextIds) checkStorable(contextId);
      const opId = job.operationId ?? `${this.#name}-${++this.#operations}`;
      this.#backlog.add({ job, opId, resolve: resolve as (result: unknown) => void, reject, attempts: 0, cuts: 0 });
      this.#wake();
    });
  }

  /** What was there when this process last saw it. */
  seen(contextId: string): Entry | undefined {
    return this.#known.seen(contextId);
  }

  /** What has been read by others than this: whoever writes it next need not ask again. */
  loaded(contextIds: readonly string[], loaded: Loaded): void {
    this.#known.loaded(contextIds, loaded);
  }

  #wake(): void {
    if (this.#isBeginning) return;
    this.#isBeginning = true;
    void Promise.resolve().then(this.#begin); // those who call in the same turn come along
  }

  readonly #begin = (): void => {
    for (let batch = this.#backlog.next(); batch !== undefined; batch = this.#backlog.next()) {
      void this.#carryOut(batch);
      // What is planned then, is planned while the storage works on that.
      const sent = this.#engine.sent?.();
      if (sent !== undefined) {
        void sent.then(this.#begin);
        return;
      }
    }
    this.#isBeginning = false;
  };

  async #carryOut(batch: readonly Queued[]): Promise<void> {
    const again = await this.#round(batch);
    // It is not over meanwhile: whoever came later to the same contexts is planned later.
    if (again.length > 0) await pauseFor(Math.max(...again.map(({ attempts }) => attempts)));
    this.#backlog.over(batch, again);
    if (this.#backlog.isEmpty) for (const resolve of this.#onIdle.splice(0)) resolve();
    else this.#wake();
  }

  /** When all that has been asked for has its outcome. */
  async idle(): Promise<void> {
    if (this.#backlog.isEmpty) return;
    await new Promise<void>((resolve) => {
      this.#onIdle.push(resolve);
    });
  }

  /** @returns those that another was faster than. */
  async #round(batch: readonly Queued[]): Promise<Queued[]> {
    let found = this.#believed(batch);
    const isBelieved = found !== undefined;
    let round: Round;
    let outcomes: CommitOutcome[] = [];
    try {
      found ??= await this.#load(batch);
      round = new Round(batch, found);
      if (round.transactions.length > 0) {
        // Whoever begins to listen now may be told of the head before this is known to have happened.
        this.#follower.committed(found.head + 1, found.head);
        outcomes = await this.#engine.commit(round.transactions);
      }
    } catch (error) {
      // One that cannot be read is no reason to refuse the others.
      if (batch.length > 1 && isContextError(error, "CORRUPT")) return this.#oneByOne(batch);
      const failure = asUnavailable(error);
      for (const { reject } of batch) reject(failure);
      return [];
    }
    const known = revisionsOf(this.#engine, outcomes, round.transactions, found.head);
    return this.#settle(batch, round, "then" in known ? await known : known, isBelieved);
  }

  async #oneByOne(batch: readonly Queued[]): Promise<Queued[]> {
    const again: Queued[] = [];
    for (const queued of batch) again.push(...(await this.#round([queued])));
    return again;
  }

  /** @returns those that are planned again. */
  #settle(
    batch: readonly Queued[],
    { planned, transactions }: Round,
    revisions: readonly Revision[],
    isBelieved: boolean,
  ): Queued[] {
    this.#learn(transactions, revisions);
    this.#tell(revisions);
    const again: Queued[] = [];
    for (const one of planned) {
      if ((isBelieved && one.index === undefined) || !this.#isSettled(one, revisions)) again.push(one.queued);
    }
    if (isBelieved) for (const { job } of again) for (const id of job.contextIds) this.#known.doubt(id);
    for (let index = planned.length; index < batch.length; index++) again.push(batch[index] as Queued);
    return again;
  }

  #tell(revisions: readonly Revision[]): void {
    let [first, last] = [Infinity, 0];
    for (const revision of revisions) {
      if (typeof revision !== "number") continue;
      first = Math.min(first, revision);
      last = Math.max(last, revision);
    }
    if (last > 0) this.#follower.committed(first, last);
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

  #learn(transactions: readonly Transaction[], revisions: readonly Revision[]): void {
    for (let index = 0; index < transactions.length; index++) {
      const { writes, clears = false } = transactions[index] as Transaction;
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

  /** `false` when it must be planned again. */
  #isSettled(planned: Planned, revisions: readonly Revision[]): boolean {
    const { queued, outcome, failed, writes, merges, index, basis } = planned;
    const own = index === undefined ? 0 : revisions[index];
    if (own instanceof ContextError) {
      // It has not happened, and may have more luck on another connection.
      if (own.code === "UNAVAILABLE" && ++queued.cuts < MOST_CUTS) return false;
      this.#counters.refuse(own.code);
      queued.reject(own);
      return true;
    }
    if (own === undefined) return false;
    // A refusal that builds on what did not happen is none. What has been committed has happened, and so has its basis.
    if (index === undefined && basis.some((other) => typeof revisions[other] !== "number")) return false;
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

function pauseFor(attempts: number): Promise<void> | undefined {
  if (attempts <= EAGER_ATTEMPTS) return undefined;
  const boundMs = Math.min(LONGEST_PAUSE_MS, 2 ** (attempts - EAGER_ATTEMPTS));
  return new Promise((resolve) => {
    setTimeout(resolve, Math.random() * boundMs);
  });
}
