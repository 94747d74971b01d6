import { checkFunction, checkId, type ExpectedVersion, type WriteOptions } from "../arguments.ts";
import type { LockOptions } from "../agent.ts";
import {
  acquireCommand,
  createCommand,
  mergeCommand,
  patchCommand,
  removeCommand,
  restoreCommand,
  updateCommand,
} from "../commands.ts";
import { type SharedContext, wrap } from "../context.ts";
import type { DeepReadonly, JsonObject } from "../data.ts";
import type { Author } from "../entry.ts";
import { ContextError, isContextError } from "../errors.ts";
import type { ModifyOptions } from "../modify.ts";
import type { MergePatch, PatchOperation } from "../patch.ts";
import { acquire, type AsyncAcquireOptions } from "./acquire.ts";
import type { AsyncLease } from "./lease.ts";
import { lock, unlock } from "./locks.ts";
import { type AsyncChange, modify } from "./modify.ts";
import type { SharedStore } from "./shared-store.ts";
import { transact } from "./transact.ts";
import type { AsyncTransaction } from "./transaction.ts";

/** A friend of the class, not exported from the package. */
export let agentOn: <Data extends object>(store: SharedStore, agentId: string) => AsyncAgent<Data>;

/**
 * A handle with an identity on a shared store: `Agent`, awaited. The rules, the errors and their order are the same;
 * any call may also be UNAVAILABLE, CORRUPT or, when a write was cut off, INDETERMINATE. Get one from `manager.agent(agentId)`.
 *
 * Two tasks that run at the same time are two agents, in whatever processes: give them ids of their own.
 *
 * @example
 * ```ts
 * const planner = manager.agent("planner");
 * await planner.create("plan", { step: 1 }, { note: "first draft" });
 * ```
 */
export class AsyncAgent<Data extends object = JsonObject> {
  /** The name it acts under. */
  readonly agentId: string;
  readonly #store: SharedStore;
  readonly #author: Author;
  #closing: Promise<void> | undefined;

  private constructor(store: SharedStore, agentId: string) {
    this.agentId = agentId;
    this.#store = store;
    this.#author = { agentId, token: null };
  }

  static {
    agentOn = (store, agentId) => new AsyncAgent(store, agentId);
  }

  /**
   * Creates a context at version `"1"`.
   *
   * @throws {@link ContextError} INVALID, EXISTS, TOO_LARGE, LIMIT, CLOSED, UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * await planner.create("plan", { step: 1 }, { note: "first draft" });
   * ```
   */
  async create(
    contextId: string,
    initialData: DeepReadonly<Data>,
    options?: WriteOptions,
  ): Promise<SharedContext<Data>> {
    this.#checkOpen();
    return wrap<Data>(await this.#store.create(createCommand(this.#author, contextId, initialData, options)));
  }

  /**
   * Replaces the data of a context, if nobody has changed it since this agent read it. A lock of its own does not stop
   * it; a lock of another agent that has lapsed is taken away.
   *
   * @throws {@link ContextError} INVALID, NOT_FOUND, LOCKED, CONFLICT, TOO_LARGE, CLOSED, UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * await planner.update("plan", { ...context.data, step: 2 }, context, { note: "reviewed" });
   * ```
   */
  async update(
    contextId: string,
    data: DeepReadonly<Data>,
    expected: ExpectedVersion,
    options?: WriteOptions,
  ): Promise<SharedContext<Data>> {
    this.#checkOpen();
    return wrap<Data>(await this.#store.update(updateCommand(this.#author, contextId, data, expected, options)));
  }

  /**
   * Changes only what the patch names, and leaves what others have changed elsewhere as it is. A patch that makes no
   * difference changes nothing, the version neither.
   *
   * @param patch - a JSON Merge Patch (RFC 7386), or operations on paths: see {@link PatchOperation}.
   * @param expected - what the patch is made for: a snapshot, or a version string that the history still has. What
   *   others did since then must not overlap with it. Without it, the patch is for what is there now. Where only a
   *   version is known, an older one is a CONFLICT.
   * @throws {@link ContextError} INVALID (also when the data has no place for an operation), NOT_FOUND, LOCKED,
   *   CONFLICT with `conflicts` by path (also when a `test` fails), TOO_LARGE, CLOSED, UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * await planner.patch("plan", { step: 2, draft: null }, context);
   * await planner.patch("tasks", [
   *   { op: "test", path: "/tasks/id=3/owner", value: null },
   *   { op: "set", path: "/tasks/id=3/owner", value: "planner" },
   * ]);
   * ```
   */
  async patch(
    contextId: string,
    patch: MergePatch<Data> | readonly PatchOperation[],
    expected?: ExpectedVersion,
    options?: WriteOptions,
  ): Promise<SharedContext<Data>> {
    this.#checkOpen();
    const { copy } = this.#store.admission;
    const command = patchCommand(this.#author, contextId, patch, expected, options, copy);
    return wrap<Data>(await this.#store.edit(command));
  }

  /**
   * Writes what the agent has made of a snapshot, together with what others have changed since: a three-way merge.
   * Objects merge key by key; arrays whose elements all have an `id` of their own merge element by element; any other
   * array is one value. The same change made by both is made once: what both raise by 1 grows by 1.
   *
   * @param base - the snapshot that was edited.
   * @param data - the whole data after the edit.
   * @throws {@link ContextError} INVALID, NOT_FOUND, LOCKED, CONFLICT with `conflicts` by path, TOO_LARGE, CLOSED,
   *   UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * await planner.merge(context, { ...context.data, step: 2 });
   * ```
   */
  async merge(
    base: SharedContext<Data>,
    data: DeepReadonly<Data>,
    options?: WriteOptions,
  ): Promise<SharedContext<Data>> {
    this.#checkOpen();
    return wrap<Data>(await this.#store.edit(mergeCommand(this.#author, base, data, options)));
  }

  /**
   * Reads a context, lets `change` make new data of it, and writes that; when somebody else, in whatever process, has
   * written in between, all of it again from what is there now, after a pause that is random and longer each time.
   *
   * With `merge: true` it runs again only where others have changed something else at the same place. The same change
   * made twice is made once, so a count or a list can lose what an agent has added: `increment` and `append` of `patch`
   * lose nothing.
   *
   * @param change - gets the snapshot and returns the whole new data, or a promise of it. It may run several times.
   * @throws {@link ContextError} INVALID, NOT_FOUND, LOCKED, TOO_LARGE, CLOSED, UNAVAILABLE, INDETERMINATE, and the
   *   last CONFLICT after `attempts` runs; what `change` throws; or the reason of the signal.
   * @example
   * ```ts
   * await planner.modify("plan", ({ data }) => ({ ...data, step: data.step + 1 }));
   * await planner.modify("plan", async ({ data }) => think(data), { attempts: 3 });
   * ```
   */
  async modify(contextId: string, change: AsyncChange<Data>, options?: ModifyOptions): Promise<SharedContext<Data>> {
    this.#checkOpen();
    checkId("contextId", contextId);
    return modify(this.#store, contextId, change, options, this.#author, () => this.#checkOpen());
  }

  /**
   * Writes the data of an earlier version as a new version, whatever has happened since. Restoring the present version
   * changes nothing.
   *
   * @param version - one that `manager.history` still has.
   * @throws {@link ContextError} INVALID, NOT_FOUND (of the context or of the version), LOCKED, CLOSED, UNAVAILABLE,
   *   INDETERMINATE.
   * @example
   * ```ts
   * await planner.restore("plan", "3", { note: "version 4 lost the budget" });
   * ```
   */
  async restore(contextId: string, version: string, options?: WriteOptions): Promise<SharedContext<Data>> {
    this.#checkOpen();
    return wrap<Data>(await this.#store.restore(restoreCommand(this.#author, contextId, version, options)));
  }

  /**
   * Deletes a context. Unlike `manager.delete` it respects the lock of another agent.
   *
   * @returns whether it existed.
   * @throws {@link ContextError} INVALID, LOCKED, CONFLICT, CLOSED, UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * await planner.delete("plan", context, { note: "all done" });
   * ```
   */
  async delete(contextId: string, expected?: ExpectedVersion, options?: WriteOptions): Promise<boolean> {
    this.#checkOpen();
    return this.#store.remove(removeCommand(this.#author, contextId, expected, options));
  }

  /**
   * Runs a function that reads and writes several contexts, and commits all of it under one revision, or nothing. It
   * holds nothing while it runs: when something that it has read has changed meanwhile, it runs again, so it should do
   * nothing that must not be done twice. What it throws undoes everything; what it has thrown at contexts of different
   * moments is no reason to give up, and it runs again too.
   *
   * @param run - may be asynchronous. Await every call of the transaction: with one under way nothing is committed.
   * @returns what `run` returns.
   * @throws {@link ContextError} INVALID, CLOSED, UNAVAILABLE, INDETERMINATE, what the methods of the transaction
   *   refuse, and CONFLICT when others have been faster 50 times.
   * @example
   * ```ts
   * await planner.transact(async (tx) => {
   *   const plan = await tx.get("plan");
   *   if (plan) await tx.create(`plan-${plan.version}`, plan.data);
   *   await tx.patch("plan", { step: 1 });
   * });
   * ```
   */
  async transact<Result>(run: (tx: AsyncTransaction<Data>) => Result | PromiseLike<Result>): Promise<Result> {
    this.#checkOpen();
    return transact<Data, Result>(this.#store, run, { authorOf: () => this.#author });
  }

  /**
   * Takes the lock if it is free and nobody in this process waits for it; never waits itself.
   *
   * @returns `true` when the agent holds the lock now or held it already: then the token stays, and the expiry moves
   *   only if `ttlMs` is given.
   * @throws {@link ContextError} INVALID, NOT_FOUND, CLOSED, UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * if (await planner.lock("plan", { ttlMs: 5_000 })) await planner.update("plan", data, context);
   * ```
   */
  async lock(contextId: string, options?: LockOptions): Promise<boolean> {
    this.#checkOpen();
    return lock(this.#store, contextId, this.agentId, options);
  }

  /**
   * Clears the lock of this agent, however it got it.
   *
   * @returns `false` when another agent holds the lock or nobody does.
   * @throws {@link ContextError} INVALID, NOT_FOUND, CLOSED, UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * await planner.unlock("plan");
   * ```
   */
  async unlock(contextId: string): Promise<boolean> {
    this.#checkOpen();
    return unlock(this.#store, contextId, this.agentId);
  }

  /**
   * Waits for its turn and takes a lease on one context or on several at once: all or none, and nothing is held before
   * all are free. Within this process first in, first out; between processes a freed lock goes to whoever commits
   * first.
   *
   * @throws {@link ContextError} INVALID, NOT_FOUND (also when a context is deleted meanwhile), DEADLOCK at once when
   *   the wait would close a cycle in this process (between processes leases that lapse end it), TIMEOUT, CLOSED,
   *   UNAVAILABLE, INDETERMINATE; or the reason of the signal.
   * @example
   * ```ts
   * const lease = await planner.acquire(["plan", "budget"], { timeoutMs: 5_000 });
   * ```
   */
  async acquire(contextIds: string | readonly string[], options?: AsyncAcquireOptions): Promise<AsyncLease<Data>> {
    this.#checkOpen();
    return acquire<Data>(this.#store, acquireCommand(this.agentId, contextIds, options));
  }

  /**
   * Runs `run` under a lease and releases it, whatever happens.
   *
   * @returns what `run` returns.
   * @throws what `acquire` and `run` throw; and LEASE_LOST when `run` ended well but the lease was lost meanwhile.
   * @example
   * ```ts
   * await planner.withLock("plan", async (lease) => {
   *   await lease.modify("plan", ({ data }) => think(data));
   * });
   * ```
   */
  async withLock<Result>(
    contextIds: string | readonly string[],
    run: (lease: AsyncLease<Data>) => Result | PromiseLike<Result>,
    options?: AsyncAcquireOptions,
  ): Promise<Result> {
    checkFunction("run", run);
    const lease = await this.acquire(contextIds, options);
    let result: Result;
    try {
      result = await run(lease);
    } catch (error) {
      // What went wrong first is what the caller should hear of, not the loss.
      await lease.release().catch(() => undefined);
      throw error;
    }
    await lease.release();
    return result;
  }

  /**
   * Releases everything that the agent holds, under whatever handle and in whatever process it got it, and ends what it
   * has under way in this process to get more. Closing twice does no harm; any other call afterwards is CLOSED. Once the manager is
   * closed there is nothing to do.
   *
   * @throws {@link ContextError} UNAVAILABLE, INDETERMINATE, or CLOSED when the manager is closed meanwhile: then what it
   *   still holds lapses in its time.
   * @example
   * ```ts
   * await planner.close();
   * ```
   */
  async close(): Promise<void> {
    await (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    if (this.#store.closed) return;
    const { agentId } = this;
    await this.#store.turnstile.dismiss(agentId, new ContextError("CLOSED", { agentId }));
    for await (const { contextId, lock: held } of this.#store.entries("")) {
      if (held?.owner !== agentId) continue;
      try {
        await this.#store.unlock({ contextId, agentId });
      } catch (error) {
        // Somebody has taken it over or deleted the context: all the same.
        if (!isContextError(error, "LOCKED") && !isContextError(error, "NOT_FOUND")) throw error;
      }
    }
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new ContextError("CLOSED", { agentId: this.agentId });
    this.#store.checkOpen();
  }
}
