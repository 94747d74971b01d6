import type { Item } from "./agenda.ts";
import type { Author } from "./entry.ts";
import { ContextError, type ErrorDetails } from "./errors.ts";
import * as rules from "./rules.ts";
import type { Holder } from "./handovers.ts";
import type { Store } from "./store.ts";

/** How long a lock is held. */
export interface Term {
  readonly ttlMs: number;
  readonly maxHoldMs: number;
}

/** The inside of a lease: the locks it holds, how it is renewed, and what becomes of it. */
export class Hold implements Holder, Item {
  readonly store: Store;
  readonly agentId: string;
  readonly contextIds: readonly string[];
  readonly token: number;
  readonly author: Author;
  readonly slackMs: number;
  previous: Item | undefined = undefined;
  next: Item | undefined = undefined;
  /** When it renews itself next. */
  atMs: number = Infinity;
  readonly #ttlMs: number;
  /** Lease time until which it renews itself. */
  readonly #renewUntilMs: number;
  /** What is still held: a context that the lease itself deletes leaves this list. */
  #held: readonly string[];
  /** What the lease has itself deleted. What is there under these ids later, is not what it held. */
  #deleted: readonly string[] = [];
  /** Lease time at which it lapses if nobody renews it. */
  #deadlineMs: number;
  #controller: AbortController | undefined;
  #lost: ErrorDetails["LEASE_LOST"] | undefined;
  #told = false;

  /** Takes the locks. The caller knows that they are free at this lease time. */
  constructor(
    store: Store,
    agentId: string,
    contextIds: readonly string[],
    { ttlMs, maxHoldMs }: Term,
    leaseMs: number,
  ) {
    const time = { wallMs: store.clock.wallMs(), leaseMs };
    this.store = store;
    this.agentId = agentId;
    this.contextIds = contextIds;
    this.token = store.runAll(contextIds, (found, contextId) =>
      rules.grant(found, { contextId, agentId, ttlMs }, time),
    );
    store.checkOpen(); // whoever was told of the grant may have closed the manager
    this.author = { agentId, token: this.token };
    this.slackMs = ttlMs / 12;
    this.#ttlMs = ttlMs;
    this.#held = contextIds;
    this.#renewUntilMs = leaseMs + maxHoldMs;
    this.#deadlineMs = leaseMs + ttlMs;
    store.handovers.hold(this.token, this);
    this.#renewFrom(leaseMs);
    if (store.head !== this.token) this.#checkStillHeld();
  }

  /** Whether a context is one that the lease was granted, or another by now. */
  covers(contextId: string): boolean {
    return this.contextIds.includes(contextId) && !this.#deleted.includes(contextId);
  }

  get expiresAt(): Date | null {
    for (const contextId of this.#held) {
      const lock = this.store.entries.get(contextId)?.lock;
      if (lock?.token === this.token && lock.expiresAtMs !== null) return new Date(lock.expiresAtMs);
    }
    return null;
  }

  /** Made when it is first asked for: an AbortController costs more than the lock. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#lost !== undefined) this.#abort(this.#lost);
    }
    return this.#controller.signal;
  }

  /** Whether the holder has heard of the loss, by a call or by the signal. */
  get toldOfLoss(): boolean {
    return this.#lost !== undefined && this.#told;
  }

  /** Once lost, every call says so, with the reason known at the time; until then the rules decide. */
  check(): void {
    this.store.checkOpen();
    if (this.#lost === undefined) return;
    this.#told = true;
    throw this.store.refusal(new ContextError("LEASE_LOST", this.#lost));
  }

  renew(): void {
    this.check();
    if (this.#held.length === 0) throw this.#over();
    this.#renewBy(this.#ttlMs);
  }

  release(): void {
    this.check();
    this.store.checkAlone();
    const contextIds = this.#end();
    if (contextIds.length > 0) this.#giveUp(contextIds);
  }

  /** Runs a deletion of a context in the name of the lease: its own doing is no loss. */
  parting<Result>(contextId: string, remove: () => Result): Result {
    this.check();
    const held = this.#held;
    this.#held = held.filter((id) => id !== contextId);
    try {
      const result = remove();
      this.#deleted = [...this.#deleted, contextId];
      return result;
    } catch (error) {
      this.#held = held;
      throw error;
    } finally {
      if (this.#held.length === 0) this.#end();
    }
  }

  /** Some of what is held is about to be deleted in the name of the lease, for certain. */
  letGo(contextIds: readonly string[]): void {
    this.#held = this.#held.filter((contextId) => !contextIds.includes(contextId));
    this.#deleted = [...this.#deleted, ...contextIds];
    if (this.#held.length === 0) this.#end();
  }

  /** All or none: what is left of a lease over several contexts guards nothing, and is given up. */
  lost(details: ErrorDetails["LEASE_LOST"]): void {
    if (this.#lost !== undefined || !this.#held.includes(details.contextId)) return;
    this.#lost = details;
    this.store.handovers.losses += 1;
    // The commit that took one may have taken others.
    const rest = this.#end().filter((contextId) => this.store.entries.get(contextId)?.lock?.token === this.token);
    if (rest.length > 0) this.#giveUp(rest);
    if (this.#controller !== undefined) this.#abort(details);
  }

  /** Extends what is held up to `maxHoldMs`, and never shortens it: a renewal by hand may have gone further. */
  due(): void {
    const nowMs = this.store.clock.leaseMs();
    const ttlMs = Math.min(this.#ttlMs, this.#renewUntilMs - nowMs);
    if (nowMs + ttlMs > this.#deadlineMs) this.#renewBy(ttlMs);
    else this.#renewFrom(nowMs);
  }

  /** The grant may have told another holder of its loss, and what that holder did then came before this one could hear. */
  #checkStillHeld(): void {
    const { token } = this;
    for (const contextId of this.contextIds) {
      const lock = this.store.entries.get(contextId)?.lock ?? null;
      if (lock?.token === token) continue;
      this.lost({ contextId, token, owner: lock?.owner ?? null, reason: "the lock was cleared" });
      return;
    }
  }

  #renewBy(ttlMs: number): void {
    const time = this.store.time(undefined, true);
    const { agentId, token } = this;
    this.store.runAll(this.#held, (found, contextId) => rules.renew(found, { contextId, agentId, token, ttlMs }, time));
    this.#deadlineMs = time.leaseMs + ttlMs;
    this.#renewFrom(time.leaseMs);
  }

  /** At a third of the time to live, until the lease may be held no longer. */
  #renewFrom(leaseMs: number): void {
    this.atMs = leaseMs + this.#ttlMs / 3;
    if (this.atMs < this.#renewUntilMs) this.store.renewals.add(this);
    else this.store.renewals.remove(this);
  }

  #giveUp(contextIds: readonly string[]): void {
    const { agentId, token } = this;
    this.store.runAll(contextIds, (found, contextId) => rules.release(found, { contextId, agentId, token }));
  }

  /** Stops renewing and listening; what was held until now. */
  #end(): readonly string[] {
    const contextIds = this.#held;
    this.#held = [];
    this.store.handovers.unhold(this.token);
    this.store.renewals.remove(this);
    return contextIds;
  }

  #over(): ContextError<"LEASE_LOST"> {
    const contextId = this.contextIds[0] ?? "";
    const owner = this.store.entries.get(contextId)?.lock?.owner ?? null;
    const reason = this.#deleted.length > 0 ? "it has deleted what it held" : "it was released";
    return new ContextError("LEASE_LOST", { contextId, token: this.token, owner, reason });
  }

  #abort(details: ErrorDetails["LEASE_LOST"]): void {
    this.#told = true;
    this.#controller?.abort(new ContextError("LEASE_LOST", details));
  }
}
