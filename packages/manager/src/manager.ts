import { checkData, checkId, checkOptions, type ExpectedVersion, readExpected } from "./arguments.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type SharedContext, wrap } from "./context.ts";
import { type Copy, copyDeep, copyShallow, type DeepReadonly, type JsonObject } from "./data.ts";
import { type ManagerDict, readManagerDict, writeManagerDict } from "./dictionary.ts";
import { ContextError, type ErrorCode, type ErrorDetails } from "./errors.ts";
import * as rules from "./rules.ts";
import { type Entry, Rejection } from "./rules.ts";

/** Options of a manager; each has a default that is safe. */
export interface SharedContextManagerOptions {
  /**
   * `"deep"` (default): data is JSON values, copied in and frozen, so that nothing a caller changes reaches
   * the store or another agent. `"shallow"`, the letter of section 6.20: any values, copied one level deep,
   * nested ones by reference.
   */
  readonly isolation?: "deep" | "shallow";
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
  /** In the order of creation: writing to an id that is there keeps its place. */
  #entries = new Map<string, Entry>();
  /** The revision of the last commit. */
  #head = 0;
  readonly #copy: Copy;
  readonly #clock: Clock;

  constructor(options: SharedContextManagerOptions = {}) {
    const { isolation = "deep", clock = systemClock } = checkOptions(options);
    this.#copy = isolation === "deep" ? copyDeep : copyShallow;
    this.#clock = clock;
  }

  /**
   * Creates a context at version `"1"`.
   *
   * @param contextId - any string.
   * @param initialData - copied; a plain object, of JSON values unless the isolation is shallow.
   * @throws {@link ContextError} INVALID, EXISTS.
   * @example
   * ```ts
   * const context = manager.create("plan", { step: 1 });
   * ```
   */
  create(contextId: string, initialData: DeepReadonly<Data>): SharedContext<Data> {
    checkId("contextId", contextId);
    checkData("initialData", initialData);
    const head = this.#head;
    const found = this.#entries.get(contextId);
    const next = rules.create(found, { contextId, data: initialData }, this.#clock.wallMs(), this.#copy);
    return this.#overtaken(head, contextId, found) ? this.create(contextId, initialData) : this.#commit(next);
  }

  /**
   * The context as it is now, or `undefined`. Locks do not block reading.
   *
   * @throws {@link ContextError} INVALID.
   * @example
   * ```ts
   * const step = manager.get("plan")?.data.step;
   * ```
   */
  get(contextId: string): SharedContext<Data> | undefined {
    const entry = this.#entries.get(contextId);
    if (entry !== undefined) return wrap(entry);
    checkId("contextId", contextId); // only strings are ever found
    return undefined;
  }

  /**
   * Replaces the data of a context, if nobody has changed it since the caller read it: a compare-and-set
   * (Herlihy, "Wait-free synchronization", 1991) on its version.
   *
   * @param data - the whole new data, copied; what it shares with an older snapshot is not copied again.
   * @param expected - the version string that the caller read, or the snapshot itself. A snapshot also tells
   *   a context that was deleted and created again from the one that was read.
   * @throws {@link ContextError} INVALID, NOT_FOUND, LOCKED (also for the owner of the lock), CONFLICT.
   * @example
   * ```ts
   * const context = manager.get("plan");
   * if (context) manager.update("plan", { ...context.data, step: 2 }, context);
   * ```
   */
  update(contextId: string, data: DeepReadonly<Data>, expected: ExpectedVersion): SharedContext<Data> {
    checkId("contextId", contextId);
    checkData("data", data);
    const command = { contextId, data, expected: readExpected(contextId, expected) };
    const head = this.#head;
    const found = this.#entries.get(contextId);
    const next = rules.update(found, command, this.#clock.wallMs(), this.#copy);
    return this.#overtaken(head, contextId, found) ? this.update(contextId, data, expected) : this.#commit(next);
  }

  /**
   * Sets the lock, which pauses every update of the context until it is unlocked.
   *
   * @returns `true` when the agent now holds the lock or held it already, `false` when another agent does.
   * @throws {@link ContextError} INVALID, NOT_FOUND.
   * @example
   * ```ts
   * if (manager.lock("plan", "reviewer")) {
   *   // nobody updates the plan now
   *   manager.unlock("plan", "reviewer");
   * }
   * ```
   */
  lock(contextId: string, agentId: string): boolean {
    checkId("contextId", contextId);
    checkId("agentId", agentId);
    const found = this.#entries.get(contextId);
    const next = rules.lock(found, { contextId, agentId });
    if (next instanceof Rejection) return refusedOnlyByLock(next);
    if (next !== found) this.#commit(next);
    return true;
  }

  /**
   * Clears the lock of this agent.
   *
   * @returns `false` when another agent holds the lock or nobody does.
   * @throws {@link ContextError} INVALID, NOT_FOUND.
   * @example
   * ```ts
   * manager.unlock("plan", "reviewer");
   * ```
   */
  unlock(contextId: string, agentId: string): boolean {
    checkId("contextId", contextId);
    checkId("agentId", agentId);
    const found = this.#entries.get(contextId);
    const next = rules.unlock(found, { contextId, agentId });
    if (next instanceof Rejection) return refusedOnlyByLock(next);
    if (next === found) return false;
    this.#commit(next);
    return true;
  }

  /**
   * Deletes a context, whoever holds its lock.
   *
   * @param expected - delete only this version, or only this very context when it is a snapshot; without it,
   *   whatever is there.
   * @returns whether it existed.
   * @throws {@link ContextError} INVALID, CONFLICT.
   * @example
   * ```ts
   * manager.delete("plan");
   * ```
   */
  delete(contextId: string, expected?: ExpectedVersion): boolean {
    checkId("contextId", contextId);
    const command = { contextId, expected: expected === undefined ? undefined : readExpected(contextId, expected) };
    const found = this.#entries.get(contextId);
    const next = rules.remove(found, command);
    if (next instanceof Rejection) throw new ContextError(next.code, detailsOf(next));
    if (found === undefined) return false;
    this.#head += 1;
    return this.#entries.delete(contextId);
  }

  /** The ids of all contexts, in the order of their creation. */
  listContexts(): string[] {
    return Array.from(this.#entries.keys());
  }

  /** Deletes every context, whoever holds their locks. Revisions go on. */
  clear(): void {
    if (this.#entries.size === 0) return;
    this.#head += 1;
    this.#entries.clear();
  }

  /** The number of contexts. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * The snapshots of all contexts as they are when the iteration starts, in the order of their creation.
   *
   * @example
   * ```ts
   * for (const context of manager) console.log(context.contextId, context.version);
   * ```
   */
  [Symbol.iterator](): IterableIterator<SharedContext<Data>> {
    return Array.from(this.#entries.values(), wrap<Data>).values();
  }

  /**
   * Everything, as one dictionary for `JSON.stringify`: data, versions, locks, incarnations, head revision.
   *
   * @example
   * ```ts
   * const dump = JSON.stringify(manager.toDict());
   * const again = SharedContextManager.fromDict(JSON.parse(dump));
   * ```
   */
  toDict(): ManagerDict<Data> {
    return writeManagerDict<Data>(this.#entries.values(), this.#head);
  }

  /** What `JSON.stringify(manager)` writes: `toDict()`. */
  toJSON(): ManagerDict<Data> {
    return this.toDict();
  }

  /**
   * A manager that goes on where `toDict()` was taken: all of it, or an error and nothing.
   *
   * @throws {@link ContextError} INVALID naming the field that is wrong.
   */
  static fromDict<Data extends object = JsonObject>(
    dict: unknown,
    options?: SharedContextManagerOptions,
  ): SharedContextManager<Data> {
    const manager = new SharedContextManager<Data>(options);
    const { entries, revision } = readManagerDict(dict, manager.#clock.wallMs(), manager.#copy);
    manager.#entries = entries;
    manager.#head = revision;
    return manager;
  }

  /**
   * Copying the caller's data can run the caller's code, a getter or a proxy, and that code can write here
   * too. Then the entry that the rule has seen may be gone, and the rule must run again (law 3).
   */
  #overtaken(head: number, contextId: string, found: Entry | undefined): boolean {
    return this.#head !== head && this.#entries.get(contextId) !== found;
  }

  #commit(next: Entry | Rejection): SharedContext<Data> {
    if (next instanceof Rejection) throw new ContextError(next.code, detailsOf(next));
    rules.stamp(next, ++this.#head);
    this.#entries.set(next.contextId, next);
    return wrap(next);
  }
}

/** `lock` and `unlock` answer `false` where section 6.20 says so. */
function refusedOnlyByLock(rejection: Rejection): false {
  if (rejection.code !== "LOCKED") throw new ContextError(rejection.code, detailsOf(rejection));
  return false;
}

/** The details of the error that a rejection becomes. */
function detailsOf({ details }: Rejection): ErrorDetails[ErrorCode] {
  return "current" in details ? { ...details, current: wrap(details.current) } : details;
}
