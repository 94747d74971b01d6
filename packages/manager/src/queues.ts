/**
 * The queue rules: who waits for which context, in which order, and who waits for whom. Pure in the sense of
 * law 2: no clock, no timer, no promise, and no knowledge of locks beyond the holder that each call names.
 *
 * A queue is strictly first in, first out. Whoever waits for several contexts stands in all their queues
 * from the same moment, and has its turn when it is first in every one.
 */

import { Roster } from "./roster.ts";

/** One agent that waits for one or several contexts at once. */
export interface Waiter {
  readonly agentId: string;
  readonly contextIds: readonly string[];
  /** Its places in the queues; only `Queues` writes these. */
  tickets?: readonly Ticket[] | undefined;
}

/** An agent, and the context that it waits for. */
export interface Wait {
  readonly agentId: string;
  readonly contextId: string;
}

/** Who waits for a context, the first in line first. */
export interface Line {
  readonly contextId: string;
  readonly waiting: number;
  readonly agentIds: readonly string[];
}

/** Who holds a context, or `null`. */
export type HolderOf = (contextId: string) => string | null;

interface Ticket {
  readonly waiter: Waiter;
  readonly queue: Queue;
  ahead: Ticket | null;
  behind: Ticket | null;
  readonly standing: Standing;
  /** The other tickets of the same agent. */
  older: Ticket | null;
  newer: Ticket | null;
}

interface Queue {
  readonly contextId: string;
  first: Ticket | null;
  last: Ticket | null;
  holder: Standing | null;
}

/** An agent that waits, or that somebody waits for. */
interface Standing {
  readonly agentId: string;
  oldest: Ticket | null;
  newest: Ticket | null;
  /** In how many queues somebody waits for it as the holder. */
  holds: number;
}

export class Queues {
  /** Only contexts that somebody waits for have a queue. */
  readonly #queues = new Roster<Queue>();
  /** Only agents that wait or are waited for. */
  readonly #standings = new Roster<Standing>();
  /** The number of waiters. */
  size = 0;

  has(contextId: string): boolean {
    return this.#queues.get(contextId) !== undefined;
  }

  first(contextId: string): Waiter | undefined {
    return this.#queues.get(contextId)?.first?.waiter;
  }

  isFirstEverywhere({ tickets = [] }: Waiter): boolean {
    for (const { ahead } of tickets) if (ahead !== null) return false;
    return true;
  }

  /** The place of a waiter in the queue of a context, from 1. */
  position(waiter: Waiter, contextId: string): number {
    let position = 0;
    let ticket = waiter.tickets?.find(({ queue }) => queue.contextId === contextId) ?? null;
    for (; ticket !== null; ticket = ticket.ahead) position += 1;
    return position;
  }

  waitersFor(contextId: string): Waiter[] {
    const waiters: Waiter[] = [];
    for (let ticket = this.#queues.get(contextId)?.first ?? null; ticket !== null; ticket = ticket.behind) {
      waiters.push(ticket.waiter);
    }
    return waiters;
  }

  /** Those of an agent, the first to come first, or of all. */
  waitersOf(agentId: string | undefined): Waiter[] {
    const standings = agentId === undefined ? this.#standings.values() : [this.#standings.get(agentId)];
    const waiters = new Set<Waiter>();
    for (const standing of standings) {
      for (let ticket = standing?.oldest ?? null; ticket !== null; ticket = ticket.newer) waiters.add(ticket.waiter);
    }
    return [...waiters];
  }

  get lines(): Line[] {
    return Array.from(this.#queues, ([contextId]) => {
      const agentIds = this.waitersFor(contextId).map(({ agentId }) => agentId);
      return { contextId, waiting: agentIds.length, agentIds };
    });
  }

  join(waiter: Waiter, holderOf: HolderOf): void {
    const standing = this.#standingOf(waiter.agentId);
    waiter.tickets = waiter.contextIds.map((contextId) => {
      const queue = this.#queues.get(contextId) ?? this.#open(contextId, holderOf(contextId));
      const { last: ahead } = queue;
      const { newest: older } = standing;
      const ticket: Ticket = { waiter, queue, ahead, behind: null, standing, older, newer: null };
      if (ahead === null) queue.first = ticket;
      else ahead.behind = ticket;
      queue.last = ticket;
      if (older === null) standing.oldest = ticket;
      else older.newer = ticket;
      standing.newest = ticket;
      return ticket;
    });
    this.size += 1;
  }

  /** Takes a waiter out, wherever it stands: the order of the others stays. */
  leave(waiter: Waiter): void {
    const { tickets } = waiter;
    if (tickets === undefined) return;
    waiter.tickets = undefined;
    this.size -= 1;
    for (const { queue, ahead, behind, standing, older, newer } of tickets) {
      if (ahead === null) queue.first = behind;
      else ahead.behind = behind;
      if (behind === null) queue.last = ahead;
      else behind.ahead = ahead;
      if (older === null) standing.oldest = newer;
      else older.newer = newer;
      if (newer === null) standing.newest = older;
      else newer.older = older;
      if (queue.first === null) this.#close(queue);
      this.#forgetIdle(standing);
    }
  }

  /** The lock of a context has passed to another holder, or to nobody. */
  pass(contextId: string, holder: string | null): void {
    const queue = this.#queues.get(contextId);
    if (queue !== undefined && queue.holder?.agentId !== holder) this.#setHolder(queue, holder);
  }

  /**
   * The cycle of waits that would close if this agent waited for these contexts: it waits for the holder and
   * for everybody who stands in the queue already, each of them for the holder and for those ahead (the
   * wait-for graph of Coffman, Elphick and Shoshani, "System deadlocks", 1971).
   */
  cycle(agentId: string, contextIds: readonly string[], holderOf: HolderOf): Wait[] | undefined {
    const own = contextIds.find((contextId) => holderOf(contextId) === agentId);
    if (own !== undefined) return [{ agentId, contextId: own }];
    // Nobody waits for an agent that holds nothing wanted and waits nowhere: the common case costs nothing.
    if (this.#standings.get(agentId) === undefined) return undefined;

    const reachedBy = new Map<string, Wait>();
    const pending: string[] = [];
    const reach = (target: string | null, by: Wait): void => {
      if (target === null || reachedBy.has(target)) return;
      reachedBy.set(target, by);
      pending.push(target);
    };
    for (const contextId of contextIds) {
      const last = this.#queues.get(contextId)?.last;
      reach(last?.waiter.agentId ?? holderOf(contextId), { agentId, contextId });
    }
    for (let agent = pending.pop(); agent !== undefined; agent = pending.pop()) {
      if (agent === agentId) return shortened(trail(agentId, reachedBy));
      for (let ticket = this.#standings.get(agent)?.oldest ?? null; ticket !== null; ticket = ticket.newer) {
        const { contextId } = ticket.queue;
        reach(ticket.ahead?.waiter.agentId ?? holderOf(contextId), { agentId: agent, contextId });
      }
    }
    return undefined;
  }

  #open(contextId: string, holder: string | null): Queue {
    const queue: Queue = { contextId, first: null, last: null, holder: null };
    this.#queues.set(contextId, queue);
    this.#setHolder(queue, holder);
    return queue;
  }

  #close(queue: Queue): void {
    this.#queues.delete(queue.contextId);
    this.#setHolder(queue, null);
  }

  #setHolder(queue: Queue, agentId: string | null): void {
    const { holder } = queue;
    queue.holder = agentId === null ? null : this.#standingOf(agentId);
    if (queue.holder !== null) queue.holder.holds += 1;
    if (holder === null) return;
    holder.holds -= 1;
    this.#forgetIdle(holder);
  }

  #standingOf(agentId: string): Standing {
    const known = this.#standings.get(agentId);
    if (known !== undefined) return known;
    const standing: Standing = { agentId, oldest: null, newest: null, holds: 0 };
    this.#standings.set(agentId, standing);
    return standing;
  }

  #forgetIdle({ agentId, oldest, holds }: Standing): void {
    if (oldest === null && holds === 0) this.#standings.delete(agentId);
  }
}

/** The waits that lead from an agent back to itself, in order. */
function trail(agentId: string, reachedBy: ReadonlyMap<string, Wait>): Wait[] {
  const waits: Wait[] = [];
  for (let at = agentId; ;) {
    const wait = reachedBy.get(at);
    if (wait === undefined) return waits;
    waits.unshift(wait);
    at = wait.agentId;
    if (at === agentId) return waits;
  }
}

/** Whoever waits behind others in one queue waits for its holder just as well: the others are no part of the cycle. */
function shortened(waits: readonly Wait[]): Wait[] {
  return waits.filter(({ contextId }, index) => index === 0 || contextId !== waits[index - 1]?.contextId);
}
