import { checkFunction, checkId, type ExpectedVersion, type WriteOptions } from "./arguments.ts";
import { mergeCommand, patchCommand, removeCommand, restoreCommand, updateCommand } from "./commands.ts";
import { type SharedContext, wrap } from "./context.ts";
import type { Author } from "./entry.ts";
import type { DeepReadonly, JsonObject } from "./data.ts";
import { describe } from "./describe.ts";
import { invalid, isContextError } from "./errors.ts";
import type { Hold } from "./hold.ts";
import { modify, type ModifyOptions, type Revise } from "./modify.ts";
import type { MergePatch, PatchOperation } from "./patch.ts";
import type { Plan } from "./plan.ts";
import { accepted } from "./refusal.ts";
import { type Transaction, transact } from "./transaction.ts";

/** The lease on what is held. A friend of the class, not exported from the package. */
export let leaseOn: <Data extends object>(hold: Hold) => Lease<Data>;

/**
 * A lock on one or several contexts that is held for as long as it is renewed, and writes in its name.
 *
 * Every write through a lease is checked for its fencing token and for the version in one step, so a holder
 * that was asleep while another took over cannot overwrite what happened since (Kleppmann, "How to do
 * distributed locking", 2016). It renews itself at a third of its time to live until `maxHoldMs`.
 *
 * @example
 * ```ts
 * await using lease = await agent.acquire("plan");
 * const context = manager.get("plan");
 * if (context) lease.update("plan", { ...context.data, step: 2 }, context);
 * ```
 */
export class Lease<Data extends object = JsonObject> {
  /** The agent that holds it. */
  readonly agentId: string;
  /** The revision that granted it: the fencing token, never reused. Hand it on to what the store cannot guard. */
  readonly token: number;
  readonly #hold: Hold;

  private constructor(hold: Hold) {
    this.agentId = hold.agentId;
    this.token = hold.token;
    this.#hold = hold;
  }

  static {
    leaseOn = (hold) => new Lease(hold);
  }

  /** The contexts it holds, all by the same token. */
  get contextIds(): readonly string[] {
    return Object.freeze(this.#hold.contextIds);
  }

  /** From when on another agent may take over, as far as is known now; `null` for never, or when nothing is held. */
  get expiresAt(): Date | null {
    return this.#hold.expiresAt;
  }

  /** Aborts with LEASE_LOST when the lease is lost: hand it to whatever works under the lease. */
  get signal(): AbortSignal {
    return this.#hold.signal;
  }

  /**
   * Replaces the data of a context that the lease holds.
   *
   * @throws {@link ContextError} INVALID, NOT_FOUND, LEASE_LOST, CONFLICT, TOO_LARGE, CLOSED.
   * @example
   * ```ts
   * lease.update("plan", { ...context.data, step: 2 }, context, { note: "reviewed" });
   * ```
   */
  update(
    contextId: string,
    data: DeepReadonly<Data>,
    expected: ExpectedVersion,
    options?: WriteOptions,
  ): SharedContext<Data> {
    this.#checkCovered(contextId);
    const { store, author } = this.#hold;
    const command = updateCommand(author, contextId, data, expected, options);
    this.#checkHeld(contextId);
    return wrap(accepted(store.update(command)));
  }

  /**
   * Changes only what the patch names, as `agent.patch` does, in a context that the lease holds.
   *
   * @throws {@link ContextError} INVALID, NOT_FOUND, LEASE_LOST, CONFLICT with `conflicts` by path, TOO_LARGE, CLOSED.
   * @example
   * ```ts
   * lease.patch("plan", [{ op: "append", path: "/findings", value: "leak" }]);
   * ```
   */
  patch(
    contextId: string,
    patch: MergePatch<Data> | readonly PatchOperation[],
    expected?: ExpectedVersion,
    options?: WriteOptions,
  ): SharedContext<Data> {
    this.#checkCovered(contextId);
    const { store, author } = this.#hold;
    const command = patchCommand(author, contextId, patch, expected, options, store.admission.copy);
    this.#checkHeld(contextId);
    return wrap(accepted(store.edit(command)));
  }

  /**
   * Writes what has been made of a snapshot, together with what was changed since, as `agent.merge` does, in a
   * context that the lease holds.
   *
   * @throws {@link ContextError} INVALID, NOT_FOUND, LEASE_LOST, CONFLICT with `conflicts` by path, TOO_LARGE, CLOSED.
   * @example
   * ```ts
   * lease.merge(context, { ...context.data, step: 2 });
   * ```
   */
  merge(base: SharedContext<Data>, data: DeepReadonly<Data>, options?: WriteOptions): SharedContext<Data> {
    const { store, author } = this.#hold;
    const command = mergeCommand(author, base, data, options);
    this.#checkCovered(base.contextId);
    this.#checkHeld(base.contextId);
    return wrap(accepted(store.edit(command)));
  }

  /**
   * Reads a context that the lease holds, lets `change` make new data of it, and writes that. While the lease is
   * held, only writes of its own agent can come in between; then it runs again. With `merge: true` a count or a list can
   * lose what was added, as in `agent.modify`: `increment` and `append` of `patch` lose nothing.
   *
   * @param change - gets the snapshot and returns the whole new data. It may run several times.
   * @returns the new snapshot; a promise of it when `change` returns a promise.
   * @throws {@link ContextError} INVALID, NOT_FOUND, LEASE_LOST, TOO_LARGE, CLOSED, and the last CONFLICT after `attempts` runs; what
   *   `change` throws; or the reason of the signal. What is wrong before the first run is thrown at once, also
   *   when `change` is asynchronous.
   * @example
   * ```ts
   * await lease.modify("plan", async ({ data }) => think(data), { signal: lease.signal });
   * ```
   */
  modify(
    contextId: string,
    change: (context: SharedContext<Data>) => PromiseLike<DeepReadonly<Data>>,
    options?: ModifyOptions,
  ): Promise<SharedContext<Data>>;
  /**
   * The same with a synchronous `change`: all of it at once, so only a write that `change` makes itself can come in
   * between.
   *
   * @returns the new snapshot.
   * @throws {@link ContextError} as with an asynchronous one.
   * @example
   * ```ts
   * lease.modify("plan", ({ data }) => ({ ...data, step: data.step + 1 }));
   * ```
   */
  modify(
    contextId: string,
    change: (context: SharedContext<Data>) => DeepReadonly<Data>,
    options?: ModifyOptions,
  ): SharedContext<Data>;
  modify(
    contextId: string,
    change: Revise<Data>,
    options?: ModifyOptions,
  ): SharedContext<Data> | Promise<SharedContext<Data>> {
    this.#checkCovered(contextId);
    const { store, author } = this.#hold;
    return modify(store, contextId, change, options, author, () => this.#checkHeld(contextId));
  }

  /**
   * Writes the data of an earlier version as a new version. Restoring the present version changes nothing.
   *
   * @param version - one that `manager.history` still has.
   * @throws {@link ContextError} INVALID, NOT_FOUND (of the context or of the version), LEASE_LOST, CLOSED.
   * @example
   * ```ts
   * lease.restore("plan", "3", { note: "version 4 lost the budget" });
   * ```
   */
  restore(contextId: string, version: string, options?: WriteOptions): SharedContext<Data> {
    this.#checkCovered(contextId);
    const { store, author } = this.#hold;
    const command = restoreCommand(author, contextId, version, options);
    this.#checkHeld(contextId);
    return wrap(accepted(store.restore(command)));
  }

  /**
   * Deletes a context that the lease holds, and with it the lock.
   *
   * @returns whether it existed.
   * @throws {@link ContextError} INVALID, LEASE_LOST, CONFLICT, CLOSED.
   * @example
   * ```ts
   * lease.delete("plan", undefined, { note: "all done" });
   * ```
   */
  delete(contextId: string, expected?: ExpectedVersion, options?: WriteOptions): boolean {
    this.#checkCovered(contextId);
    const { store, author } = this.#hold;
    const command = removeCommand(author, contextId, expected, options);
    return this.#hold.parting(contextId, () => accepted(store.remove(command)));
  }

  /**
   * Runs a function that reads and writes several contexts, and commits all of it or nothing. What the lease holds
   * is written by its token, other contexts in the name of its agent.
   *
   * @param run - synchronous. What it throws undoes everything.
   * @returns what `run` returns.
   * @throws {@link ContextError} INVALID, LEASE_LOST, CLOSED, and what the methods of the transaction refuse.
   * @example
   * ```ts
   * lease.transact((tx) => {
   *   tx.patch("plan", { step: 2 });
   *   tx.delete("draft");
   * });
   * ```
   */
  transact<Result>(run: (tx: Transaction<Data>) => Result): Result {
    checkFunction("run", run);
    this.#hold.check();
    const { store, author, agentId } = this.#hold;
    const holds = (contextId: string, plan: Plan): boolean =>
      this.#hold.covers(contextId) && !plan.gone.includes(contextId);
    const authorOf = (contextId: string, plan: Plan): Author =>
      holds(contextId, plan) ? author : { agentId, token: null };
    return transact(store, run, authorOf, (plan) => this.#hold.letGo(plan.gone));
  }

  /**
   * Extends the lease by its time to live from now, also past `maxHoldMs`.
   *
   * @throws {@link ContextError} LEASE_LOST, INVALID while the function of a transaction runs, CLOSED.
   * @example
   * ```ts
   * lease.renew();
   * ```
   */
  renew(): void {
    this.#hold.renew();
  }

  /**
   * Gives the locks back. Once is enough, twice does no harm.
   *
   * @throws {@link ContextError} LEASE_LOST: whatever was done under the lease may have been seen, or overwritten;
   *   INVALID while the function of a transaction runs; CLOSED.
   * @example
   * ```ts
   * lease.release();
   * ```
   */
  release(): void {
    this.#hold.release();
  }

  /** Releases. Throws LEASE_LOST only if no call and no signal has told of the loss before. */
  // oxlint-disable-next-line typescript/require-await -- a refusal must be a rejection here
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hold.toldOfLoss && !this.#hold.store.closed) this.release();
  }

  /** NOT_FOUND comes first: that is for the rules to say. */
  #checkHeld(contextId: string): void {
    this.#hold.store.checkOpen();
    if (this.#hold.store.entries.has(contextId)) this.#hold.check();
  }

  #checkCovered(contextId: string): void {
    checkId("contextId", contextId);
    if (this.#hold.contextIds.includes(contextId)) return;
    const covered = this.contextIds.map(describe).join(", ");
    throw invalid("contextId", "", `a context of this lease (${covered})`, describe(contextId));
  }
}

/** Releases where something else went wrong first: that is what the caller should hear of, not the loss. */
export function releaseQuietly(lease: { release(): void }): void {
  try {
    lease.release();
  } catch (error) {
    if (!isContextError(error, "LEASE_LOST") && !isContextError(error, "CLOSED")) throw error;
  }
}
