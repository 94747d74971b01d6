import type { ExpectedVersion, WriteOptions } from "../arguments.ts";
import { checkFunction, checkId } from "../arguments.ts";
import { mergeCommand, patchCommand, removeCommand, restoreCommand, updateCommand } from "../commands.ts";
import { type SharedContext, wrap } from "../context.ts";
import type { DeepReadonly, JsonObject } from "../data.ts";
import { describe } from "../describe.ts";
import { invalid } from "../errors.ts";
import type { ModifyOptions } from "../modify.ts";
import type { MergePatch, PatchOperation } from "../patch.ts";
import { AsyncHold, type Term } from "./hold.ts";
import { type AsyncChange, modify } from "./modify.ts";
import type { SharedStore } from "./shared-store.ts";
import { transact } from "./transact.ts";
import type { AsyncTransaction } from "./transaction.ts";

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
  readonly #hold: AsyncHold;

  private constructor(store: SharedStore, term: Term, token: number) {
    this.agentId = term.agentId;
    this.token = token;
    this.contextIds = Object.freeze([...term.contextIds]);
    this.#store = store;
    this.#hold = new AsyncHold(store, term, token);
  }

  static {
    leaseOn = (store, term, token) => new AsyncLease(store, term, token);
  }

  /** From when on another agent may take over, as far as is known here; `null` for never, or when nothing is held. */
  get expiresAt(): Date | null {
    const { expiresAtMs } = this.#hold;
    return expiresAtMs === null ? null : new Date(expiresAtMs);
  }

  /**
   * Aborts with LEASE_LOST as soon as it is known here that the lease is lost. To read it is to listen: from then on calls,
   * too, can say who has unlocked it by force, and why. What has happened before is looked up in the change log.
   */
  get signal(): AbortSignal {
    return this.#hold.signal;
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
    const command = updateCommand(this.#hold.author, contextId, data, expected, options);
    this.#hold.check();
    return wrap<Data>(await this.#hold.guarded(this.#store.update(command)));
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
    const command = patchCommand(this.#hold.author, contextId, patch, expected, options, this.#store.admission.copy);
    this.#hold.check();
    return wrap<Data>(await this.#hold.guarded(this.#store.edit(command)));
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
    const command = mergeCommand(this.#hold.author, base, data, options);
    this.#checkCovered(base.contextId);
    this.#hold.check();
    return wrap<Data>(await this.#hold.guarded(this.#store.edit(command)));
  }

  /**
   * Reads a context that the lease holds, lets `change` make new data of it, and writes that. While the lease is held,
   * only writes of its own agent can come in between; then it runs again. With `merge: true` a count or a list can lose
   * what was added, as in `agent.modify`: `increment` and `append` of `patch` lose nothing.
   *
   * @param change - gets the snapshot and returns the whole new data, or a promise of it. It may run several times.
   * @throws {@link ContextError} INVALID, NOT_FOUND, LEASE_LOST, TOO_LARGE, CLOSED, UNAVAILABLE, INDETERMINATE, and
   *   the last CONFLICT after `attempts` runs; what `change` throws; or the reason of the signal.
   * @example
   * ```ts
   * await lease.modify("plan", async ({ data }) => think(data), { signal: lease.signal });
   * ```
   */
  async modify(contextId: string, change: AsyncChange<Data>, options?: ModifyOptions): Promise<SharedContext<Data>> {
    this.#checkCovered(contextId);
    return this.#hold.guarded(
      modify(this.#store, contextId, change, options, this.#hold.author, () => this.#hold.check()),
    );
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
    const command = restoreCommand(this.#hold.author, contextId, version, options);
    this.#hold.check();
    return wrap<Data>(await this.#hold.guarded(this.#store.restore(command)));
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
    const command = removeCommand(this.#hold.author, contextId, expected, options);
    this.#hold.check();
    return this.#hold.remove(contextId, () => this.#store.remove(command));
  }

  /**
   * Runs a function that reads and writes several contexts, and commits all of it or nothing, as `agent.transact` does.
   * What the lease holds is written by its token, other contexts, and those that it has deleted, in the name of its agent.
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
    this.#hold.check();
    return this.#hold.guarded(transact<Data, Result>(this.#store, run, this.#hold));
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
    await this.#hold.renew();
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
    await this.#hold.release();
  }

  /** Releases. Throws LEASE_LOST only if no call and no signal has told of the loss before. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hold.isOver) await this.release();
  }

  #checkCovered(contextId: string): void {
    checkId("contextId", contextId);
    if (this.contextIds.includes(contextId)) return;
    const covered = this.contextIds.map(describe).join(", ");
    throw invalid("contextId", "", `a context of this lease (${covered})`, describe(contextId));
  }
}
