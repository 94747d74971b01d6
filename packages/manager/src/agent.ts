import { acquire } from "./acquire.ts";
import { checkFunction, checkId, type ExpectedVersion, readMs, type WriteOptions } from "./arguments.ts";
import {
  acquireCommand,
  type AcquireOptions,
  createCommand,
  mergeCommand,
  patchCommand,
  removeCommand,
  restoreCommand,
  updateCommand,
} from "./commands.ts";
import { type SharedContext, wrap } from "./context.ts";
import type { DeepReadonly, JsonObject } from "./data.ts";
import type { Author } from "./entry.ts";
import { ContextError } from "./errors.ts";
import { type Lease, releaseQuietly } from "./leases.ts";
import { modify, type ModifyOptions, type Revise } from "./modify.ts";
import type { MergePatch, PatchOperation } from "./patch.ts";
import { accepted } from "./refusal.ts";
import type { Store } from "./store.ts";
import { type Transaction, transact } from "./transaction.ts";

/** The handle of an agent on a store. A friend of the class, not exported from the package. */
export let agentOn: <Data extends object>(store: Store, agentId: string) => Agent<Data>;

/** How to set a lock. */
export interface LockOptions {
  /** Milliseconds after which another agent may take the lock over; without it, never. */
  readonly ttlMs?: number;
}

/**
 * A handle with an identity: what it writes and locks, it writes and locks in the name of its agent. The owner
 * of a lock may write while it holds it. Get one from `manager.agent(agentId)`.
 *
 * Two tasks that run at the same time are two agents: give them ids of their own.
 *
 * @example
 * ```ts
 * const planner = manager.agent("planner");
 * planner.create("plan", { step: 1 }, { note: "first draft" });
 * ```
 */
export class Agent<Data extends object = JsonObject> {
  /** The name it acts under. */
  readonly agentId: string;
  readonly #store: Store;
  readonly #author: Author;
  #closed = false;

  private constructor(store: Store, agentId: string) {
    this.#store = store;
    this.agentId = agentId;
    this.#author = { agentId, token: null };
  }

  static {
    agentOn = (store, agentId) => new Agent(store, agentId);
  }

  /**
   * Creates a context at version `"1"`.
   *
   * @throws {@link ContextError} INVALID, EXISTS, TOO_LARGE, LIMIT, CLOSED.
   * @example
   * ```ts
   * planner.create("plan", { step: 1 }, { note: "first draft" });
   * ```
   */
  create(contextId: string, initialData: DeepReadonly<Data>, options?: WriteOptions): SharedContext<Data> {
    this.#checkOpen();
    return wrap(accepted(this.#store.create(createCommand(this.#author, contextId, initialData, options))));
  }

  /**
   * Replaces the data of a context, if nobody has changed it since this agent read it. A lock of its own does
   * not stop it; a lock of another agent that has lapsed is taken away.
   *
   * @throws {@link ContextError} INVALID, NOT_FOUND, LOCKED, CONFLICT, TOO_LARGE, CLOSED.
   * @example
   * ```ts
   * planner.update("plan", { ...context.data, step: 2 }, context, { note: "reviewed" });
   * ```
   */
  update(
    contextId: string,
    data: DeepReadonly<Data>,
    expected: ExpectedVersion,
    options?: WriteOptions,
  ): SharedContext<Data> {
    this.#checkOpen();
    return wrap(accepted(this.#store.update(updateCommand(this.#author, contextId, data, expected, options))));
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
   *   CONFLICT with `conflicts` by path (also when a `test` fails), TOO_LARGE, CLOSED.
   * @example
   * ```ts
   * planner.patch("plan", { step: 2, draft: null }, context);
   * planner.patch("tasks", [
   *   { op: "test", path: "/tasks/id=3/owner", value: null },
   *   { op: "set", path: "/tasks/id=3/owner", value: "planner" },
   * ]);
   * ```
   */
  patch(
    contextId: string,
    patch: MergePatch<Data> | readonly PatchOperation[],
    expected?: ExpectedVersion,
    options?: WriteOptions,
  ): SharedContext<Data> {
    this.#checkOpen();
    const { copy } = this.#store.admission;
    return wrap(accepted(this.#store.edit(patchCommand(this.#author, contextId, patch, expected, options, copy))));
  }

  /**
   * Writes what the agent has made of a snapshot, together with what others have changed since: a three-way merge.
   * Objects merge key by key; arrays whose elements all have an `id` of their own merge element by element; any
   * other array is one value. The same change made by both is made once: what both raise by 1 grows by 1.
   *
   * @param base - the snapshot that was edited.
   * @param data - the whole data after the edit.
   * @throws {@link ContextError} INVALID, NOT_FOUND, LOCKED, CONFLICT with `conflicts` by path, TOO_LARGE, CLOSED.
   * @example
   * ```ts
   * planner.merge(context, { ...context.data, step: 2 });
   * ```
   */
  merge(base: SharedContext<Data>, data: DeepReadonly<Data>, options?: WriteOptions): SharedContext<Data> {
    this.#checkOpen();
    return wrap(accepted(this.#store.edit(mergeCommand(this.#author, base, data, options))));
  }

  /**
   * Reads a context, lets `change` make new data of it, and writes that; when somebody else has written in
   * between, all of it again from what is there now. A synchronous `change` is atomic. Between the runs of an
   * asynchronous one there is a pause, random and longer each time.
   *
   * With `merge: true` it runs again only where others have changed something else at the same place. The same change
   * made twice is made once, so a count or a list can lose what an agent has added: `increment` and `append` of `patch`
   * lose nothing.
   *
   * @param change - gets the snapshot and returns the whole new data. It may run several times.
   * @returns the new snapshot; a promise of it when `change` returns a promise.
   * @throws {@link ContextError} INVALID, NOT_FOUND, LOCKED, TOO_LARGE, CLOSED, and the last CONFLICT after `attempts` runs; what
   *   `change` throws; or the reason of the signal. What is wrong before the first run is thrown at once, also
   *   when `change` is asynchronous.
   * @example
   * ```ts
   * planner.modify("plan", ({ data }) => ({ ...data, step: data.step + 1 }));
   * await planner.modify("plan", async ({ data }) => think(data), { attempts: 3 });
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
   * planner.modify("plan", ({ data }) => ({ ...data, step: data.step + 1 }));
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
    this.#checkOpen();
    checkId("contextId", contextId);
    return modify(this.#store, contextId, change, options, this.#author, () => this.#checkOpen());
  }

  /**
   * Writes the data of an earlier version as a new version, whatever has happened since. Restoring the present
   * version changes nothing.
   *
   * @param version - one that `manager.history` still has.
   * @throws {@link ContextError} INVALID, NOT_FOUND (of the context or of the version), LOCKED, CLOSED.
   * @example
   * ```ts
   * planner.restore("plan", "3", { note: "version 4 lost the budget" });
   * ```
   */
  restore(contextId: string, version: string, options?: WriteOptions): SharedContext<Data> {
    this.#checkOpen();
    return wrap(accepted(this.#store.restore(restoreCommand(this.#author, contextId, version, options))));
  }

  /**
   * Deletes a context. Unlike `manager.delete` it respects the lock of another agent.
   *
   * @returns whether it existed.
   * @throws {@link ContextError} INVALID, LOCKED, CONFLICT, CLOSED.
   * @example
   * ```ts
   * planner.delete("plan", context, { note: "all done" });
   * ```
   */
  delete(contextId: string, expected?: ExpectedVersion, options?: WriteOptions): boolean {
    this.#checkOpen();
    return accepted(this.#store.remove(removeCommand(this.#author, contextId, expected, options)));
  }

  /**
   * Runs a function that reads and writes several contexts, and commits all of it under one revision, or nothing.
   * While it runs, every other write is refused, so what it has read stays true.
   *
   * @param run - synchronous: think before, then transact. What it throws undoes everything.
   * @returns what `run` returns.
   * @throws {@link ContextError} INVALID (a promise, a transaction inside, a write around it), CLOSED, and what the
   *   methods of the transaction refuse.
   * @example
   * ```ts
   * planner.transact((tx) => {
   *   const plan = tx.get("plan");
   *   if (plan) tx.create(`plan-${plan.version}`, plan.data);
   *   tx.patch("plan", { step: 1 });
   * });
   * ```
   */
  transact<Result>(run: (tx: Transaction<Data>) => Result): Result {
    this.#checkOpen();
    return transact(this.#store, run, () => this.#author);
  }

  /**
   * Takes the lock if it is free and nobody waits for it; never waits itself.
   *
   * @returns `true` when the agent holds the lock now or held it already: then the token stays, and the expiry
   *   moves only if `ttlMs` is given.
   * @throws {@link ContextError} INVALID, NOT_FOUND, CLOSED.
   * @example
   * ```ts
   * if (planner.lock("plan", { ttlMs: 5_000 })) planner.update("plan", data, context);
   * ```
   */
  lock(contextId: string, options?: LockOptions): boolean {
    this.#checkOpen();
    checkId("contextId", contextId);
    return accepted(this.#store.lock({ contextId, agentId: this.agentId, ttlMs: readMs(options, "ttlMs", 1) }));
  }

  /**
   * Clears the lock of this agent, however it got it.
   *
   * @returns `false` when another agent holds the lock or nobody does.
   * @throws {@link ContextError} INVALID, NOT_FOUND, CLOSED.
   * @example
   * ```ts
   * planner.unlock("plan");
   * ```
   */
  unlock(contextId: string): boolean {
    this.#checkOpen();
    checkId("contextId", contextId);
    return accepted(this.#store.unlock({ contextId, agentId: this.agentId }));
  }

  /**
   * Waits for its turn, first in, first out, and takes a lease on one context or on several at once: all or
   * none, and nothing is held before all are free.
   *
   * @throws {@link ContextError} INVALID, NOT_FOUND (also when a context is deleted meanwhile), DEADLOCK at once
   *   when the wait would close a cycle, TIMEOUT, CLOSED; or the reason of the signal.
   * @example
   * ```ts
   * const lease = await planner.acquire(["plan", "budget"], { timeoutMs: 5_000 });
   * ```
   */
  acquire(contextIds: string | readonly string[], options?: AcquireOptions): Promise<Lease<Data>> {
    // Not `async`: a promise for a promise would cost each waiter as much as its place in the queue.
    try {
      this.#checkOpen();
      const lease = acquire<Data>(this.#store, acquireCommand(this.agentId, contextIds, options));
      return Promise.resolve(lease);
    } catch (error) {
      return Promise.reject(error); // oxlint-disable-line typescript/prefer-promise-reject-errors -- a signal's reason
    }
  }

  /**
   * Runs `run` under a lease and releases it, whatever happens.
   *
   * @returns what `run` returns.
   * @throws what `acquire` and `run` throw; and LEASE_LOST when `run` ended well but the lease was lost meanwhile.
   * @example
   * ```ts
   * await planner.withLock("plan", (lease) => lease.modify("plan", async ({ data }) => think(data)));
   * ```
   */
  async withLock<Result>(
    contextIds: string | readonly string[],
    run: (lease: Lease<Data>) => Result | PromiseLike<Result>,
    options?: AcquireOptions,
  ): Promise<Result> {
    checkFunction("run", run);
    const lease = await this.acquire(contextIds, options);
    let result: Result;
    try {
      result = await run(lease);
    } catch (error) {
      releaseQuietly(lease);
      throw error;
    }
    lease.release();
    return result;
  }

  /**
   * Releases everything that the agent holds, under whatever handle, and takes it out of its queues. Closing
   * twice does no harm; any other call afterwards is CLOSED.
   *
   * @throws {@link ContextError} INVALID while the function of a transaction runs.
   * @example
   * ```ts
   * planner.close();
   * ```
   */
  close(): void {
    if (this.#closed) return;
    this.#store.checkAlone();
    this.#closed = true;
    this.#store.forget(this.agentId);
  }

  #checkOpen(): void {
    if (this.#closed) throw new ContextError("CLOSED", { agentId: this.agentId });
    this.#store.checkOpen();
  }
}
