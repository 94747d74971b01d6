/**
 * What the manager, its agents and their leases share: the entries, the head revision, and what follows from
 * a commit. A thin imperative shell: the rules decide, the store loads and commits, and tells holders and
 * waiters what has become of their locks.
 */

import { Agenda, type Item } from "./agenda.ts";
import type { Admission } from "./admission.ts";
import type { Clock } from "./clock.ts";
import { type Entry, hasLapsed, holding, type Lock, stamp, type Time } from "./entry.ts";
import { ContextError, type ErrorDetails } from "./errors.ts";
import type { History } from "./history.ts";
import { Queues, type Waiter } from "./queues.ts";
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

/** Whoever must hear that a lock with its token is gone. */
export interface Holder {
  lost(details: ErrorDetails["LEASE_LOST"]): void;
}

/** A waiter and what becomes of it: exactly one of the two is called, once. */
export interface Waiting extends Waiter {
  /** Its turn has come: takes the locks. */
  grant(): void;
  fail(error: unknown): void;
}

export class Store {
  /** In the order of creation: writing to an id that is there keeps its place. */
  readonly entries: Map<string, Entry> = new Map();
  /** The revision of the last commit. */
  head = 0;
  readonly clock: Clock;
  readonly admission: Admission;
  readonly room: Room;
  /** The versions before the present ones, where they are kept. */
  readonly history: History | undefined;
  /** When leases renew themselves. */
  readonly renewals: Agenda;
  /** When waits time out and locks that somebody waits for lapse. */
  readonly deadlines: Agenda;
  readonly #queues = new Queues();
  /** By token. Never empty: V8 shrinks a map that becomes empty, which costs more than a whole lease. */
  readonly #holders = new Map<number, Holder | undefined>([[0, undefined]]);
  /** For each context with a queue and a lock that can lapse: when it is to be handed over. */
  readonly #lapses = new Map<string, Lapse>();

  constructor(clock: Clock, admission: Admission, maxContexts: number, history: History | undefined) {
    const { entries } = this;
    this.clock = clock;
    this.admission = admission;
    this.room = {
      get contexts() {
        return entries.size;
      },
      maxContexts,
    };
    this.history = history;
    this.renewals = new Agenda(clock, false);
    this.deadlines = new Agenda(clock, true);
  }

  /** Lease time is read only where a lock could have lapsed by it, or is to get a deadline. */
  time(found: Entry | undefined, forDeadline = false): Time {
    const canLapse = found !== undefined && found.lock !== null && found.lock.deadlineMs !== null;
    return { wallMs: this.clock.wallMs(), leaseMs: canLapse || forDeadline ? this.clock.leaseMs() : 0 };
  }

  create(command: CreateCommand): Entry | Rejection {
    const { head } = this;
    const found = this.entries.get(command.contextId);
    const next = rules.create(found, command, this.time(found), this.admission, this.room);
    if (this.#overtaken(head, command.contextId, found)) return this.create(command);
    return this.commit(command.contextId, found, next);
  }

  update(command: UpdateCommand): Entry | Rejection {
    const { head } = this;
    const found = this.entries.get(command.contextId);
    const next = rules.update(found, command, this.time(found), this.admission);
    if (this.#overtaken(head, command.contextId, found)) return this.update(command);
    return this.commit(command.contextId, found, next);
  }

  edit(command: EditCommand): Entry | Rejection {
    const { head } = this;
    const { contextId } = command;
    const found = this.entries.get(contextId);
    const kept = this.history?.of(contextId) ?? [];
    const next = rules.edit(found, command, this.time(found), this.admission, kept);
    if (this.#overtaken(head, contextId, found)) return this.edit(command);
    return this.commit(contextId, found, next);
  }

  restore(command: RestoreCommand): Entry | Rejection {
    const { contextId, version } = command;
    const found = this.entries.get(contextId);
    const next = rules.restore(found, command, this.time(found), this.history?.find(contextId, version));
    return this.commit(contextId, found, next);
  }

  /** Every version of a context that is kept, the present one last; none when it does not exist. */
  versionsOf(contextId: string): Entry[] {
    const present = this.entries.get(contextId);
    return present === undefined ? [] : [...(this.history?.of(contextId) ?? []), present];
  }

  /** Whether there was something to delete. */
  remove(command: RemoveCommand): boolean | Rejection {
    const found = this.entries.get(command.contextId);
    return this.commit(command.contextId, found, rules.remove(found, command, this.time(found))) ?? found !== undefined;
  }

  /** `false` when another agent holds the lock, or is waiting for its turn to. */
  lock(command: LockCommand): boolean | Rejection {
    const { contextId, agentId, ttlMs } = command;
    const found = this.entries.get(contextId);
    if (this.isAwaited(contextId) && found?.lock?.owner !== agentId) return false;
    return this.#flag(contextId, found, rules.lock(found, command, this.time(found, ttlMs !== undefined)));
  }

  /** `false` when another agent holds the lock, or nobody does. */
  unlock(command: UnlockCommand): boolean | Rejection {
    const found = this.entries.get(command.contextId);
    const next = rules.unlock(found, command);
    return next === found ? false : this.#flag(command.contextId, found, next);
  }

  /** Takes the lock from whoever holds it; `false` when nobody does. */
  forceUnlock(contextId: string, reason: string): boolean | Rejection {
    const found = this.entries.get(contextId);
    const next = this.commit(contextId, found, rules.breakLock(found, { contextId }), reason);
    return next instanceof Rejection ? next : next !== found;
  }

  /** One rule for several contexts as one transaction with one revision: all of it, or a refusal and nothing. */
  runAll(contextIds: readonly string[], rule: (found: Entry | undefined, contextId: string) => Outcome): number {
    if (contextIds.length === 1) {
      const contextId = contextIds[0] as string;
      const found = this.entries.get(contextId);
      return (accepted(this.commit(contextId, found, rule(found, contextId))) as Entry).revision;
    }
    const found = contextIds.map((contextId) => this.entries.get(contextId));
    const next = contextIds.map((contextId, index) => rule(found[index], contextId));
    for (const outcome of next) accepted(outcome);
    const revision = ++this.head;
    for (const [index, contextId] of contextIds.entries()) this.#put(contextId, next[index] as Entry, revision);
    for (const [index] of contextIds.entries()) this.#moved(found[index], next[index] as Entry);
    return revision;
  }

  /** Commits what one rule leaves of one context, unless that is a refusal or what was there. */
  commit<Next extends Outcome>(contextId: string, found: Entry | undefined, next: Next, reason?: string): Next {
    if (next instanceof Rejection || next === found) return next;
    this.#put(contextId, next, ++this.head);
    if (this.#queues.size > 0 || this.#holders.size > 1) this.#moved(found, next, reason);
    return next;
  }

  clear(): void {
    if (this.entries.size === 0) return;
    const cleared = [...this.entries.values()];
    this.head += 1;
    this.entries.clear();
    this.history?.clear();
    for (const entry of cleared) this.#moved(entry, undefined, "the manager was cleared");
  }

  /** The agent that a context is held by; `null` when nobody holds it, or when its lock may be taken over. */
  holderOf = (contextId: string): string | null => {
    const lock = this.entries.get(contextId)?.lock ?? null;
    return lock === null || hasLapsed(lock, this.clock.leaseMs()) ? null : lock.owner;
  };

  /** Whether somebody waits for a context: then nobody else may take its lock out of turn. */
  isAwaited(contextId: string): boolean {
    return this.#queues.size > 0 && this.#queues.has(contextId);
  }

  cycle(waiter: Waiter): ErrorDetails["DEADLOCK"]["cycle"] | undefined {
    return this.#queues.cycle(waiter.agentId, waiter.contextIds, this.holderOf);
  }

  wait(waiter: Waiting): void {
    this.#queues.join(waiter, (contextId) => this.entries.get(contextId)?.lock?.owner ?? null);
    for (const contextId of waiter.contextIds) this.#watchLapse(contextId);
  }

  /** Takes a waiter out of its queues; those behind it may have their turn now. */
  leave(waiter: Waiter): void {
    this.#queues.leave(waiter);
    for (const contextId of waiter.contextIds) this.settle(contextId);
  }

  /** Why a waiter still waits: the first of its contexts that is held, or else in whose queue it is not first. */
  obstacle(waiter: Waiter): Omit<ErrorDetails["TIMEOUT"], "timeoutMs"> {
    const { contextIds } = waiter;
    const contextId =
      contextIds.find((id) => this.holderOf(id) !== null) ??
      contextIds.find((id) => this.#queues.first(id) !== waiter) ??
      contextIds[0] ??
      "";
    const lock = this.entries.get(contextId)?.lock ?? null;
    return {
      contextId,
      position: this.#queues.position(waiter, contextId),
      holder: lock === null ? null : holding(lock),
    };
  }

  /** Who is to hear when the lock with this token is gone. */
  hold(token: number, holder: Holder): void {
    this.#holders.set(token, holder);
  }

  /** The holder gives its lock up, or has heard. */
  unhold(token: number): void {
    this.#holders.delete(token);
  }

  /** Releases everything that an agent holds, and takes it out of its queues. */
  forget(agentId: string): void {
    this.#expel(this.#queues.waitersOf(agentId), new ContextError("CLOSED", { agentId }));
    for (const found of this.entries.values()) {
      const { contextId, lock } = found;
      if (lock?.owner !== agentId) continue;
      this.commit(contextId, found, rules.unlock(found, { contextId, agentId }), "its agent was closed");
    }
  }

  /** Gives a context to the first in its queue, if it is free and the waiter's turn has come everywhere. */
  settle(contextId: string): void {
    const entry = this.entries.get(contextId);
    if (entry === undefined) return;
    this.#queues.pass(contextId, entry.lock?.owner ?? null);
    const waiter = this.#queues.first(contextId) as Waiting | undefined;
    if (waiter !== undefined && this.#queues.isFirstEverywhere(waiter) && this.#allFree(waiter)) {
      this.#queues.leave(waiter);
      waiter.grant();
      // Its other queues move up too; their heads cannot be granted before the lock just taken is free again.
    }
    this.#watchLapse(contextId);
  }

  #put(contextId: string, next: Entry | undefined, revision: number): void {
    this.history?.record(this.entries.get(contextId), next);
    if (next === undefined) {
      this.entries.delete(contextId);
    } else {
      stamp(next, revision);
      this.entries.set(contextId, next);
    }
  }

  /** `lock` and `unlock` answer `false` where section 6.20 says so. */
  #flag(contextId: string, found: Entry | undefined, next: Entry | Rejection): boolean | Rejection {
    if (next instanceof Rejection) return next.code === "LOCKED" ? false : next;
    this.commit(contextId, found, next);
    return true;
  }

  /**
   * Whether something was committed behind the back of a rule. Copying the caller's data can run the caller's
   * code, a getter or a proxy, and that code can write here too; then the rule must run again (law 3).
   */
  #overtaken(head: number, contextId: string, found: Entry | undefined): boolean {
    return this.head !== head && this.entries.get(contextId) !== found;
  }

  /** Tells the waiters for a context, and the holder of its lock, what a commit means for them. */
  #moved(before: Entry | undefined, next: Entry | undefined, reason?: string): void {
    if (before === undefined) return;
    const { contextId, lock } = before;
    if (this.#queues.size > 0) {
      if (next !== undefined) this.settle(contextId);
      else this.#expel(this.#queues.waitersFor(contextId), new ContextError("NOT_FOUND", { contextId }));
    }
    if (lock === null || lock.token === next?.lock?.token) return;
    this.#holders.get(lock.token)?.lost({
      contextId,
      token: lock.token,
      owner: this.entries.get(contextId)?.lock?.owner ?? null,
      reason: reason ?? lossReason(lock, next, this.clock.leaseMs()),
    });
  }

  /** Out with all of them before anybody moves up, or one could be granted on the way out of another. */
  #expel(waiters: readonly Waiter[], error: ContextError): void {
    for (const waiter of waiters) this.#queues.leave(waiter);
    for (const waiter of waiters) (waiter as Waiting).fail(error);
    for (const { contextIds } of waiters) for (const contextId of contextIds) this.settle(contextId);
  }

  #allFree({ contextIds }: Waiter): boolean {
    return contextIds.every((contextId) => this.holderOf(contextId) === null);
  }

  /** A lock that lapses hands over to the first waiter without anybody calling anything. */
  #watchLapse(contextId: string): void {
    if (this.#lapses.size === 0 && this.#queues.size === 0) return;
    const lock = this.#queues.has(contextId) ? (this.entries.get(contextId)?.lock ?? null) : null;
    const lapse = this.#lapses.get(contextId);
    // One that has lapsed already is settled by the waiter that gets the last of its other contexts.
    if (lock === null || lock.deadlineMs === null || hasLapsed(lock, this.clock.leaseMs())) {
      if (lapse !== undefined) this.deadlines.remove(lapse);
      this.#lapses.delete(contextId);
    } else if (lapse === undefined) {
      const added = new Lapse(this, contextId, lock.deadlineMs);
      this.#lapses.set(contextId, added);
      this.deadlines.add(added);
    } else {
      lapse.atMs = lock.deadlineMs;
      this.deadlines.add(lapse);
    }
  }
}

/** The moment at which a lock that somebody waits for lapses. */
class Lapse implements Item {
  readonly #store: Store;
  readonly #contextId: string;
  readonly slackMs = 0;
  atMs: number;
  previous: Item | undefined = undefined;
  next: Item | undefined = undefined;

  constructor(store: Store, contextId: string, atMs: number) {
    this.#store = store;
    this.#contextId = contextId;
    this.atMs = atMs;
  }

  due(): void {
    this.#store.settle(this.#contextId);
  }
}

function lossReason(lock: Lock, next: Entry | undefined, leaseMs: number): string {
  if (next === undefined) return "the context was deleted";
  if (!hasLapsed(lock, leaseMs)) return "the lock was cleared";
  return next.lock === null ? "it had lapsed when another agent wrote" : "it lapsed and was taken over";
}
