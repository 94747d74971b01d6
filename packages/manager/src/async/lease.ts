import type { ExpectedVersion, WriteOptions } from "../arguments.ts";
import { checkFunction, checkId } from "../arguments.ts";
import { mergeCommand, patchCommand, removeCommand, restoreCommand, updateCommand } from "../commands.ts";
import { type SharedContext, wrap } from "../context.ts";
import { describe, type DeepReadonly, type JsonObject } from "../data.ts";
import type { Author } from "../entry.ts";
import { ContextError, type ErrorDetails, invalid, isContextError } from "../errors.ts";
import type { ModifyOptions } from "../modify.ts";
import type { MergePatch, PatchOperation } from "../patch.ts";
import { type AsyncChange, modify } from "./modify.ts";
import type { Holder, SharedStore } from "./shared-store.ts";
import { type AsyncTransaction, transact } from "./transaction.ts";

interface Term {
  readonly agentId: string;
  readonly contextIds: readonly string[];
  readonly ttlMs: number;
  readonly maxHoldMs: number;
}

/** The lease that has just been granted. A friend of the class, not exported from the package. */
export let leaseOn: <Data extends object>(store: SharedStore, term: Term, token: number) => AsyncLease<Data>;

/**
 * A lock on one or several contexts of a shared store, held for as long as it is renewed: `Lease`, awaited. Other
 * processes may take it over once it has lapsed; from then on every write through it is LEASE_LOST.
 *
 * Every write through it is checked for its fencing token and for the version in one step, in the storage. It renews
 * itself at a third of its time to live until `maxHoldMs`.
 *
 * @example
 * ```ts
 * await using lease = await agent.acquire("plan");
 * const context = await manager.get("plan");
 * if (context) await lease.update("plan", { ...context.data, step: 2 }, context);
 * ```
 */
export class AsyncLease<Data extends object = JsonObject> {
  /** The agent that holds it. */
  readonly agentId: string;
  /** The revision that granted it: the fencing token, never reused. */
  readonly token: number;
  /** The contexts that it has been granted on, all by the same token. */
  readonly contextIds: readonly string[];
  readonly #store: SharedStore;
  readonly #author: Holder;
  readonly #ttlMs: number;
  readonly #renewUntilMs: number;
  #held: readonly string[];
  #expiresAtMs: number;
  /** Lease time, as this process has it, until which it is held if nobody renews it. */
  #deadlineMs: number;
  #lost: ErrorDetails["LEASE_LOST"] | undefined;
  #toldOfLoss = false;
  #controller: AbortController | undefined;
  #stopListening: (() => void) | undefined;
  #cancelRenewal: (() => void) | undefined;

  private constructor(store: SharedStore, { agentId, contextIds, ttlMs, maxHoldMs }: Term, token: number) {
    this.agentId = agentId;
    this.token = token;
    this.#store = store;
    this.#author = { agentId, token };
    this.#ttlMs = ttlMs;
    this.contextIds = Object.freeze([...contextIds]);
    this.#held = contextIds;
    this.#renewUntilMs = store.clock.leaseMs() + maxHoldMs;
    this.#expiresAtMs = store.clock.wallMs() + ttlMs;
    this.#deadlineMs = store.clock.leaseMs() + ttlMs;
    for (const contextId of contextIds) store.turnstile.holds(contextId, agentId);
    this.#scheduleRenewal();
  }

  static {
    leaseOn = (store, term, token) => new AsyncLease(store, term, token);
  }

  /** From when on another agent may take over, as far as is known here; `null` for never, or when nothing is held. */
  get expiresAt(): Date | null {
    return this.#held.length === 0 || this.#ttlMs === Infinity ? null : new Date(this.#expiresAtMs);
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

  /**
   * Replaces the data of a context that the lease holds.
   *
   * @throws {@link ContextError} INVALID, NOT_FOUND, LEASE_LOST, CONFLICT, TOO_LARGE, CLOSED, UNAVAILABLE,
   *   INDETERMINATE.
   * @example
   * ```ts
   * await lease.update("plan", { ...context.data, step: 2 }, context, { note: "reviewed" });
   * ```
   */
  async update(
    contextId: string,
    data: DeepReadonly<Data>,
    expected: ExpectedVersion,
    options?: WriteOptions,
  ): Promise<SharedContext<Data>> {
    this.#checkCovered(contextId);
    const command = updateCommand(this.#author, contextId, data, expected, options);
    this.#check();
    return wrap<Data>(await this.#guarded(this.#store.update(command)));
  }

  /**
   * Changes only what the patch names, as `agent.patch` does, in a context that the lease holds.
   *
   * @throws {@link ContextError} INVALID, NOT_FOUND, LEASE_LOST, CONFLICT with `conflicts` by path, TOO_LARGE, CLOSED,
   *   UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * await lease.patch("plan", [{ op: "append", path: "/findings", value: "leak" }]);
   * ```
   */
  async patch(
    contextId: string,
    patch: MergePatch<Data> | readonly PatchOperation[],
    expected?: ExpectedVersion,
    options?: WriteOptions,
  ): Promise<SharedContext<Data>> {
    this.#checkCovered(contextId);
    const command = patchCommand(this.#author, contextId, patch, expected, options, this.#store.admission.copy);
    this.#check();
    return wrap<Data>(await this.#guarded(this.#store.edit(command)));
  }

  /**
   * Writes what has been made of a snapshot, together with what was changed since, as `agent.merge` does, in a context
   * that the lease holds.
   *
   * @throws {@link ContextError} INVALID, NOT_FOUND, LEASE_LOST, CONFLICT with `conflicts` by path, TOO_LARGE, CLOSED,
   *   UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * await lease.merge(context, { ...context.data, step: 2 });
   * ```
   */
  async merge(
    base: SharedContext<Data>,
    data: DeepReadonly<Data>,
    options?: WriteOptions,
  ): Promise<SharedContext<Data>> {
    const command = mergeCommand(this.#author, base, data, options);
    this.#checkCovered(base.contextId);
    this.#check();
    return wrap<Data>(await this.#guarded(this.#store.edit(command)));
  }

  /**
   * Reads a context that the lease holds, lets `change` make new data of it, and writes that. While the lease is held,
   * only writes of its own agent can come in between; then it runs again.
   *
   * @param change - gets the snapshot and returns the whole new data, or a promise of it. It may run several times.
   * @throws {@link ContextError} INVALID, NOT_FOUND, LEASE_LOST, CLOSED, UNAVAILABLE, INDETERMINATE, and the last
   *   CONFLICT after `attempts` runs; what `change` throws; or the reason of the signal.
   * @example
   * ```ts
   * await lease.modify("plan", async ({ data }) => think(data), { signal: lease.signal });
   * ```
   */
  async modify(contextId: string, change: AsyncChange<Data>, options?: ModifyOptions): Promise<SharedContext<Data>> {
    this.#checkCovered(contextId);
    return this.#guarded(modify(this.#store, contextId, change, options, this.#author, () => this.#check()));
  }

  /**
   * Writes the data of an earlier version as a new version. Restoring the present version changes nothing.
   *
   * @param version - one that `manager.history` still has.
   * @throws {@link ContextError} INVALID, NOT_FOUND (of the context or of the version), LEASE_LOST, CLOSED,
   *   UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * await lease.restore("plan", "3", { note: "version 4 lost the budget" });
   * ```
   */
  async restore(contextId: string, version: string, options?: WriteOptions): Promise<SharedContext<Data>> {
    this.#checkCovered(contextId);
    const command = restoreCommand(this.#author, contextId, version, options);
    this.#check();
    return wrap<Data>(await this.#guarded(this.#store.restore(command)));
  }

  /**
   * Deletes a context that the lease holds, and with it the lock.
   *
   * @returns whether it existed.
   * @throws {@link ContextError} INVALID, LEASE_LOST, CONFLICT, CLOSED, UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * await lease.delete("plan", undefined, { note: "all done" });
   * ```
   */
  async delete(contextId: string, expected?: ExpectedVersion, options?: WriteOptions): Promise<boolean> {
    this.#checkCovered(contextId);
    const command = removeCommand(this.#author, contextId, expected, options);
    this.#check();
    const wasHeld = this.#held.includes(contextId);
    const existed = await this.#guarded(this.#store.remove(command));
    if (wasHeld && !existed) {
      await this.#lose(this.#over(contextId, "the context was deleted"));
      this.#check();
    }
    this.#letGo([contextId]);
    return existed;
  }

  /**
   * Runs a function that reads and writes several contexts, and commits all of it or nothing, as `agent.transact` does.
   * What the lease holds is written by its token, other contexts in the name of its agent.
   *
   * @param run - may be asynchronous, and may run several times.
   * @returns what `run` returns.
   * @throws {@link ContextError} INVALID, LEASE_LOST, CLOSED, UNAVAILABLE, INDETERMINATE, and what the methods of the
   *   transaction refuse.
   * @example
   * ```ts
   * await lease.transact(async (tx) => {
   *   await tx.patch("plan", { step: 2 });
   *   await tx.delete("draft");
   * });
   * ```
   */
  async transact<Result>(run: (tx: AsyncTransaction<Data>) => Result | PromiseLike<Result>): Promise<Result> {
    checkFunction("run", run);
    this.#check();
    const { agentId } = this;
    const authorOf = (contextId: string): Author =>
      this.contextIds.includes(contextId) ? this.#author : { agentId, token: null };
    const { result, gone } = await this.#guarded(transact<Data, Result>(this.#store, run, authorOf));
    this.#letGo(gone);
    return result;
  }

  /**
   * Extends the lease by its time to live from now, also past `maxHoldMs`.
   *
   * @throws {@link ContextError} LEASE_LOST, CLOSED, UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * await lease.renew();
   * ```
   */
  async renew(): Promise<void> {
    this.#check();
    if (this.#held.length === 0)
      throw new ContextError("LEASE_LOST", this.#over(this.contextIds[0] ?? "", "it was released"));
    try {
      await this.#guarded(this.#renewBy(this.#ttlMs));
    } catch (error) {
      const loss = this.#lossIn(error);
      if (loss !== undefined) {
        await this.#lose(loss);
        this.#check();
      }
      throw error;
    }
    this.#scheduleRenewal();
  }

  /**
   * Gives the locks back. Once is enough, twice does no harm.
   *
   * @throws {@link ContextError} LEASE_LOST: whatever was done under the lease may have been seen, or overwritten;
   *   CLOSED, UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * await lease.release();
   * ```
   */
  async release(): Promise<void> {
    this.#check();
    const contextIds = this.#end();
    if (contextIds.length === 0) return;
    try {
      await this.#giveUp(contextIds);
    } catch (error) {
      if (isContextError(error, "UNAVAILABLE")) this.#held = contextIds; // another call tries again
      const loss = this.#lossIn(error);
      if (loss !== undefined) {
        await this.#lose(loss, contextIds);
        this.#check();
      }
      throw error;
    }
  }

  /** Releases. Throws LEASE_LOST only if no call and no signal has told of the loss before. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#toldOfLoss && !this.#store.closed) await this.release();
  }

  #giveUp(contextIds: readonly string[]): Promise<unknown> {
    return this.#store.release(contextIds, this.#author);
  }

  async #renewBy(ttlMs: number): Promise<void> {
    const { clock } = this.#store;
    const [fromMs, wallMs] = [clock.leaseMs(), clock.wallMs()]; // from before the call: never later than the storage has it
    await this.#store.renew(this.#held, this.#author, ttlMs);
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
      // A storage that does not answer may be back before the lease lapses.
      if (this.#hear(error)) return;
    }
    this.#scheduleRenewal();
  }

  /** What the store refuses with LEASE_LOST is a loss for good. */
  async #guarded<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      if (this.#hear(error)) this.#toldOfLoss = true;
      throw error;
    }
  }

  #hear(error: unknown): boolean {
    if (!isContextError(error, "LEASE_LOST") || error.details.token !== this.token) return false;
    void this.#lose(error.details);
    return this.#lost !== undefined;
  }

  #lossIn(error: unknown): ErrorDetails["LEASE_LOST"] | undefined {
    if (isContextError(error, "NOT_FOUND")) return this.#over(error.details.contextId, "the context was deleted");
    return isContextError(error, "LEASE_LOST") && error.details.token === this.token ? error.details : undefined;
  }

  /** Only what is held can be lost: whoever writes after the release is refused, and has lost nothing. */
  #lose(details: ErrorDetails["LEASE_LOST"], held: readonly string[] = this.#held): Promise<unknown> | undefined {
    if (this.#lost !== undefined || !held.includes(details.contextId)) return undefined;
    this.#lost = details;
    this.#store.losses += 1;
    this.#end();
    // All or none: what is left guards nothing. One by one, for what took one may have taken others.
    const rest = held.filter((contextId) => contextId !== details.contextId);
    const given = Promise.all(rest.map((contextId) => this.#giveUp([contextId]).catch(() => undefined)));
    if (this.#controller !== undefined) this.#abort(details);
    return given;
  }

  #listen(): void {
    const stops = this.#held.map((contextId) =>
      this.#store.follower.subscribe(contextId, ({ context, revision }) => {
        // What is told late may be older than the lease.
        if (revision <= this.token || context?.lock?.token === this.token) return;
        if (!this.#held.includes(contextId)) return;
        const owner = context?.lockedBy ?? null;
        const reason = context === undefined ? "the context was deleted" : "the lock has been released or taken over";
        void this.#lose({ contextId, token: this.token, owner, reason });
      }),
    );
    this.#stopListening = () => {
      for (const stop of stops) stop();
    };
  }

  /** Unless another has it by now. */
  #free(contextIds: readonly string[]): void {
    const { turnstile } = this.#store;
    for (const id of contextIds) if (turnstile.holderOf(id) === this.agentId) turnstile.holds(id, null);
  }

  #letGo(contextIds: readonly string[]): void {
    this.#free(contextIds);
    this.#held = this.#held.filter((contextId) => !contextIds.includes(contextId));
    if (this.#held.length === 0) this.#end();
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

  #over(contextId: string, reason: string): ErrorDetails["LEASE_LOST"] {
    return { contextId, token: this.token, owner: null, reason };
  }

  #check(): void {
    this.#store.checkOpen();
    if (this.#lost === undefined) return;
    this.#toldOfLoss = true;
    throw this.#store.refusal(new ContextError("LEASE_LOST", this.#lost));
  }

  #abort(details: ErrorDetails["LEASE_LOST"]): void {
    this.#toldOfLoss = true;
    this.#controller?.abort(new ContextError("LEASE_LOST", details));
  }

  #checkCovered(contextId: string): void {
    checkId("contextId", contextId);
    if (this.contextIds.includes(contextId)) return;
    const covered = this.contextIds.map(describe).join(", ");
    throw invalid("contextId", "", `a context of this lease (${covered})`, describe(contextId));
  }
}
