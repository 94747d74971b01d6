import { admission } from "./admission.ts";
import { type Agent, agentOn, type LockOptions } from "./agent.ts";
import {
  checkFunction,
  checkId,
  checkOptions,
  type ExpectedVersion,
  type ForceUnlockOptions,
  readAfter,
  readFilter,
  readFlag,
  readForce,
  readMs,
  readSignal,
  readTimeout,
  type WatchOptions,
} from "./arguments.ts";
import { blame, type BlameLine } from "./blame.ts";
import type { Change, ContextFilter } from "./changes.ts";
import { type Clock, systemClock } from "./clock.ts";
import { createCommand, removeCommand, updateCommand } from "./commands.ts";
import { type SharedContext, wrap } from "./context.ts";
import { DEEP, DEEP_AND_SHARING, type DeepReadonly, type JsonObject, SHALLOW } from "./data.ts";
import { Cursor } from "./cursor.ts";
import { type ManagerDict, readManagerDict, writeManagerDict } from "./dictionary.ts";
import { ANONYMOUS } from "./entry.ts";
import { ContextError } from "./errors.ts";
import { History } from "./history.ts";
import { accepted } from "./refusal.ts";
import type { SchemaOption } from "./schema.ts";
import { type ManagerStats, statsOf } from "./stats.ts";
import { Store } from "./store.ts";
import { type Predicate, waitFor, type WaitForOptions } from "./wait-for.ts";

/** V8 knows what a constant of a module holds; of an import it asks at each use whether it is there by now. */
const snapshotOf = wrap;

/** Options of a manager; each has a default that is safe. */
export interface SharedContextManagerOptions<Data extends object = JsonObject> {
  /**
   * `"deep"` (default): data is JSON values, copied in and frozen, so that nothing a caller changes reaches
   * the store or another agent. `"shallow"`, the letter of section 6.20: any values, copied one level deep,
   * nested ones by reference.
   */
  readonly isolation?: "deep" | "shallow";
  /**
   * How many versions before the present one are kept of each context, for `history`, `blame` and
   * `agent.restore`: 0 by default. With it, data that a caller sends whole is compared with what it replaces, so
   * that a version takes the memory of what changed.
   */
  readonly historyLimit?: number;
  /**
   * How many changes are kept for `watch` with `after`: 0 by default, and then nothing is kept that nobody watches.
   * Whoever watches may lag 1,024 changes in any case.
   */
  readonly changeLogLimit?: number;
  /** How many contexts there may be: any number by default. One more is LIMIT. */
  readonly maxContexts?: number;
  /**
   * How large the data of one context may be, in bytes of its JSON in UTF-8: any size by default. More is TOO_LARGE.
   * A write costs the counting of what is new in it. Not with shallow isolation, whose data need not be JSON.
   */
  readonly maxDataBytes?: number;
  /**
   * What data must look like: a schema of zod, valibot, ArkType or any other library that keeps to Standard Schema
   * (https://standardschema.dev), or a function from the id of a context to one. What it puts out is stored. It must
   * be synchronous, and accept what it has put out: the result of a merge goes through it again. What `fromDict`
   * loads does not.
   */
  readonly schema?: SchemaOption<Data>;
  /** Where the time comes from; by default the system's clock. */
  readonly clock?: Clock;
}

/**
 * Named, versioned state that several agents share without losing each other's work. In process, in memory,
 * synchronous: when a method returns, what it did is done.
 *
 * @typeParam Data - what the contexts of this manager hold.
 * @example
 * ```ts
 * const manager = new SharedContextManager<{ step: number }>();
 * const context = manager.create("plan", { step: 1 });
 * manager.update("plan", { step: 2 }, context);
 * ```
 */
export class SharedContextManager<Data extends object = JsonObject> {
  /** Those of the store, a step nearer for `get`. */
  #entries: Store["entries"] = new Map();
  #store: Store;
  #closed = false;

  /**
   * An empty manager.
   *
   * @throws {@link ContextError} INVALID naming the option that is wrong.
   * @example
   * ```ts
   * const manager = new SharedContextManager<{ step: number }>({ historyLimit: 64, maxContexts: 10_000 });
   * ```
   */
  constructor(options: SharedContextManagerOptions<Data> = {}) {
    checkOptions(options);
    const { isolation = "deep", clock = systemClock, historyLimit = 0, schema } = options;
    const { changeLogLimit = 0, maxContexts = Infinity, maxDataBytes = Infinity } = options;
    const history = historyLimit === 0 ? undefined : new History(historyLimit);
    const kind = isolation === "shallow" ? SHALLOW : history === undefined ? DEEP : DEEP_AND_SHARING;
    const limits = admission(kind, { maxDataBytes, schema });
    const entries = this.#entries;
    this.#store = new Store({ entries, clock, admission: limits, maxContexts, changeLogLimit, history });
  }

  /**
   * Creates a context at version `"1"`.
   *
   * @param contextId - any string.
   * @param initialData - copied; a plain object, of JSON values unless the isolation is shallow.
   * @throws {@link ContextError} INVALID, EXISTS, TOO_LARGE, LIMIT, CLOSED.
   * @example
   * ```ts
   * const context = manager.create("plan", { step: 1 });
   * ```
   */
  create(contextId: string, initialData: DeepReadonly<Data>): SharedContext<Data> {
    return wrap(accepted(this.#store.create(createCommand(ANONYMOUS, contextId, initialData, undefined))));
  }

  /**
   * The context as it is now, or `undefined`. Locks do not block reading.
   *
   * @throws {@link ContextError} INVALID, CLOSED.
   * @example
   * ```ts
   * const step = manager.get("plan")?.data.step;
   * ```
   */
  get(contextId: string): SharedContext<Data> | undefined {
    const entry = this.#entries.get(contextId);
    return entry === undefined ? this.#missing(contextId) : snapshotOf(entry);
  }

  #missing(contextId: string): undefined {
    checkId("contextId", contextId); // only strings are ever found
  }

  /**
   * Replaces the data of a context, if nobody has changed it since the caller read it: a compare-and-set
   * (Herlihy, "Wait-free synchronization", 1991) on its version.
   *
   * @param data - the whole new data, copied; what it shares with an older snapshot is not copied again.
   * @param expected - the version string that the caller read, or the snapshot itself. A snapshot also tells
   *   a context that was deleted and created again from the one that was read.
   * @throws {@link ContextError} INVALID, NOT_FOUND, LOCKED (also for the owner of the lock), CONFLICT, TOO_LARGE,
   *   CLOSED.
   * @example
   * ```ts
   * const context = manager.get("plan");
   * if (context) manager.update("plan", { ...context.data, step: 2 }, context);
   * ```
   */
  update(contextId: string, data: DeepReadonly<Data>, expected: ExpectedVersion): SharedContext<Data> {
    return wrap(accepted(this.#store.update(updateCommand(ANONYMOUS, contextId, data, expected, undefined))));
  }

  /**
   * Sets the lock, which pauses every update of the context until it is unlocked.
   *
   * @returns `true` when the agent now holds the lock or held it already, `false` when another agent does.
   * @throws {@link ContextError} INVALID, NOT_FOUND, CLOSED.
   * @example
   * ```ts
   * if (manager.lock("plan", "reviewer")) {
   *   // nobody updates the plan now
   *   manager.unlock("plan", "reviewer");
   * }
   * ```
   */
  lock(contextId: string, agentId: string, options?: LockOptions): boolean {
    checkId("contextId", contextId);
    checkId("agentId", agentId);
    return accepted(this.#store.lock({ contextId, agentId, ttlMs: readMs(options, "ttlMs", 1) }));
  }

  /**
   * Clears the lock of this agent.
   *
   * @returns `false` when another agent holds the lock or nobody does.
   * @throws {@link ContextError} INVALID, NOT_FOUND, CLOSED.
   * @example
   * ```ts
   * manager.unlock("plan", "reviewer");
   * ```
   */
  unlock(contextId: string, agentId: string): boolean {
    checkId("contextId", contextId);
    checkId("agentId", agentId);
    return accepted(this.#store.unlock({ contextId, agentId }));
  }

  /**
   * Deletes a context, whoever holds its lock.
   *
   * @param expected - delete only this version, or only this very context when it is a snapshot; without it,
   *   whatever is there.
   * @returns whether it existed.
   * @throws {@link ContextError} INVALID, CONFLICT, CLOSED.
   * @example
   * ```ts
   * manager.delete("plan");
   * ```
   */
  delete(contextId: string, expected?: ExpectedVersion): boolean {
    return accepted(this.#store.remove(removeCommand(undefined, contextId, expected, undefined)));
  }

  /**
   * Breaks the lock of a context, whoever holds it. Its holder is told with the reason: its signal aborts, and
   * every later call through its lease is LEASE_LOST.
   *
   * @param options - `reason` is required; `agentId` is who does it.
   * @returns `false` when nobody holds the lock.
   * @throws {@link ContextError} INVALID, NOT_FOUND, CLOSED.
   * @example
   * ```ts
   * manager.forceUnlock("plan", { reason: "its holder hangs", agentId: "operator" });
   * ```
   */
  forceUnlock(contextId: string, options: ForceUnlockOptions): boolean {
    checkId("contextId", contextId);
    return accepted(this.#store.forceUnlock(contextId, readForce(options)));
  }

  /**
   * The versions of a context that are kept, the oldest first and the present one last. Each is a snapshot of the
   * last moment of its version. Empty when the context does not exist; only the present version when
   * `historyLimit` is 0. A deletion ends it, and a dump does not carry it.
   *
   * @throws {@link ContextError} INVALID, CLOSED.
   * @example
   * ```ts
   * const manager = new SharedContextManager({ historyLimit: 64 });
   * for (const { version, updatedBy } of manager.history("plan")) console.log(version, updatedBy);
   * ```
   */
  history(contextId: string): SharedContext<Data>[] {
    checkId("contextId", contextId);
    return this.#store.versionsOf(contextId).map(wrap<Data>);
  }

  /**
   * Who wrote what is there now: for each path that has a value, the version since which it has been the same.
   * An element of an array of objects with an `id` each is named by it, as in `/tasks/id=3/owner`, and keeps its
   * author when it moves.
   *
   * @returns in the order of the data; empty when the context does not exist.
   * @throws {@link ContextError} INVALID, CLOSED.
   * @example
   * ```ts
   * const owner = manager.blame("plan").find(({ path }) => path === "/tasks/id=3/owner");
   * console.log(owner?.agentId, owner?.note);
   * ```
   */
  blame(contextId: string): BlameLine[] {
    checkId("contextId", contextId);
    return blame(this.#store.versionsOf(contextId));
  }

  /**
   * What happens, as an async iterator over the change log: first how things are (`kind: "current"`), then every
   * change, in order, none twice and none missed, those of one transaction together. With `after`, every change past
   * that revision instead. Leaving the loop ends it.
   *
   * @param filter - a context id, or `{ prefix }` of ids; without it, all contexts.
   * @returns an iterator that rejects with COMPACTED when what it has not read is kept no more; with the reason of
   *   the signal; and that ends when the manager is closed.
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
    const heard = readFilter(filter);
    const after = readAfter(options);
    const coalesce = readFlag(options, "coalesce");
    return new Cursor<Data>(this.#store.feed, { filter: heard, after, coalesce, signal: readSignal(options) });
  }

  /**
   * Calls `listener` with every change, when it has been committed and before the call that made it returns. What a
   * listener throws is reported as the platform reports it, and disturbs nobody. A listener may write: everybody
   * hears of that after the change at hand.
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
    const heard = readFilter(filter);
    checkFunction("listener", listener);
    return this.#store.feed.subscribe(heard, listener);
  }

  /**
   * The context as soon as `predicate` holds of it: as it is now, or after the first change that makes it so. It need
   * not exist yet.
   *
   * @param predicate - called with each snapshot; what it throws rejects.
   * @throws {@link ContextError} INVALID, TIMEOUT with the last snapshot as `current`, CLOSED; or the reason of the
   *   signal.
   * @example
   * ```ts
   * const plan = await manager.waitFor("plan", ({ data }) => data.approved, { timeoutMs: 60_000 });
   * ```
   */
  async waitFor(contextId: string, predicate: Predicate<Data>, options?: WaitForOptions): Promise<SharedContext<Data>> {
    checkId("contextId", contextId);
    checkFunction("predicate", predicate);
    return waitFor(this.#store, contextId, predicate, readTimeout(options), readSignal(options));
  }

  /**
   * What has been going on: counted since the manager was made, and as it is now.
   *
   * @throws {@link ContextError} CLOSED.
   * @example
   * ```ts
   * const { writes, conflicts } = manager.stats();
   * console.log(`${conflicts} conflicts in ${writes} writes`);
   * ```
   */
  stats(): ManagerStats {
    return statsOf(this.#store);
  }

  /**
   * Ends all watching and waiting, and takes no command any more: any other call afterwards is CLOSED, and so it is
   * for its agents and leases. Closing twice does no harm.
   *
   * @example
   * ```ts
   * manager.close();
   * ```
   */
  close(): void {
    if (this.#closed) return;
    this.#store.close();
    this.#closed = true;
    this.#store = CLOSED as Store;
    this.#entries = CLOSED as Store["entries"];
  }

  /**
   * A handle that acts in the name of an agent: the owner of a lock writes through it, and it can wait for locks.
   *
   * @throws {@link ContextError} INVALID, CLOSED.
   * @example
   * ```ts
   * const planner = manager.agent("planner");
   * await planner.withLock("plan", (lease) => lease.update("plan", { step: 2 }, "1"));
   * ```
   */
  agent(agentId: string): Agent<Data> {
    checkId("agentId", agentId);
    this.#store.checkOpen();
    return agentOn<Data>(this.#store, agentId);
  }

  /**
   * The ids of all contexts, in the order of their creation.
   *
   * @throws {@link ContextError} CLOSED.
   * @example
   * ```ts
   * const plans = manager.listContexts().filter((id) => id.startsWith("plan-"));
   * ```
   */
  listContexts(): string[] {
    return Array.from(this.#store.entries.keys());
  }

  /**
   * Deletes every context, whoever holds their locks. Revisions go on.
   *
   * @throws {@link ContextError} INVALID while the function of a transaction runs, CLOSED.
   * @example
   * ```ts
   * manager.clear();
   * manager.size; // 0
   * ```
   */
  clear(): void {
    this.#store.clear();
  }

  /**
   * The number of contexts.
   *
   * @throws {@link ContextError} CLOSED.
   * @example
   * ```ts
   * if (manager.size === 0) manager.create("plan", { step: 1 });
   * ```
   */
  get size(): number {
    return this.#store.entries.size;
  }

  /**
   * The snapshots of all contexts as they are when the iteration starts, in the order of their creation.
   *
   * @throws {@link ContextError} CLOSED.
   * @example
   * ```ts
   * for (const context of manager) console.log(context.contextId, context.version);
   * ```
   */
  [Symbol.iterator](): IterableIterator<SharedContext<Data>> {
    return Array.from(this.#store.entries.values(), wrap<Data>).values();
  }

  /**
   * Everything, as one dictionary for `JSON.stringify`: data, versions, locks, incarnations, head revision.
   *
   * @throws {@link ContextError} CLOSED.
   * @example
   * ```ts
   * const dump = JSON.stringify(manager.toDict());
   * const again = SharedContextManager.fromDict(JSON.parse(dump));
   * ```
   */
  toDict(): ManagerDict<Data> {
    const { entries, head, clock } = this.#store;
    return writeManagerDict<Data>(entries.values(), head, clock.leaseMs());
  }

  /**
   * What `JSON.stringify(manager)` writes: `toDict()`.
   *
   * @throws {@link ContextError} CLOSED.
   */
  toJSON(): ManagerDict<Data> {
    return this.toDict();
  }

  /**
   * A manager that goes on where `toDict()` was taken: all of it, or an error and nothing.
   *
   * @throws {@link ContextError} INVALID naming the field that is wrong.
   * @example
   * ```ts
   * const manager = SharedContextManager.fromDict(JSON.parse(dump));
   * ```
   */
  static fromDict<Data extends object = JsonObject>(
    dict: unknown,
    options?: SharedContextManagerOptions<Data>,
  ): SharedContextManager<Data> {
    const manager = new SharedContextManager<Data>(options);
    const store = manager.#store;
    const { entries, revision } = readManagerDict(dict, store.time(undefined, true), store.admission.copy);
    for (const [contextId, entry] of entries) store.entries.set(contextId, entry);
    store.feed.startAt(revision);
    return manager;
  }
}

/** Stands in for the store of a closed manager, and for its entries: so an open one need not ask at every call. */
const CLOSED: unknown = new Proxy(
  {},
  {
    get() {
      throw new ContextError("CLOSED", {});
    },
  },
);
