/**
 * The queue rules: who waits for which context, in which order, and who waits for whom. Pure in the sense of
 * law 2: no clock, no timer, no promise, and no knowledge of locks beyond the holder that each call names.
 *
 * A queue is strictly first in, first out. Whoever waits for several contexts stands in all their queues
 * from the same moment, and has its turn when it is first in every one.
 */

/** One agent that waits for one or several contexts at once. */
export interface Waiter {
  readonly agentId: string;
  readonly contextIds: readonly string[];
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

/** Who holds a context, or `null`: a lock that may be taken over counts as held by nobody. */
export type HolderOf = (contextId: string) => string | null;

interface Ticket {
  readonly waiter: Waiter;
  readonly queue: Queue;
  ahead: Ticket | null;
  behind: Ticket | null;
}

interface Queue {
  readonly contextId: string;
  first: Ticket | null;
  last: Ticket | null;
  holder: string | null;
}

export class Queues {
  /** Only contexts that somebody waits for have a queue. */
  readonly #queues = new Map<string, Queue>();
  readonly #tickets = new Map<Waiter, readonly Ticket[]>();
  readonly #waitersOf = new Map<string, Set<Waiter>>();
  /** In how many queues somebody waits for this agent as the holder. */
  readonly #holds = new Map<string, number>();

  /** The number of waiters. */
  get size(): number {
    return this.#tickets.size;
  }

  has(contextId: string): boolean {
    return this.#queues.has(contextId);
  }

  first(contextId: string): Waiter | undefined {
    return this.#queues.get(contextId)?.first?.waiter;
  }

  isFirstEverywhere(waiter: Waiter): boolean {
    return this.#ticketsOf(waiter).every(({ ahead }) => ahead === null);
  }

  /** The place of a waiter in the queue of a context, from 1. */
  position(waiter: Waiter, contextId: string): number {
    let position = 0;
    let ticket = this.#ticketsOf(waiter).find(({ queue }) => queue.contextId === contextId) ?? null;
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

  /** Those of an agent, or of all. */
  waitersOf(agentId: string | undefined): Waiter[] {
    return [...(agentId === undefined ? this.#tickets.keys() : (this.#waitersOf.get(agentId) ?? []))];
  }

  get lines(): Line[] {
    return Array.from(this.#queues.keys(), (contextId) => {
      const agentIds = this.waitersFor(contextId).map(({ agentId }) => agentId);
      return { contextId, waiting: agentIds.length, agentIds };
    });
  }

  join(waiter: Waiter, holderOf: HolderOf): void {
    const tickets = waiter.contextIds.map((contextId): Ticket => {
      const queue = this.#queues.get(contextId) ?? this.#open(contextId, holderOf(contextId));
      const ticket: Ticket = { waiter, queue, ahead: queue.last, behind: null };
      if (queue.last === null) queue.first = ticket;
      else queue.last.behind = ticket;
      queue.last = ticket;
      return ticket;
    });
    this.#tickets.set(waiter, tickets);
    const waiters = this.#waitersOf.get(waiter.agentId);
    if (waiters === undefined) this.#waitersOf.set(waiter.agentId, new Set([waiter]));
    else waiters.add(waiter);
  }

  /** Takes a waiter out, wherever it stands: the order of the others stays. */
  leave(waiter: Waiter): void {
    for (const { queue, ahead, behind } of this.#ticketsOf(waiter)) {
      if (ahead === null) queue.first = behind;
      else ahead.behind = behind;
      if (behind === null) queue.last = ahead;
      else behind.ahead = ahead;
      if (queue.first === null) this.#close(queue);
    }
    this.#tickets.delete(waiter);
    const waiters = this.#waitersOf.get(waiter.agentId);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#waitersOf.delete(waiter.agentId);
  }

  /** The lock of a context has passed to another holder, or to nobody. */
  pass(contextId: string, holder: string | null): void {
    const queue = this.#queues.get(contextId);
    if (queue === undefined) return;
    this.#count(queue.holder, -1);
    queue.holder = holder;
    this.#count(holder, 1);
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
    if (!this.#holds.has(agentId) && !this.#waitersOf.has(agentId)) return undefined;

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
      for (const waiter of this.#waitersOf.get(agent) ?? []) {
        for (const { ahead, queue } of this.#ticketsOf(waiter)) {
          const { contextId } = queue;
          reach(ahead?.waiter.agentId ?? holderOf(contextId), { agentId: agent, contextId });
        }
      }
    }
    return undefined;
  }

  #ticketsOf(waiter: Waiter): readonly Ticket[] {
    return this.#tickets.get(waiter) ?? [];
  }

  #open(contextId: string, holder: string | null): Queue {
    const queue: Queue = { contextId, first: null, last: null, holder };
    this.#queues.set(contextId, queue);
    this.#count(holder, 1);
    return queue;
  }

  #close(queue: Queue): void {
    this.#queues.delete(queue.contextId);
    this.#count(queue.holder, -1);
  }

  #count(agentId: string | null, change: number): void {
    if (agentId === null) return;
    const holds = (this.#holds.get(agentId) ?? 0) + change;
    if (holds === 0) this.#holds.delete(agentId);
    else this.#holds.set(agentId, holds);
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
