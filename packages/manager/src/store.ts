/**
 * What the manager, its agents and their leases share: the entries, and how they change. A thin imperative shell:
 * the rules decide, the store loads and commits, and hands on what has happened to those who wait, hold and watch.
 */

import type { Admission, Given } from "./admission.ts";
import { Agenda } from "./agenda.ts";
import type { Act } from "./changes.ts";
import type { Clock } from "./clock.ts";
import { Counters } from "./counters.ts";
import { changesData, type Entry, isAnother, stamp, type Time } from "./entry.ts";
import { ContextError, type ErrorCode, invalid } from "./errors.ts";
import { Feed } from "./feed.ts";
import { Handovers, type Move } from "./handovers.ts";
import type { History } from "./history.ts";
import { Plan } from "./plan.ts";
import { accepted } from "./refusal.ts";
import { Rejection } from "./rejection.ts";
import * as rules from "./rules.ts";
import type {
  CreateCommand,
  EditCommand,
  LockCommand,
  Outcome,
  RemoveCommand,
  RestoreCommand,
  Room,
  UnlockCommand,
  UpdateCommand,
} from "./rules.ts";
import { isMerge, type World } from "./staging.ts";

export interface StoreOptions {
  /** Where the contexts are kept. */
  readonly entries: Map<string, Entry>;
  readonly clock: Clock;
  readonly admission: Admission;
  readonly maxContexts: number;
  readonly changeLogLimit: number;
  /** The versions before the present ones, where they are kept. */
  readonly history: History | undefined;
}

export class Store implements Room, World {
  /** In the order of creation: writing to an id that is there keeps its place. */
  readonly entries: Map<string, Entry>;
  readonly clock: Clock;
  readonly admission: Admission;
  readonly maxContexts: number;
  /** The versions before the present ones, where they are kept. */
  readonly history: History | undefined;
  /** When leases renew themselves. */
  readonly renewals: Agenda;
  /** When waits time out and locks that somebody waits for lapse. */
  readonly deadlines: Agenda;
  readonly handovers: Handovers;
  readonly feed: Feed;
  readonly counters: Counters = new Counters();
  /** No command is taken any more. */
  closed = false;
  /** The transaction whose function is running. */
  #open: Plan | undefined;

  constructor({ entries, clock, admission, maxContexts, changeLogLimit, history }: StoreOptions) {
    this.entries = entries;
    this.clock = clock;
    this.admission = admission;
    this.maxContexts = maxContexts;
    this.history = history;
    this.renewals = new Agenda(clock, false);
    this.deadlines = new Agenda(clock, true);
    this.handovers = new Handovers(entries, clock, this.deadlines);
    this.feed = new Feed(entries, changeLogLimit);
  }

  get contexts(): number {
    return this.entries.size;
  }

  /** The revision of the last commit. */
  get head(): number {
    return this.feed.head;
  }

  /** Lease time is read only where a lock could have lapsed by it, or is to get a deadline. */
  time(found: Entry | undefined, forDeadline = false): Time {
    const canLapse = found !== undefined && found.lock !== null && found.lock.deadlineMs !== null;
    return { wallMs: this.clock.wallMs(), leaseMs: canLapse || forDeadline ? this.clock.leaseMs() : 0 };
  }

  create(command: CreateCommand): Entry | Rejection {
    const { head } = this;
    const found = this.entries.get(command.contextId);
    const next = rules.create(found, command, this.time(found), this.admission, this);
    if (this.#overtaken(next, head, command.contextId, found)) return this.create(this.#withOwn(command));
    return this.commit(command.contextId, found, next);
  }

  update(command: UpdateCommand): Entry | Rejection {
    const { head } = this;
    const found = this.entries.get(command.contextId);
    const next = rules.update(found, command, this.time(found), this.admission);
    if (this.#overtaken(next, head, command.contextId, found)) return this.update(this.#withOwn(command));
    return this.commit(command.contextId, found, next);
  }

  edit(command: EditCommand): Entry | Rejection {
    const { head } = this;
    const { contextId } = command;
    const found = this.entries.get(contextId);
    const next = rules.edit(found, command, this.time(found), this.admission, this.kept(contextId));
    if (this.#overtaken(next, head, contextId, found)) return this.edit(this.#withOwnEdit(command));
    const outcome = this.commit(contextId, found, next);
    if (isMerge(found, command.expected, next)) this.counters.merges += 1;
    return outcome;
  }

  restore(command: RestoreCommand): Entry | Rejection {
    const { contextId, version } = command;
    const found = this.entries.get(contextId);
    const next = rules.restore(found, command, this.time(found), this.history?.find(contextId, version));
    return this.commit(contextId, found, next);
  }

  /** The versions of a context before the present one that are kept. */
  kept(contextId: string): readonly Entry[] {
    return this.history?.of(contextId) ?? [];
  }

  /** Every version of a context that is kept, the present one last; none when it does not exist. */
  versionsOf(contextId: string): Entry[] {
    const present = this.entries.get(contextId);
    return present === undefined ? [] : [...this.kept(contextId), present];
  }

  /** Whether there was something to delete. */
  remove(command: RemoveCommand): boolean | Rejection {
    const { contextId, author, note } = command;
    const found = this.entries.get(contextId);
    const act = { agentId: author?.agentId ?? null, note };
    return this.commit(contextId, found, rules.remove(found, command, this.time(found)), act) ?? found !== undefined;
  }

  /** `false` when another agent holds the lock, or is waiting for its turn to. */
  lock(command: LockCommand): boolean | Rejection {
    const { contextId, agentId, ttlMs } = command;
    const found = this.entries.get(contextId);
    if (this.handovers.isAwaited(contextId) && found?.lock?.owner !== agentId) return false;
    return this.#flag(contextId, found, rules.lock(found, command, this.time(found, ttlMs !== undefined)));
  }

  /** `false` when another agent holds the lock, or nobody does. */
  unlock(command: UnlockCommand): boolean | Rejection {
    const found = this.entries.get(command.contextId);
    const next = rules.unlock(found, command);
    return next === found ? false : this.#flag(command.contextId, found, next);
  }

  /** Takes the lock from whoever holds it; `false` when nobody does. */
  forceUnlock(contextId: string, act: Act): boolean | Rejection {
    const found = this.entries.get(contextId);
    const next = this.commit(contextId, found, rules.breakLock(found, { contextId }), act);
    return next instanceof Rejection ? next : next !== found;
  }

  /** One rule for several contexts as one commit: all of it, or a refusal and nothing. */
  runAll(contextIds: readonly string[], rule: (found: Entry | undefined, contextId: string) => Outcome): number {
    if (contextIds.length === 1) {
      const contextId = contextIds[0] as string;
      const found = this.entries.get(contextId);
      return (accepted(this.commit(contextId, found, rule(found, contextId))) as Entry).revision;
    }
    const plan = this.plan();
    for (const contextId of contextIds) {
      plan.write(contextId, this.accept(rule(plan.read(contextId), contextId)));
    }
    const revision = this.head + 1; // what follows from the commit may commit more
    this.commitPlan(plan);
    return revision;
  }

  plan(): Plan {
    return new Plan((contextId) => this.entries.get(contextId));
  }

  /** Runs what makes a plan, while nothing else may write, and commits the plan. */
  transact<Result>(make: (plan: Plan) => Result): Result {
    this.checkAlone();
    const plan = this.plan();
    this.#open = plan;
    // Whose turn it is while the function runs, gets it afterwards.
    return this.handovers.whileNobodyMoves(() => {
      let result: Result;
      try {
        result = make(plan);
      } finally {
        this.#open = undefined;
      }
      this.commitPlan(plan); // nobody else could write: what it has read is still so
      return result;
    });
  }

  /** All that a plan writes, if what it has read and what it replaces is still there; whether that was so. */
  commitPlan(plan: Plan): boolean {
    const { steps } = plan;
    if (steps.some(({ contextId, found }) => this.entries.get(contextId) !== found)) return false;
    const writes = steps.filter(({ found, next }) => next !== found);
    if (writes.length === 0) return true;
    this.checkAlone();
    this.counters.merges += plan.merges;
    const revision = ++this.feed.head;
    for (const { contextId, found, next, act } of writes) this.#put(contextId, found, next, revision, act);
    this.#handOver(writes.map(({ found, next, act }) => ({ before: found, next, reason: act?.reason })));
    return true;
  }

  /** Commits what one rule leaves of one context, unless that is a refusal or what was there: a plan of one step. */
  commit<Next extends Outcome>(contextId: string, found: Entry | undefined, next: Next, act?: Act): Next {
    if (next instanceof Rejection) this.counters.refuse(next.code);
    else if (next !== found) this.#commit(contextId, found, next, act);
    return next;
  }

  #commit(contextId: string, found: Entry | undefined, next: Entry | undefined, act: Act | undefined): void {
    if (this.#open !== undefined) this.checkAlone();
    this.#put(contextId, found, next, ++this.feed.head, act);
    if (this.handovers.isBusy) this.#handOver([{ before: found, next, reason: act?.reason }]);
    else if (this.feed.isWanted && this.feed.hasNews) this.feed.tell();
  }

  /** What a rule left; throws what it refused, and counts it. */
  accept<Result>(outcome: Result | Rejection): Result {
    if (outcome instanceof Rejection) this.counters.refuse(outcome.code);
    return accepted(outcome);
  }

  /** An error for a refusal that no rule made, counted. */
  refusal<Code extends ErrorCode>(error: ContextError<Code>): ContextError<Code> {
    this.counters.refuse(error.code);
    return error;
  }

  clear(): void {
    this.checkAlone();
    if (this.entries.size === 0) return;
    const cleared = [...this.entries.values()];
    this.feed.head += 1;
    this.entries.clear();
    this.history?.clear();
    this.counters.writes += 1;
    if (this.feed.isWanted) this.feed.recordClear();
    this.#handOver(cleared.map((before) => ({ before, next: undefined, reason: "the manager was cleared" })));
  }

  /** Releases everything that an agent holds, and takes it out of its queues. */
  forget(agentId: string): void {
    this.handovers.dismiss(agentId, new ContextError("CLOSED", { agentId }));
    for (const found of this.entries.values()) {
      const { contextId, lock } = found;
      if (lock?.owner !== agentId) continue;
      const act = { agentId, note: null, reason: "its agent was closed" };
      this.commit(contextId, found, rules.unlock(found, { contextId, agentId }), act);
    }
  }

  checkOpen(): void {
    if (this.closed) throw new ContextError("CLOSED", {});
  }

  /** @throws ContextError INVALID while a transaction is open. */
  checkAlone(): void {
    if (this.#open === undefined) return;
    const expected = "the methods of the transaction while its function runs";
    throw this.refusal(invalid("transact", "", expected, "a write around it, or a transaction inside it"));
  }

  /** Takes no command any more; whoever waits is told. */
  close(): void {
    if (this.closed) return;
    this.checkAlone();
    this.closed = true;
    this.handovers.dismiss(undefined, new ContextError("CLOSED", {}));
    this.feed.close();
    this.renewals.clear();
    this.deadlines.clear();
  }

  #put(
    contextId: string,
    found: Entry | undefined,
    next: Entry | undefined,
    revision: number,
    act: Act | undefined,
  ): void {
    if (next !== undefined) stamp(next, revision);
    this.history?.record(found, next);
    // Created again in the commit that deleted it, it comes last in the order of creation.
    if (next === undefined || (found !== undefined && isAnother(found, next))) this.entries.delete(contextId);
    if (next !== undefined) this.entries.set(contextId, next);
    if (changesData(found, next)) this.counters.writes += 1;
    if (this.feed.isWanted) this.feed.record(contextId, found, next, act);
  }

  /** What follows from a commit: first for locks and those who wait for them, then for those who watch. */
  #handOver(moves: readonly Move[]): void {
    this.feed.hush(() => this.handovers.moved(moves));
    if (this.feed.hasNews) this.feed.tell();
  }

  /** `lock` and `unlock` answer `false` where section 6.20 says so. */
  #flag(contextId: string, found: Entry | undefined, next: Entry | Rejection): boolean | Rejection {
    if (next instanceof Rejection) return next.code === "LOCKED" ? false : this.commit(contextId, found, next);
    if (next !== found) this.#commit(contextId, found, next, undefined);
    return true;
  }

  /**
   * Whether something was committed behind the back of a rule. Copying the caller's data can run the caller's
   * code, a getter or a proxy, and that code can write here too; then the rule must run again (law 3), on a copy, so that
   * it ends. A refusal stands: it was right when the rule looked. That code can also close the store.
   */
  #overtaken(next: Outcome, head: number, contextId: string, found: Entry | undefined): boolean {
    this.checkOpen();
    return this.head !== head && !(next instanceof Rejection) && this.entries.get(contextId) !== found;
  }

  #withOwn<Command extends Given>(command: Command): Command {
    return { ...command, ...this.admission.take(command.data, undefined) };
  }

  #withOwnEdit(command: EditCommand): EditCommand {
    return command.edit.kind === "data" ? { ...command, edit: this.#withOwn(command.edit) } : command;
  }
}
