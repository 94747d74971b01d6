/** The inside of a lease over a storage: what it holds, how it renews itself, and how it is lost. */

import { type Author, LAST_DATE_MS } from "../entry.ts";
import { ContextError, isContextError } from "../errors.ts";
import type { Plan } from "../plan.ts";
import { DELETED, type Loss, lossLogged, lossSeen, lossTold } from "./losses.ts";
import type { Holder, SharedStore } from "./shared-store.ts";
import type { Acting } from "./transaction.ts";

export interface Term {
  readonly agentId: string;
  readonly contextIds: readonly string[];
  readonly ttlMs: number;
  readonly maxHoldMs: number;
}

export class AsyncHold implements Acting {
  readonly author: Holder;
  readonly #store: SharedStore;
  readonly #granted: readonly string[];
  readonly #ttlMs: number;
  readonly #renewUntilMs: number;
  #held: readonly string[];
  /** What the lease itself has deleted: that is not lost, and whoever creates it again does so without the lease. */
  readonly #deleted = new Set<string>();
  /** What it is deleting: that may be told before it is answered. */
  readonly #leaving = new Map<Promise<boolean>, readonly string[]>();
  #expiresAtMs: number;
  /** Lease time, as this process has it, until which it is held if nobody renews it. */
  #deadlineMs: number;
  #lost: Loss | undefined;
  #toldOfLoss = false;
  #controller: AbortController | undefined;
  #stopListening: (() => void) | undefined;
  #cancelRenewal: (() => void) | undefined;

  constructor(store: SharedStore, { agentId, contextIds, ttlMs, maxHoldMs }: Term, token: number) {
    this.author = { agentId, token };
    this.#store = store;
    this.#granted = contextIds;
    this.#ttlMs = ttlMs;
    this.#held = contextIds;
    this.#renewUntilMs = store.clock.leaseMs() + maxHoldMs;
    this.#expiresAtMs = store.clock.wallMs() + ttlMs;
    this.#deadlineMs = store.clock.leaseMs() + ttlMs;
    for (const contextId of contextIds) store.turnstile.holds(contextId, agentId);
    this.#scheduleRenewal();
  }

  /** `null` for never, or when nothing is held. */
  get expiresAtMs(): number | null {
    return this.#held.length === 0 || this.#expiresAtMs > LAST_DATE_MS ? null : this.#expiresAtMs;
  }

  /** Aborts with LEASE_LOST as soon as it is known here that the lease is lost. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#lost === undefined) this.#listen();
      else this.#abort(this.#lost);
    }
    return this.#controller.signal;
  }

  /** Whether nobody needs to be told of a loss any more. */
  get isOver(): boolean {
    return this.#toldOfLoss || this.#store.closed;
  }

  /** @throws ContextError LEASE_LOST, CLOSED. */
  check(): void {
    this.#store.checkOpen();
    if (this.#lost === undefined) return;
    this.#toldOfLoss = true;
    throw this.#store.refusal(new ContextError("LEASE_LOST", this.#lost));
  }

  /** What the store refuses with LEASE_LOST is a loss for good. */
  async guarded<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      if (this.#hear(error)) this.#toldOfLoss = true;
      throw error;
    }
  }

  /** Deletes a context by what `remove` does. */
  async remove(contextId: string, remove: () => Promise<boolean>): Promise<boolean> {
    const wasHeld = this.#held.includes(contextId);
    const existed = await this.guarded(this.parting([contextId], remove));
    if (wasHeld && !existed) await this.#tell(this.#over(contextId, DELETED));
    return existed;
  }

  /** Deletes contexts in the name of the lease by what `remove` does, if that comes to `true`: its own doing is no loss. */
  async parting(contextIds: readonly string[], remove: () => Promise<boolean>): Promise<boolean> {
    const own = contextIds.filter((contextId) => this.#held.includes(contextId));
    if (own.length === 0) return remove();
    const removed = remove();
    this.#leaving.set(removed, own);
    let hasLeft = false;
    try {
      hasLeft = await removed;
      if (hasLeft) this.#letGo(own);
    } finally {
      this.#leaving.delete(removed);
      // What was told meanwhile has been taken for its own doing.
      if (!hasLeft && this.#stopListening !== undefined) void this.#look();
    }
    return hasLeft;
  }

  /** What the lease holds no more because it has deleted it, is written by its agent, as what it has never held. */
  authorOf(contextId: string, plan: Plan): Author {
    const isOwn = this.#granted.includes(contextId) && !this.#deleted.has(contextId);
    return isOwn && !plan.gone.includes(contextId) ? this.author : { ...this.author, token: null };
  }

  async renew(): Promise<void> {
    this.check();
    if (this.#leaving.size > 0) await this.#departures();
    if (this.#held.length === 0) {
      const reason = this.#deleted.size > 0 ? "it has deleted what it held" : "it was released";
      throw new ContextError("LEASE_LOST", this.#over(this.#granted[0] ?? "", reason));
    }
    try {
      await this.guarded(this.#renewBy(this.#ttlMs));
    } catch (error) {
      await this.#tell(this.#lossIn(error));
      throw error;
    }
    this.#scheduleRenewal();
  }

  async release(): Promise<void> {
    this.check();
    if (this.#leaving.size > 0) await this.#departures();
    const contextIds = this.#end();
    if (contextIds.length === 0) return;
    try {
      await this.#giveUp(contextIds);
    } catch (error) {
      if (isContextError(error, "UNAVAILABLE")) this.#held = contextIds; // another call tries again
      await this.#tell(this.#lossIn(error), contextIds);
      throw error;
    }
  }

  /** What is being deleted has gone, or stays. */
  async #departures(): Promise<void> {
    await Promise.allSettled(this.#leaving.keys());
    this.check();
  }

  #letGo(contextIds: readonly string[]): void {
    this.#free(contextIds);
    for (const contextId of contextIds) this.#deleted.add(contextId);
    this.#held = this.#held.filter((contextId) => !contextIds.includes(contextId));
    if (this.#held.length === 0) this.#end();
  }

  #isLeaving(contextId: string): boolean {
    return [...this.#leaving.values()].some((contextIds) => contextIds.includes(contextId));
  }

  #giveUp(contextIds: readonly string[]): Promise<unknown> {
    return this.#store.release(contextIds, this.author);
  }

  async #renewBy(ttlMs: number): Promise<void> {
    const { clock } = this.#store;
    const [fromMs, wallMs] = [clock.leaseMs(), clock.wallMs()]; // from before the call: never later than the storage has it
    await this.#store.renew(this.#held, this.author, ttlMs);
    this.#expiresAtMs = wallMs + ttlMs;
    this.#deadlineMs = fromMs + ttlMs;
  }

  /** At a third of the time to live, until the lease may be held no longer. It never keeps a process alive. */
  #scheduleRenewal(): void {
    this.#cancelRenewal?.();
    this.#cancelRenewal = undefined;
    const { clock } = this.#store;
    if (this.#held.length === 0 || this.#ttlMs === Infinity || this.#store.closed) return;
    if (clock.leaseMs() + this.#ttlMs / 3 >= this.#renewUntilMs) return;
    this.#cancelRenewal = clock.setTimer(() => void this.#renewInTime(), this.#ttlMs / 3, false);
  }

  async #renewInTime(): Promise<void> {
    const nowMs = this.#store.clock.leaseMs();
    const ttlMs = Math.min(this.#ttlMs, this.#renewUntilMs - nowMs);
    try {
      // Never shorter than it is: a grant or a renewal by hand may have gone further.
      if (nowMs + ttlMs > this.#deadlineMs) await this.#renewBy(ttlMs);
    } catch (error) {
      const loss = this.#lossIn(error);
      if (loss !== undefined) void this.#lose(loss);
    }
    // A storage that does not answer may be back before the lease lapses.
    if (this.#lost === undefined) this.#scheduleRenewal();
  }

  #hear(error: unknown): boolean {
    if (!this.#isOurLoss(error)) return false;
    void this.#lose(error.details);
    return this.#lost !== undefined;
  }

  #lossIn(error: unknown): Loss | undefined {
    if (isContextError(error, "NOT_FOUND")) return this.#over(error.details.contextId, DELETED);
    return this.#isOurLoss(error) ? error.details : undefined;
  }

  #isOurLoss(error: unknown): error is ContextError<"LEASE_LOST"> {
    return isContextError(error, "LEASE_LOST") && error.details.token === this.author.token;
  }

  /** @throws ContextError LEASE_LOST: once it is a loss. */
  async #tell(loss: Loss | undefined, held?: readonly string[]): Promise<void> {
    if (loss === undefined) return;
    await this.#lose(loss, held);
    this.check();
  }

  /** Only what is held can be lost: whoever writes after the release is refused, and has lost nothing. */
  #lose(details: Loss, held: readonly string[] = this.#held): Promise<unknown> | undefined {
    const { contextId } = details;
    if (this.#lost !== undefined || !held.includes(contextId) || this.#isLeaving(contextId)) return undefined;
    this.#lost = details;
    this.#store.losses += 1;
    this.#end();
    const given = this.#giveUpRest(held).catch(() => undefined);
    if (this.#controller !== undefined) this.#abort(details);
    return given;
  }

  /** All or none: what is left guards nothing. One by one, for what took one may take others. */
  async #giveUpRest(contextIds: readonly string[]): Promise<void> {
    const { entries } = await this.#store.look(contextIds);
    const rest = contextIds.filter((_, index) => entries[index]?.lock?.token === this.author.token);
    await Promise.all(rest.map((contextId) => this.#giveUp([contextId]).catch(() => undefined)));
  }

  #listen(): void {
    const { token } = this.author;
    const stops = this.#held.map((contextId) =>
      this.#store.follower.subscribe(contextId, (change) => {
        const loss = lossTold(contextId, token, change);
        if (loss !== undefined) void this.#lose(loss);
      }),
    );
    this.#stopListening = () => {
      for (const stop of stops) stop();
    };
    void this.#look(); // what has happened before is not told
  }

  /** What a storage that does not answer has to say, the next call says. */
  async #look(): Promise<void> {
    const held = this.#held;
    if (held.length === 0) return;
    const { token } = this.author;
    const found = await this.#store.look(held).catch(() => undefined);
    const losses = held.flatMap((id, index) => (found && lossSeen(id, token, found.entries[index])) ?? []);
    if (losses.length === 0) return;
    const lostIds = losses.map(({ contextId }) => contextId);
    const logged = await lossLogged(this.#store, lostIds, token);
    for (const loss of [...(logged === undefined ? [] : [logged]), ...losses]) void this.#lose(loss);
  }

  /** Unless another has it by now. */
  #free(contextIds: readonly string[]): void {
    const { turnstile } = this.#store;
    for (const id of contextIds) if (turnstile.holderOf(id) === this.author.agentId) turnstile.holds(id, null);
  }

  /** Stops renewing and listening; what was held until now. */
  #end(): readonly string[] {
    const contextIds = this.#held;
    this.#held = [];
    this.#cancelRenewal?.();
    this.#stopListening?.();
    this.#free(contextIds);
    return contextIds;
  }

  #over(contextId: string, reason: string): Loss {
    return { contextId, token: this.author.token, owner: null, reason };
  }

  #abort(details: Loss): void {
    this.#toldOfLoss = true;
    this.#controller?.abort(new ContextError("LEASE_LOST", details));
  }
}
