import type { LockOptions } from "../agent.ts";
import {
  checkFunction,
  checkId,
  type ExpectedVersion,
  type ForceUnlockOptions,
  type PageOptions,
  readAfter,
  readFlag,
  readForce,
  readPage,
  readSignal,
  readStorableFilter,
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
import type { ManagerStats } from "../stats.ts";
import type { Predicate, WaitForOptions } from "../wait-for.ts";
import { type AsyncAgent, agentOn } from "./agent.ts";
import { lock, unlock } from "./locks.ts";
import type { SharedStore } from "./shared-store.ts";
import { waitFor } from "./wait-for.ts";

/** Some of the contexts, in the order of their creation. */
export interface ContextPage<Data extends object = JsonObject> {
  /** At most as many as were asked for. */
  readonly contexts: SharedContext<Data>[];
  /** For `after`; `undefined` when there are no more. What it leads to may be empty. */
  readonly next: string | undefined;
}

/** A friend of the class, not exported from the package. */
export let managerOn: <Data extends object>(store: SharedStore) => AsyncSharedContextManager<Data>;

/** What a manager is over. Another friend. */
export let storeOf: <Data extends object>(manager: AsyncSharedContextManager<Data>) => SharedStore;

/**
 * A manager over a storage that several processes, or several machines, share: every method of
 * `SharedContextManager`, awaited, with the same rules, errors and order of refusals. Any call may also be UNAVAILABLE
 * when the storage does not answer, CORRUPT when what it holds cannot be read, and a write INDETERMINATE when its answer
 * was cut off and the change log does not tell. Get one from `openManager`.
 *
 * @example
 * ```ts
 * await using manager = await openManager("sqlite:contexts.db");
 * const context = await manager.create("plan", { step: 1 });
 * await manager.update("plan", { step: 2 }, context);
 * ```
 */
export class AsyncSharedContextManager<Data extends object = JsonObject> {
  readonly #store: SharedStore;
  #closing: Promise<void> | undefined;

  private constructor(store: SharedStore) {
    this.#store = store;
  }

  static {
    managerOn = (store) => new AsyncSharedContextManager(store);
    storeOf = (manager) => manager.#store;
  }

  /** What the storage can do beyond what every storage can. */
  get supports(): Readonly<EngineSupports> {
    return this.#store.supports;
  }

  /**
   * Creates a context at version `"1"`.
   *
   * @param contextId - 1 to 512 bytes of well-formed UTF-8, without NUL.
   * @param initialData - copied at once; a plain object of JSON values.
   * @throws {@link ContextError} INVALID, EXISTS, TOO_LARGE, LIMIT, CLOSED, UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * const context = await manager.create("plan", { step: 1 });
   * ```
   */
  async create(contextId: string, initialData: DeepReadonly<Data>): Promise<SharedContext<Data>> {
    this.#store.checkOpen();
    return wrap<Data>(await this.#store.create(createCommand(ANONYMOUS, contextId, initialData, undefined)));
  }

  /**
   * The context as it is now, or `undefined`. Locks do not block reading.
   *
   * @throws {@link ContextError} INVALID, CLOSED, UNAVAILABLE, CORRUPT.
   * @example
   * ```ts
   * const step = (await manager.get("plan"))?.data.step;
   * ```
   */
  async get(contextId: string): Promise<SharedContext<Data> | undefined> {
    this.#store.checkOpen();
    checkId("contextId", contextId);
    const entry = await this.#store.load(contextId);
    return entry && wrap<Data>(entry);
  }

  /**
   * Replaces the data of a context, if nobody, in whatever process, has changed it since the caller read it.
   *
   * @param data - the whole new data, copied at once.
   * @param expected - the version string that the caller read, or the snapshot itself. A snapshot also tells a context
   *   that was deleted and created again from the one that was read.
   * @throws {@link ContextError} INVALID, NOT_FOUND, LOCKED (also for the owner of the lock), CONFLICT, in this order;
   *   TOO_LARGE, CLOSED, UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * const context = await manager.get("plan");
   * if (context) await manager.update("plan", { ...context.data, step: 2 }, context);
   * ```
   */
  async update(contextId: string, data: DeepReadonly<Data>, expected: ExpectedVersion): Promise<SharedContext<Data>> {
    this.#store.checkOpen();
    return wrap<Data>(await this.#store.update(updateCommand(ANONYMOUS, contextId, data, expected, undefined)));
  }

  /**
   * Sets the lock, which pauses every update of the context until it is unlocked.
   *
   * @returns `true` when the agent now holds the lock or held it already, `false` when another agent does, or waits for
   *   its turn in this process.
   * @throws {@link ContextError} INVALID, NOT_FOUND, CLOSED, UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * if (await manager.lock("plan", "reviewer")) {
   *   // nobody updates the plan now
   *   await manager.unlock("plan", "reviewer");
   * }
   * ```
   */
  async lock(contextId: string, agentId: string, options?: LockOptions): Promise<boolean> {
    this.#store.checkOpen();
    return lock(this.#store, contextId, agentId, options);
  }

  /**
   * Clears the lock of this agent.
   *
   * @returns `false` when another agent holds the lock or nobody does.
   * @throws {@link ContextError} INVALID, NOT_FOUND, CLOSED, UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * await manager.unlock("plan", "reviewer");
   * ```
   */
  async unlock(contextId: string, agentId: string): Promise<boolean> {
    this.#store.checkOpen();
    return unlock(this.#store, contextId, agentId);
  }

  /**
   * Deletes a context, whoever holds its lock.
   *
   * @param expected - delete only this version, or only this very context when it is a snapshot; without it, whatever
   *   is there.
   * @returns whether it existed.
   * @throws {@link ContextError} INVALID, CONFLICT, CLOSED, UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * await manager.delete("plan");
   * ```
   */
  async delete(contextId: string, expected?: ExpectedVersion): Promise<boolean> {
    this.#store.checkOpen();
    return this.#store.remove(removeCommand(undefined, contextId, expected, undefined));
  }

  /**
   * Breaks the lock of a context, whoever holds it. Its holder, in whatever process, hears of it as soon as its change
   * log is read there; every later call through its lease is LEASE_LOST at once.
   *
   * @param options - `reason` is required; `agentId` is who does it.
   * @returns `false` when nobody holds the lock.
   * @throws {@link ContextError} INVALID, NOT_FOUND, CLOSED, UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * await manager.forceUnlock("plan", { reason: "its holder hangs", agentId: "operator" });
   * ```
   */
  async forceUnlock(contextId: string, options: ForceUnlockOptions): Promise<boolean> {
    this.#store.checkOpen();
    checkId("contextId", contextId);
    return this.#store.breakLock(contextId, readForce(options));
  }

  /**
   * The versions of a context that are kept, the oldest first and the present one last. Each is a snapshot of the last
   * moment of its version. Empty when the context does not exist. A deletion ends it.
   *
   * @throws {@link ContextError} INVALID, CLOSED, UNAVAILABLE, CORRUPT.
   * @example
   * ```ts
   * for (const { version, updatedBy } of await manager.history("plan")) console.log(version, updatedBy);
   * ```
   */
  async history(contextId: string): Promise<SharedContext<Data>[]> {
    return (await this.#versionsOf(contextId)).map(wrap<Data>);
  }

  /**
   * Who wrote what is there now: for each path that has a value, the version since which it has been the same, as far
   * as the history goes back.
   *
   * @returns in the order of the data; empty when the context does not exist.
   * @throws {@link ContextError} INVALID, CLOSED, UNAVAILABLE, CORRUPT.
   * @example
   * ```ts
   * const lines = await manager.blame("plan");
   * console.log(lines.find(({ path }) => path === "/tasks/id=3/owner")?.agentId);
   * ```
   */
  async blame(contextId: string): Promise<BlameLine[]> {
    return blame(await this.#versionsOf(contextId));
  }

  /**
   * A handle that acts in the name of an agent: the owner of a lock writes through it, and it can wait for locks. It
   * costs no call to the storage.
   *
   * @throws {@link ContextError} INVALID, CLOSED.
   * @example
   * ```ts
   * const planner = manager.agent("planner");
   * await planner.withLock("plan", (lease) => lease.patch("plan", { step: 2 }));
   * ```
   */
  agent(agentId: string): AsyncAgent<Data> {
    this.#store.checkOpen();
    checkId("agentId", agentId);
    return agentOn<Data>(this.#store, agentId);
  }

  /**
   * The ids of all contexts, in the order of their creation; read page by page.
   *
   * @throws {@link ContextError} CLOSED, UNAVAILABLE, CORRUPT.
   * @example
   * ```ts
   * const plans = (await manager.listContexts()).filter((id) => id.startsWith("plan-"));
   * ```
   */
  async listContexts(): Promise<string[]> {
    this.#store.checkOpen();
    const ids: string[] = [];
    for await (const { contextId } of this.#store.entries("")) ids.push(contextId);
    return ids;
  }

  /**
   * Some of the contexts, in the order of their creation: for a list that goes on later, or somewhere else. A page costs
   * no more the further it is from the first; each context is as it is by then.
   *
   * @throws {@link ContextError} INVALID, CLOSED, UNAVAILABLE, CORRUPT.
   * @example
   * ```ts
   * const first = await manager.page({ prefix: "plan-", limit: 20 });
   * if (first.next) await manager.page({ prefix: "plan-", limit: 20, after: first.next });
   * ```
   */
  async page(options?: PageOptions): Promise<ContextPage<Data>> {
    this.#store.checkOpen();
    const { entries, next } = await this.#store.page(readPage(options));
    return { contexts: entries.map(wrap<Data>), next };
  }

  /**
   * Deletes every context of this namespace, whoever holds their locks. Revisions go on.
   *
   * @throws {@link ContextError} CLOSED, UNAVAILABLE, INDETERMINATE.
   * @example
   * ```ts
   * await manager.clear();
   * await manager.size(); // 0
   * ```
   */
  async clear(): Promise<void> {
    this.#store.checkOpen();
    await this.#store.clear();
  }

  /**
   * The number of contexts.
   *
   * @throws {@link ContextError} CLOSED, UNAVAILABLE.
   * @example
   * ```ts
   * if ((await manager.size()) === 0) await manager.create("plan", { step: 1 });
   * ```
   */
  async size(): Promise<number> {
    this.#store.checkOpen();
    return (await this.#store.look([], true)).contexts ?? 0;
  }

  /**
   * The snapshots of all contexts, in the order of their creation; read page by page, each as it is by then.
   *
   * @throws {@link ContextError} CLOSED, UNAVAILABLE, CORRUPT.
   * @example
   * ```ts
   * for await (const context of manager) console.log(context.contextId, context.version);
   * ```
   */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<SharedContext<Data>> {
    this.#store.checkOpen();
    for await (const entry of this.#store.entries("")) yield wrap<Data>(entry);
  }

  /**
   * What happens, in whatever process, as an async iterator over the change log: first how things are, as changes of
   * kind `current`, then every change, in order, none twice and none missed, those of one transaction together. With
   * `after`, every change past that revision instead. Leaving the loop ends it. `previous` is not known.
   *
   * @param filter - a context id, or `{ prefix }` of ids; without it, all contexts.
   * @returns an iterator that rejects with COMPACTED when what it has not read is kept no more; with UNAVAILABLE; with
   *   the reason of the signal; and that ends when the manager is closed.
   * @throws {@link ContextError} INVALID, CLOSED.
   * @example
   * ```ts
   * for await (const { kind, context } of manager.watch("plan")) {
   *   console.log(kind, context?.version);
   *   if (context?.data.approved) break;
   * }
   * ```
   */
  watch(filter?: ContextFilter, options?: WatchOptions): AsyncIterableIterator<Change<Data>, undefined> {
    this.#store.checkOpen();
    const heard = readStorableFilter(filter);
    const after = readAfter(options);
    const coalesce = readFlag(options, "coalesce");
    return new Cursor<Data>(this.#store.follower, { filter: heard, after, coalesce, signal: readSignal(options) });
  }

  /**
   * Calls `listener` with every change, soon after it has been committed by whatever process. What a listener throws is
   * reported as the platform reports it, and disturbs nobody.
   *
   * What this process commits after the call is heard, and what others commit once the storage has answered for the
   * first time. Whoever must hear of everything from a revision on uses `watch` with `after`.
   *
   * @param filter - a context id, or `{ prefix }` of ids; `undefined` for all contexts.
   * @returns the unsubscription. Calling it twice does no harm.
   * @throws {@link ContextError} INVALID, CLOSED.
   * @example
   * ```ts
   * const unsubscribe = manager.subscribe({ prefix: "task-" }, ({ kind, contextId }) => console.log(kind, contextId));
   * ```
   */
  subscribe(filter: ContextFilter | undefined, listener: (change: Change<Data>) => void): () => void {
    this.#store.checkOpen();
    const heard = readStorableFilter(filter);
    checkFunction("listener", listener);
    return this.#store.follower.subscribe(heard, listener);
  }

  /**
   * The context as soon as `predicate` holds of it: as it is now, or after the first change, in whatever process, that
   * makes it so. It need not exist yet.
   *
   * @param predicate - called with each snapshot; what it throws rejects.
   * @throws {@link ContextError} INVALID, TIMEOUT with the last snapshot as `current`, CLOSED, UNAVAILABLE, COMPACTED;
   *   or the reason of the signal.
   * @example
   * ```ts
   * const plan = await manager.waitFor("plan", ({ data }) => data.approved, { timeoutMs: 60_000 });
   * ```
   */
  async waitFor(contextId: string, predicate: Predicate<Data>, options?: WaitForOptions): Promise<SharedContext<Data>> {
    this.#store.checkOpen();
    checkId("contextId", contextId);
    checkFunction("predicate", predicate);
    return waitFor(this.#store, contextId, predicate, readTimeout(options), readSignal(options));
  }

  /**
   * What has been going on: counted in this process since the manager was opened; `contexts` and `revision` are those
   * of the store now.
   *
   * @throws {@link ContextError} CLOSED, UNAVAILABLE.
   * @example
   * ```ts
   * const { writes, conflicts } = await manager.stats();
   * console.log(`${conflicts} conflicts in ${writes} writes`);
   * ```
   */
  async stats(): Promise<ManagerStats> {
    this.#store.checkOpen();
    const { counters, turnstile, follower, waits, losses } = this.#store;
    const { contexts = 0, head } = await this.#store.look([], true);
    const { refusals } = counters;
    return {
      contexts,
      revision: head,
      writes: counters.writes,
      merges: counters.merges,
      conflicts: refusals.CONFLICT,
      refusals,
      lockWaits: waits,
      queues: turnstile.lines,
      leasesLost: losses,
      watchers: follower.size,
      lag: follower.lag,
    };
  }

  /**
   * Everything, as one dictionary for `JSON.stringify`: data, versions, locks, incarnations, head revision. It is read
   * page by page: what others write meanwhile may be in it or not.
   *
   * @throws {@link ContextError} CLOSED, UNAVAILABLE, CORRUPT.
   * @example
   * ```ts
   * const dump = JSON.stringify(await manager.toDict());
   * const copy = SharedContextManager.fromDict(JSON.parse(dump));
   * ```
   */
  async toDict(): Promise<ManagerDict<Data>> {
    this.#store.checkOpen();
    const { time, head } = await this.#store.look([]);
    const entries: Entry[] = [];
    for await (const entry of this.#store.entries("")) entries.push(entry);
    const revision = Math.max(head, ...entries.map((entry) => entry.revision));
    return writeManagerDict<Data>(entries, revision, time.leaseMs);
  }

  /**
   * Ends all watching and waiting here and closes the storage; any other call afterwards is CLOSED, and so it is for
   * its agents and leases. Locks stay until they lapse: close the agents before, to release them. Closing twice does no
   * harm; other processes go on.
   *
   * @example
   * ```ts
   * await manager.close();
   * ```
   */
  async close(): Promise<void> {
    await (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    if (this.#store.closed) return;
    for (const waiter of this.#store.turnstile.waiters) waiter.fail(new ContextError("CLOSED", {}));
    await this.#store.close();
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
    const kept = await this.#store.history(contextId);
    const own = kept.filter(
      ({ incarnation, version }) => incarnation === present.incarnation && Number(version) < Number(present.version),
    );
    return [...own, present];
  }
}
