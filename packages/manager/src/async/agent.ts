import {
  checkId,
  type ExpectedVersion,
  readContextIds,
  readMs,
  readSignal,
  readTimeout,
  type WriteOptions,
} from "../arguments.ts";
import { DEFAULT_MAX_HOLD_MS, DEFAULT_TTL_MS, type LockOptions } from "../agent.ts";
import {
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
import * as rules from "../rules.ts";
import { acquire, type AsyncAcquireOptions } from "./acquire.ts";
import type { AsyncLease } from "./lease.ts";
import { lock, unlock } from "./locks.ts";
import { type AsyncChange, modify } from "./modify.ts";
import type { AsyncStore } from "./store.ts";
import { type AsyncTransaction, transact } from "./transaction.ts";

/** A friend of the class, not exported from the package. */
export let agentOn: <Data extends object>(store: AsyncStore, agentId: string) => AsyncAgent<Data>;

/**
 * A handle with an identity on a shared store: `Agent`, awaited. The rules, the errors and their order are the same;
 * any call may also be UNAVAILABLE or, when a write was cut off, INDETERMINATE.
 */
export class AsyncAgent<Data extends object = JsonObject> {
  /** The name it acts under. */
  readonly agentId: string;
  readonly #store: AsyncStore;
  readonly #author: Author;
  #closed = false;

  private constructor(store: AsyncStore, agentId: string) {
    this.agentId = agentId;
    this.#store = store;
    this.#author = { agentId, token: null };
  }

  static {
    agentOn = (store, agentId) => new AsyncAgent(store, agentId);
  }

  /** Creates a context at version `"1"`. */
  async create(
    contextId: string,
    initialData: DeepReadonly<Data>,
    options?: WriteOptions,
  ): Promise<SharedContext<Data>> {
    this.#checkOpen();
    return wrap<Data>(await this.#store.create(createCommand(this.#author, contextId, initialData, options)));
  }

  /** Replaces the data of a context, if nobody has changed it since this agent read it. */
  async update(
    contextId: string,
    data: DeepReadonly<Data>,
    expected: ExpectedVersion,
    options?: WriteOptions,
  ): Promise<SharedContext<Data>> {
    this.#checkOpen();
    return wrap<Data>(await this.#store.update(updateCommand(this.#author, contextId, data, expected, options)));
  }

  /** Changes only what the patch names, and leaves what others have changed elsewhere as it is. */
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

  /** Writes what the agent has made of a snapshot, together with what others have changed since. */
  async merge(
    base: SharedContext<Data>,
    data: DeepReadonly<Data>,
    options?: WriteOptions,
  ): Promise<SharedContext<Data>> {
    this.#checkOpen();
    return wrap<Data>(await this.#store.edit(mergeCommand(this.#author, base, data, options)));
  }

  /** Reads a context, lets `change` make new data of it, and writes that; again when somebody was faster. */
  async modify(contextId: string, change: AsyncChange<Data>, options?: ModifyOptions): Promise<SharedContext<Data>> {
    this.#checkOpen();
    checkId("contextId", contextId);
    return modify(this.#store, contextId, change, options, this.#author, () => this.#checkOpen());
  }

  /** Writes the data of an earlier version as a new version, whatever has happened since. */
  async restore(contextId: string, version: string, options?: WriteOptions): Promise<SharedContext<Data>> {
    this.#checkOpen();
    return wrap<Data>(await this.#store.restore(restoreCommand(this.#author, contextId, version, options)));
  }

  /** Deletes a context, unless another agent has locked it. @returns whether it existed. */
  async delete(contextId: string, expected?: ExpectedVersion, options?: WriteOptions): Promise<boolean> {
    this.#checkOpen();
    return this.#store.remove(removeCommand(this.#author, contextId, expected, options));
  }

  /**
   * Runs a function that reads and writes several contexts, and commits all of it under one revision, or nothing. It
   * runs again when something that it has read has changed meanwhile; it may be asynchronous.
   */
  async transact<Result>(run: (tx: AsyncTransaction<Data>) => Result | PromiseLike<Result>): Promise<Result> {
    this.#checkOpen();
    const { result } = await transact<Data, Result>(this.#store, run, () => this.#author);
    return result;
  }

  /** Takes the lock if it is free and nobody in this process waits for it; never waits itself. */
  async lock(contextId: string, options?: LockOptions): Promise<boolean> {
    this.#checkOpen();
    return lock(this.#store, contextId, this.agentId, options);
  }

  /** Clears the lock of this agent, however it got it. */
  async unlock(contextId: string): Promise<boolean> {
    this.#checkOpen();
    return unlock(this.#store, contextId, this.agentId);
  }

  /**
   * Waits for its turn and takes a lease on one context or on several at once. Within this process first in, first
   * out; between processes a freed lock goes to whoever commits first.
   */
  async acquire(contextIds: string | readonly string[], options?: AsyncAcquireOptions): Promise<AsyncLease<Data>> {
    this.#checkOpen();
    return acquire<Data>(this.#store, {
      agentId: this.agentId,
      contextIds: readContextIds(contextIds),
      ttlMs: readMs(options, "ttlMs", 1) ?? DEFAULT_TTL_MS,
      maxHoldMs: readMs(options, "maxHoldMs", 0) ?? DEFAULT_MAX_HOLD_MS,
      timeoutMs: readTimeout(options),
      signal: readSignal(options),
    });
  }

  /** Runs `run` under a lease and releases it, whatever happens. */
  async withLock<Result>(
    contextIds: string | readonly string[],
    run: (lease: AsyncLease<Data>) => Result | PromiseLike<Result>,
    options?: AsyncAcquireOptions,
  ): Promise<Result> {
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

  /** Releases everything that the agent holds, and takes it out of the queues of this process. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { agentId } = this;
    const closed = new ContextError("CLOSED", { agentId });
    for (const waiter of this.#store.turnstile.waitersOf(agentId)) waiter.fail(closed);
    for await (const { contextId, lock: held } of this.#store.entries("")) {
      if (held?.owner !== agentId) continue;
      try {
        await this.#store.change([contextId], (found) => rules.unlock(found, { contextId, agentId }));
      } catch (error) {
        // Somebody has taken it over or deleted the context: all the same.
        if (!isContextError(error, "LOCKED") && !isContextError(error, "NOT_FOUND")) throw error;
      }
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new ContextError("CLOSED", { agentId: this.agentId });
    this.#store.checkOpen();
  }
}
