/**
 * Who waits for locks in this process, first in, first out. Between processes whoever commits first gets a freed lock;
 * those of one process do not compete with one another.
 */

import type { HolderOf, Line, Waiter } from "../queues.ts";
import { Queues, type Wait } from "../queues.ts";
import { Roster } from "../roster.ts";

export interface Patient extends Waiter {
  /** It is first in line everywhere, and may try. */
  admit(): void;
  fail(reason: unknown): void;
}

/** A call that may come to a lock. */
interface Call {
  readonly over: Promise<unknown>;
  /** Ends it before that, where that is possible. */
  readonly fail: ((reason: unknown) => void) | undefined;
}

export class Turnstile {
  readonly #queues = new Queues();
  /** What each agent has under way that may come to a lock. */
  readonly #calls = new Roster<Set<Call>>();
  /** Who holds what, as far as this process knows. */
  readonly #holders = new Roster<string>();

  readonly holderOf: HolderOf = (contextId) => this.#holders.get(contextId) ?? null;

  get lines(): Line[] {
    return this.#queues.lines;
  }

  isAwaited(contextId: string): boolean {
    return this.#queues.has(contextId);
  }

  isFirst(patient: Patient): boolean {
    return this.#queues.isFirstEverywhere(patient);
  }

  position(patient: Patient, contextId: string): number {
    return this.#queues.position(patient, contextId);
  }

  /** Takes note of who has a lock; whoever waits for it is told to wait for that agent. */
  holds(contextId: string, agentId: string | null): void {
    if (agentId === null) this.#holders.delete(contextId);
    else this.#holders.set(contextId, agentId);
    this.#queues.pass(contextId, agentId);
  }

  cycle(patient: Patient): Wait[] | undefined {
    return this.#queues.cycle(patient.agentId, patient.contextIds, this.holderOf);
  }

  join(patient: Patient): void {
    this.#queues.join(patient, this.holderOf);
  }

  /** Out of its queues; those behind it may be first now. */
  leave(patient: Patient): void {
    this.#queues.leave(patient);
    for (const contextId of patient.contextIds) {
      const first = this.#queues.first(contextId) as Patient | undefined;
      if (first !== undefined && this.#queues.isFirstEverywhere(first)) first.admit();
    }
  }

  /** All who wait. */
  get waiters(): Patient[] {
    return this.#queues.waitersOf(undefined) as Patient[];
  }

  /** Takes note of a call that may come to a lock, until it is over. */
  async noting<Result>(agentId: string, over: Promise<Result>, fail?: Call["fail"]): Promise<Result> {
    const call = { over, fail };
    const calls = this.#calls.get(agentId) ?? new Set();
    this.#calls.set(agentId, calls.add(call));
    try {
      return await over;
    } finally {
      calls.delete(call);
      if (calls.size === 0) this.#calls.delete(agentId);
    }
  }

  /** Ends what an agent has under way, and waits for it: after that none of it can come to a lock. */
  async dismiss(agentId: string, reason: unknown): Promise<void> {
    const calls = [...(this.#calls.get(agentId) ?? [])];
    for (const { fail } of calls) fail?.(reason);
    await Promise.allSettled(calls.map(({ over }) => over));
  }
}
