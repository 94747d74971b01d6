/**
 * What becomes of locks: who waits for them, who is to hear that one is gone, and how a lock that is free, or
 * lapses, passes to whoever is first in line.
 */

import type { Agenda, Item } from "./agenda.ts";
import type { Clock } from "./clock.ts";
import { type Entry, hasLapsed, holderOf, holding, isAnother, type Lock } from "./entry.ts";
import { ContextError, type ErrorDetails } from "./errors.ts";
import { type Line, Queues, type Waiter } from "./queues.ts";
import { Roster } from "./roster.ts";

/** Whoever must hear that a lock with its token is gone. */
export interface Holder {
  lost(details: ErrorDetails["LEASE_LOST"]): void;
}

/** A waiter and what becomes of it: exactly one of the two is called, once. */
export interface Waiting extends Waiter {
  /** Its turn has come: takes the locks. */
  grant(leaseMs: number): void;
  fail(error: unknown): void;
}

/** What a commit has made of one context. */
export interface Move {
  readonly before: Entry | undefined;
  readonly next: Entry | undefined;
  /** Why the lock is gone, where somebody has said so. */
  readonly reason?: string | undefined;
}

export class Handovers {
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #clock: Clock;
  /** When waits time out and locks that somebody waits for lapse. */
  readonly #deadlines: Agenda;
  readonly #queues = new Queues();
  /** By token. Never empty: V8 shrinks a map that becomes empty, which costs more than a whole lease. */
  readonly #holders = new Map<number, Holder | undefined>([[0, undefined]]);
  /** For each context with a queue and a lock that can lapse: when it is to be handed over. */
  readonly #lapses = new Roster<Lapse>();
  /** What is to be settled later. */
  #unsettled: Set<string> | undefined;
  readonly #ownerOf = (contextId: string): string | null => this.#entries.get(contextId)?.lock?.owner ?? null;
  /** How many have ever waited, and how many leases have been lost. */
  waits = 0;
  losses = 0;

  constructor(entries: ReadonlyMap<string, Entry>, clock: Clock, deadlines: Agenda) {
    this.#entries = entries;
    this.#clock = clock;
    this.#deadlines = deadlines;
  }

  /** Whether a commit can mean anything to anybody. */
  get isBusy(): boolean {
    return this.#queues.size > 0 || this.#holders.size > 1;
  }

  /** Whether somebody waits for a context: then nobody else may take its lock out of turn. */
  isAwaited(contextId: string): boolean {
    return this.#queues.size > 0 && this.#queues.has(contextId);
  }

  /** A lapsed lock that nobody has taken counts as well: its owner may renew it, and would close the cycle by that. */
  cycle({ agentId, contextIds }: Waiter): ErrorDetails["DEADLOCK"]["cycle"] | undefined {
    return this.#queues.cycle(agentId, contextIds, this.#ownerOf);
  }

  wait(waiter: Waiting, leaseMs: number): void {
    this.waits += 1;
    this.#queues.join(waiter, this.#ownerOf);
    for (const contextId of waiter.contextIds) this.#watchLapse(contextId, leaseMs);
  }

  /** Takes a waiter out of its queues; those behind it may have their turn now. */
  leave(waiter: Waiter): void {
    this.#queues.leave(waiter);
    for (const contextId of waiter.contextIds) this.settle(contextId);
  }

  /** Why a waiter still waits: the first of its contexts that is held, or else in whose queue it is not first. */
  obstacle(waiter: Waiter): Omit<ErrorDetails["TIMEOUT"], "timeoutMs"> {
    const { contextIds } = waiter;
    const leaseMs = this.#clock.leaseMs();
    const contextId =
      contextIds.find((id) => this.#holderOf(id, leaseMs) !== null) ??
      contextIds.find((id) => this.#queues.first(id) !== waiter) ??
      contextIds[0] ??
      "";
    const lock = this.#entries.get(contextId)?.lock ?? null;
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

  /** Runs something during which no waiter may be granted: they are looked after at its end. */
  whileNobodyMoves<Result>(run: () => Result): Result {
    const unsettled = new Set<string>();
    this.#unsettled = unsettled;
    try {
      return run();
    } finally {
      this.#unsettled = undefined;
      for (const contextId of unsettled) this.settle(contextId);
    }
  }

  /** Takes all the waiters of an agent out of their queues, or all waiters. */
  dismiss(agentId: string | undefined, error: ContextError): void {
    this.#expel(this.#queues.waitersOf(agentId), error);
  }

  /** Who waits for each context that is waited for. */
  get queues(): Line[] {
    return this.#queues.lines;
  }

  /** Gives a context to the first in its queue, if it is free and the waiter's turn has come everywhere. */
  settle(contextId: string): void {
    if (this.#unsettled !== undefined) {
      this.#unsettled.add(contextId);
      return;
    }
    const entry = this.#entries.get(contextId);
    if (entry === undefined || !this.#queues.has(contextId)) {
      this.#forgetLapse(contextId);
      return;
    }
    this.#queues.pass(contextId, entry.lock?.owner ?? null);
    const leaseMs = this.#clock.leaseMs();
    const waiter = this.#queues.first(contextId) as Waiting | undefined;
    if (waiter === undefined || !this.#queues.isFirstEverywhere(waiter) || !this.#areFree(waiter, leaseMs)) {
      this.#watchLapse(contextId, leaseMs);
      return;
    }
    for (const id of waiter.contextIds) this.#queues.pass(id, waiter.agentId);
    this.#queues.leave(waiter);
    waiter.grant(leaseMs); // which settles all that it takes, for those who go on waiting
    if (!this.#queues.has(contextId)) this.#forgetLapse(contextId);
  }

  /** Tells the waiters for contexts, and the holders of their locks, what a commit means for them. */
  moved(moves: readonly Move[]): void {
    // First all waiters: what holders do when they hear of it, comes after it.
    for (const { before, next } of moves) if (before !== undefined) this.#moveUp(before, next);
    for (const { before, next, reason } of moves) if (before !== undefined) this.#tellHolder(before, next, reason);
  }

  #moveUp(before: Entry, next: Entry | undefined): void {
    if (this.#queues.size === 0) return;
    const { contextId } = before;
    if (next !== undefined && !isAnother(before, next)) this.settle(contextId);
    else this.#expel(this.#queues.waitersFor(contextId), new ContextError("NOT_FOUND", { contextId }));
  }

  #tellHolder(before: Entry, next: Entry | undefined, reason: string | undefined): void {
    const { contextId, lock } = before;
    if (lock === null || lock.token === next?.lock?.token) return;
    this.#holders.get(lock.token)?.lost({
      contextId,
      token: lock.token,
      owner: this.#entries.get(contextId)?.lock?.owner ?? null,
      reason: reason ?? lossReason(before, lock, next, this.#clock.leaseMs()),
    });
  }

  /** Out with all of them before anybody moves up, or one could be granted on the way out of another. */
  #expel(waiters: readonly Waiter[], error: ContextError): void {
    for (const waiter of waiters) this.#queues.leave(waiter);
    for (const waiter of waiters) (waiter as Waiting).fail(error);
    for (const { contextIds } of waiters) for (const contextId of contextIds) this.settle(contextId);
  }

  #holderOf(contextId: string, leaseMs: number): string | null {
    return holderOf(this.#entries.get(contextId), leaseMs);
  }

  #areFree({ contextIds }: Waiter, leaseMs: number): boolean {
    for (const contextId of contextIds) if (this.#holderOf(contextId, leaseMs) !== null) return false;
    return true;
  }

  /** A lock that lapses hands over to the first waiter without anybody calling anything. */
  #watchLapse(contextId: string, leaseMs: number): void {
    const lock = this.#queues.has(contextId) ? (this.#entries.get(contextId)?.lock ?? null) : null;
    // One that has lapsed already is settled by the waiter that gets the last of its other contexts.
    if (lock === null || lock.deadlineMs === null || hasLapsed(lock, leaseMs)) {
      this.#forgetLapse(contextId);
      return;
    }
    const known = this.#lapses.get(contextId);
    const lapse = known ?? new Lapse(this, contextId, lock.deadlineMs);
    if (known === undefined) this.#lapses.set(contextId, lapse);
    lapse.atMs = lock.deadlineMs;
    this.#deadlines.add(lapse);
  }

  #forgetLapse(contextId: string): void {
    if (this.#lapses.size === 0) return;
    const lapse = this.#lapses.get(contextId);
    if (lapse === undefined) return;
    this.#deadlines.remove(lapse);
    this.#lapses.delete(contextId);
  }
}

/** The moment at which a lock that somebody waits for lapses. */
class Lapse implements Item {
  readonly #handovers: Handovers;
  readonly #contextId: string;
  readonly slackMs = 0;
  atMs: number;
  previous: Item | undefined = undefined;
  next: Item | undefined = undefined;

  constructor(handovers: Handovers, contextId: string, atMs: number) {
    this.#handovers = handovers;
    this.#contextId = contextId;
    this.atMs = atMs;
  }

  due(): void {
    this.#handovers.settle(this.#contextId);
  }
}

function lossReason(before: Entry, lock: Lock, next: Entry | undefined, leaseMs: number): string {
  if (next === undefined || isAnother(before, next)) return "the context was deleted";
  if (!hasLapsed(lock, leaseMs)) return "the lock was cleared";
  return next.lock === null ? "it had lapsed when another agent wrote" : "it lapsed and was taken over";
}
