import { checkFunction, checkId, type ExpectedVersion, type WriteOptions } from "./arguments.ts";
import { createCommand, patchCommand, removeCommand, updateCommand } from "./commands.ts";
import type { SharedContext } from "./context.ts";
import type { DeepReadonly, JsonObject } from "./data.ts";
import type { Author, Entry } from "./entry.ts";
import { invalid } from "./errors.ts";
import type { MergePatch, PatchOperation } from "./patch.ts";
import type { Plan } from "./plan.ts";
import { snapshotOf } from "./uncommitted.ts";
import { isStrayPromise } from "./promise.ts";
import type { Rejection } from "./rejection.ts";
import * as staging from "./staging.ts";
import type { Store } from "./store.ts";

/** By what right a transaction writes a context. */
type AuthorOf = (contextId: string, plan: Plan) => Author;

/**
 * Runs a function that reads and writes several contexts, and commits all of it or nothing.
 *
 * @param finish - what is to be done with the plan before it is committed.
 */
export function transact<Data extends object, Result>(
  store: Store,
  run: (tx: Transaction<Data>) => Result,
  authorOf: AuthorOf,
  finish?: (plan: Plan) => void,
): Result {
  checkFunction("run", run);
  return store.transact((plan) => {
    const { tx, end } = openTransaction<Data>(store, plan, authorOf);
    try {
      const result = run(tx);
      if (isStrayPromise(result)) {
        throw store.refusal(invalid("run", "", "a synchronous function; think before, then transact", "a promise"));
      }
      finish?.(plan);
      return result;
    } finally {
      end();
    }
  });
}

/** A friend of the class, not exported from the package. */
let openTransaction: <Data extends object>(
  store: Store,
  plan: Plan,
  authorOf: AuthorOf,
) => { tx: Transaction<Data>; end: () => void };

/**
 * Several contexts, read and written as one. What it returns is how things will be if the transaction is
 * committed; until then nobody else sees it, and its snapshots have no revision. However often it writes a context,
 * the commit makes one version of it.
 *
 * @example
 * ```ts
 * planner.transact((tx) => {
 *   const from = tx.get("ann");
 *   const to = tx.get("bob");
 *   if (from === undefined || to === undefined || from.data.credits < 10) return false;
 *   tx.update("ann", { ...from.data, credits: from.data.credits - 10 });
 *   tx.update("bob", { ...to.data, credits: to.data.credits + 10 });
 *   return true;
 * });
 * ```
 */
export class Transaction<Data extends object = JsonObject> {
  readonly #store: Store;
  readonly #plan: Plan;
  readonly #authorOf: AuthorOf;
  #over = false;

  private constructor(store: Store, plan: Plan, authorOf: AuthorOf) {
    this.#store = store;
    this.#plan = plan;
    this.#authorOf = authorOf;
  }

  static {
    openTransaction = <Data extends object>(store: Store, plan: Plan, authorOf: AuthorOf) => {
      const tx = new Transaction<Data>(store, plan, authorOf);
      const end = (): void => {
        tx.#over = true;
      };
      return { tx, end };
    };
  }

  /**
   * The context as this transaction leaves it so far, or `undefined`.
   *
   * @throws {@link ContextError} INVALID.
   * @example
   * ```ts
   * const credits = tx.get("ann")?.data.credits;
   * ```
   */
  get(contextId: string): SharedContext<Data> | undefined {
    this.#check(contextId);
    const entry = this.#plan.read(contextId);
    return entry && snapshotOf<Data>(entry);
  }

  /**
   * Creates a context.
   *
   * @throws {@link ContextError} INVALID, EXISTS, TOO_LARGE, LIMIT.
   * @example
   * ```ts
   * tx.create("receipt", { from: "ann", credits: 10 });
   * ```
   */
  create(contextId: string, initialData: DeepReadonly<Data>, options?: WriteOptions): SharedContext<Data> {
    this.#check(contextId);
    const command = createCommand(this.#authorOf(contextId, this.#plan), contextId, initialData, options);
    return this.#accept(staging.create(this.#plan, this.#store, command));
  }

  /**
   * Replaces the data of a context.
   *
   * @param expected - a version that it must be at; without it, whatever the transaction has read.
   * @throws {@link ContextError} INVALID, NOT_FOUND, LEASE_LOST, LOCKED, CONFLICT, TOO_LARGE.
   * @example
   * ```ts
   * tx.update("ann", { ...from.data, credits: 0 });
   * ```
   */
  update(
    contextId: string,
    data: DeepReadonly<Data>,
    expected?: ExpectedVersion,
    options?: WriteOptions,
  ): SharedContext<Data> {
    this.#check(contextId);
    const present = this.#plan.read(contextId);
    // oxlint-disable-next-line typescript/prefer-nullish-coalescing -- `null` is no version, and refused as such
    const stated = expected === undefined ? (present?.version ?? "") : expected;
    const command = updateCommand(this.#authorOf(contextId, this.#plan), contextId, data, stated, options, present);
    return this.#accept(staging.update(this.#plan, this.#store, command));
  }

  /**
   * Changes only what the patch names, as `agent.patch` does.
   *
   * @throws {@link ContextError} INVALID, NOT_FOUND, LEASE_LOST, LOCKED, CONFLICT with `conflicts` by path, TOO_LARGE.
   * @example
   * ```ts
   * tx.patch("ann", [{ op: "increment", path: "/credits", value: -10 }]);
   * ```
   */
  patch(
    contextId: string,
    patch: MergePatch<Data> | readonly PatchOperation[],
    expected?: ExpectedVersion,
    options?: WriteOptions,
  ): SharedContext<Data> {
    this.#check(contextId);
    const { copy } = this.#store.admission;
    const present = this.#plan.read(contextId);
    const command = patchCommand(
      this.#authorOf(contextId, this.#plan),
      contextId,
      patch,
      expected,
      options,
      copy,
      present,
    );
    return this.#accept(staging.edit(this.#plan, this.#store, command));
  }

  /**
   * Deletes a context, unless another agent has locked it.
   *
   * @returns whether it existed.
   * @throws {@link ContextError} INVALID, LEASE_LOST, LOCKED, CONFLICT.
   * @example
   * ```ts
   * tx.delete("draft");
   * ```
   */
  delete(contextId: string, expected?: ExpectedVersion, options?: WriteOptions): boolean {
    this.#check(contextId);
    const present = this.#plan.read(contextId);
    const command = removeCommand(this.#authorOf(contextId, this.#plan), contextId, expected, options, present);
    return this.#store.accept(staging.remove(this.#plan, this.#store, command));
  }

  #accept(outcome: Entry | Rejection): SharedContext<Data> {
    return snapshotOf<Data>(this.#store.accept(outcome));
  }

  #check(contextId: string): void {
    if (this.#over) throw invalid("tx", "", "a transaction whose function is running", "one that is over");
    checkId("contextId", contextId);
  }
}
