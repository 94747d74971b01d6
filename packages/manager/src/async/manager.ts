import type { LockOptions } from "../agent.ts";
import {
  checkFilter,
  checkFunction,
  checkId,
  type ExpectedVersion,
  type ForceUnlockOptions,
  readAfter,
  readFlag,
  readForce,
  readSignal,
  readTimeout,
  type WatchOptions,
} from "../arguments.ts";
import { blame, type BlameLine } from "../blame.ts";
import type { Change, ContextFilter } from "../changes.ts";
import { createCommand, removeCommand, updateCommand } from "../commands.ts";
import { type SharedContext, wrap } from "../context.ts";
import { Cursor } from "../cursor.ts";
import type { DeepReadonly, JsonObject } from "../data.ts";
import { type ManagerDict, writeManagerDict } from "../dictionary.ts";
import type { EngineSupports } from "../engine.ts";
import { ANONYMOUS, type Entry } from "../entry.ts";
import { ContextError } from "../errors.ts";
import * as rules from "../rules.ts";
import type { ManagerStats } from "../stats.ts";
import type { Predicate, WaitForOptions } from "../wait-for.ts";
import { type AsyncAgent, agentOn } from "./agent.ts";
import { lock, unlock } from "./locks.ts";
import type { AsyncStore } from "./store.ts";
import { waitFor } from "./wait-for.ts";

/** A friend of the class, not exported from the package. */
export let managerOn: <Data extends object>(store: AsyncStore) => AsyncSharedContextManager<Data>;

/**
 * A manager over a storage that several processes, or several machines, share: every method of
 * `SharedContextManager`, awaited, with the same rules, errors and order of refusals. Any call may also be UNAVAILABLE
 * when the storage does not answer, and a write INDETERMINATE when its answer was cut off and the change log does not
 * tell. Get one from `openManager`.
 *
 * @example
 * ```ts
 * await using manager = await openManager("sqlite:contexts.db");
 * const context = await manager.create("plan", { step: 1 });
 * await manager.update("plan", { step: 2 }, context);
 * ```
 */
export class AsyncSharedContextManager<Data extends object = JsonObject> {
  readonly #store: AsyncStore;

  private constructor(store: AsyncStore) {
    this.#store = store;
  }

  static {
    managerOn = (store) => new AsyncSharedContextManager(store);
  }

  /** What the storage can do beyond what every storage can. */
  get supports(): Readonly<EngineSupports> {
    return this.#store.engine.supports;
  }

  /** Creates a context at version `"1"`. INVALID, EXISTS, TOO_LARGE, LIMIT. */
  async create(contextId: string, initialData: DeepReadonly<Data>): Promise<SharedContext<Data>> {
    this.#store.checkOpen();
    return wrap<Data>(await this.#store.create(createCommand(ANONYMOUS, contextId, initialData, undefined)));
  }

  /** The context as it is now, or `undefined`. Locks do not block reading. */
  async get(contextId: string): Promise<SharedContext<Data> | undefined> {
    this.#store.checkOpen();
    checkId("contextId", contextId);
    const entry = await this.#store.load(contextId);
    return entry && wrap<Data>(entry);
  }

  /** Replaces the data of a context, if nobody has changed it since. NOT_FOUND, LOCKED, CONFLICT, in this order. */
  async update(contextId: string, data: DeepReadonly<Data>, expected: ExpectedVersion): Promise<SharedContext<Data>> {
    this.#store.checkOpen();
    return wrap<Data>(await this.#store.update(updateCommand(ANONYMOUS, contextId, data, expected, undefined)));
  }

  /** Sets the lock. @returns whether the agent holds it now. */
  async lock(contextId: string, agentId: string, options?: LockOptions): Promise<boolean> {
    this.#store.checkOpen();
    return lock(this.#store, contextId, agentId, options);
  }

  /** Clears the lock of this agent. @returns `false` when another agent holds it or nobody does. */
  async unlock(contextId: string, agentId: string): Promise<boolean> {
    this.#store.checkOpen();
    return unlock(this.#store, contextId, agentId);
  }

  /** Deletes a context, whoever holds its lock. @returns whether it existed. */
  async delete(contextId: string, expected?: ExpectedVersion): Promise<boolean> {
    this.#store.checkOpen();
    return this.#store.remove(removeCommand(undefined, contextId, expected, undefined));
  }

  /** Breaks the lock of a context, whoever holds it. @returns `false` when nobody does. */
  async forceUnlock(contextId: string, options: ForceUnlockOptions): Promise<boolean> {
    this.#store.checkOpen();
    checkId("contextId", contextId);
    let wasLocked = false;
    const rule = (found: Entry | undefined): ReturnType<typeof rules.breakLock> => {
      wasLocked = (found?.lock ?? null) !== null;
      return rules.breakLock(found, { contextId });
    };
    await this.#store.change([contextId], rule, readForce(options));
    return wasLocked;
  }

  /** The versions of a context that are kept, the oldest first and the present one last. */
  async history(contextId: string): Promise<SharedContext<Data>[]> {
    return (await this.#versionsOf(contextId)).map(wrap<Data>);
  }

  /** Who wrote what is there now, for each path that has a value. */
  async blame(contextId: string): Promise<BlameLine[]> {
    return blame(await this.#versionsOf(contextId));
  }

  /** A handle that acts in the name of an agent. */
  agent(agentId: string): AsyncAgent<Data> {
    this.#store.checkOpen();
    checkId("agentId", agentId);
    return agentOn<Data>(this.#store, agentId);
  }

  /** The ids of all contexts, in the order of their creation. */
  async listContexts(): Promise<string[]> {
    this.#store.checkOpen();
    const ids: string[] = [];
    for await (const { contextId } of this.#store.entries("")) ids.push(contextId);
    return ids;
  }

  /** Deletes every context, whoever holds their locks. Revisions go on. */
  async clear(): Promise<void> {
    this.#store.checkOpen();
    await this.#store.clear();
  }

  /** The number of contexts. */
  async size(): Promise<number> {
    this.#store.checkOpen();
    return (await this.#store.engine.load([], true)).contexts ?? 0;
  }

  /** The snapshots of all contexts, in the order of their creation; read page by page, as they are by then. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<SharedContext<Data>> {
    this.#store.checkOpen();
    for await (const entry of this.#store.entries("")) yield wrap<Data>(entry);
  }

  /** What happens, as an async iterator over the change log; see `SharedContextManager.watch`. `previous` is not known. */
  watch(filter?: ContextFilter, options?: WatchOptions): AsyncIterableIterator<Change<Data>, undefined> {
    this.#store.checkOpen();
    checkFilter(filter);
    const after = readAfter(options);
    const coalesce = readFlag(options, "coalesce");
    return new Cursor<Data>(this.#store.follower, { filter, after, coalesce, signal: readSignal(options) });
  }

  /** Calls `listener` with every change, soon after it has been committed by whatever process. @returns the end of it. */
  subscribe(filter: ContextFilter | undefined, listener: (change: Change<Data>) => void): () => void {
    this.#store.checkOpen();
    checkFilter(filter);
    checkFunction("listener", listener);
    return this.#store.follower.subscribe(filter, listener);
  }

  /** The context as soon as `predicate` holds of it. TIMEOUT has the last snapshot as `current`. */
  async waitFor(contextId: string, predicate: Predicate<Data>, options?: WaitForOptions): Promise<SharedContext<Data>> {
    this.#store.checkOpen();
    checkId("contextId", contextId);
    checkFunction("predicate", predicate);
    return waitFor(this.#store, contextId, predicate, readTimeout(options), readSignal(options));
  }

  /** What has been going on in this process, and how the store is now. */
  async stats(): Promise<ManagerStats> {
    this.#store.checkOpen();
    const { counters, turnstile, follower, engine, waits, losses } = this.#store;
    const { contexts = 0, head } = await engine.load([], true);
    const { refusals } = counters;
    return {
      contexts,
      revision: head,
      writes: counters.writes,
      merges: counters.merges,
      conflicts: refusals.CONFLICT,
      refusals,
      lockWaits: waits,
      queues: turnstile.lengths,
      leasesLost: losses,
      watchers: follower.size,
      lag: 0,
    };
  }

  /** Everything, as one dictionary for `JSON.stringify`. */
  async toDict(): Promise<ManagerDict<Data>> {
    this.#store.checkOpen();
    const { time, head } = await this.#store.engine.load([]);
    const entries: Entry[] = [];
    for await (const entry of this.#store.entries("")) entries.push(entry);
    const revision = Math.max(head, ...entries.map((entry) => entry.revision));
    return writeManagerDict<Data>(entries, revision, time.leaseMs);
  }

  /** Ends all watching and waiting here and closes the storage. Closing twice does no harm; other processes go on. */
  async close(): Promise<void> {
    if (this.#store.closed) return;
    for (const waiter of this.#store.turnstile.waitersOf(undefined)) waiter.fail(new ContextError("CLOSED", {}));
    this.#store.close();
    await this.#store.engine.close();
  }

  /** `close()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #versionsOf(contextId: string): Promise<Entry[]> {
    this.#store.checkOpen();
    checkId("contextId", contextId);
    const present = await this.#store.load(contextId);
    if (present === undefined) return [];
    const kept = await this.#store.engine.history(contextId);
    const own = kept.filter(
      ({ incarnation, version }) => incarnation === present.incarnation && Number(version) < Number(present.version),
    );
    return [...own, present];
  }
}
