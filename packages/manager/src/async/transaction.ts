import type { Given } from "../admission.ts";
import { checkId, type ExpectedVersion, type WriteOptions } from "../arguments.ts";
import { createCommand, patchCommand, removeCommand, updateCommand } from "../commands.ts";
import type { SharedContext } from "../context.ts";
import type { DeepReadonly, JsonObject } from "../data.ts";
import type { Author, Entry, Time } from "../entry.ts";
import { type ErrorCode, invalid } from "../errors.ts";
import type { MergePatch, PatchOperation } from "../patch.ts";
import { Plan } from "../plan.ts";
import { snapshotOf } from "../uncommitted.ts";
import { accepted } from "../refusal.ts";
import { Rejection } from "../rejection.ts";
import * as staging from "../staging.ts";
import type { Planned, SharedStore } from "./shared-store.ts";

/** Who acts by a transaction. */
export interface Acting {
  /** In whose name a context is written. @param plan - what the transaction has done so far. */
  authorOf(contextId: string, plan: Plan): Author;
  /** Commits a plan that deletes these contexts, by `commit`. */
  parting?(contextIds: readonly string[], commit: () => Promise<boolean>): Promise<boolean>;
}

/** A transaction with what only its runner may see. */
interface Opened<Data extends object> {
  readonly tx: AsyncTransaction<Data>;
  readonly plan: Plan;
  readonly planned: readonly Planned[];
  /** What its calls were refused with. */
  readonly refused: readonly ErrorCode[];
  /** @throws ContextError INVALID while a call is under way: the rest would be committed without it. */
  readonly checkAwaited: () => void;
  readonly end: () => void;
}

let open: <Data extends object>(store: SharedStore, acting: Acting) => Opened<Data>;

export function openTransaction<Data extends object>(store: SharedStore, acting: Acting): Opened<Data> {
  return open(store, acting);
}

/**
 * Several contexts, read and written as one: `Transaction`, awaited. Its function may run several times, and may see
 * some contexts older than others: then it is not committed, and runs again.
 *
 * What it returns is how things will be if the transaction is committed; until then nobody else sees it, and its
 * snapshots have no revision.
 *
 * @example
 * ```ts
 * await planner.transact(async (tx) => {
 *   const [from, to] = [await tx.get("ann"), await tx.get("bob")];
 *   if (from === undefined || to === undefined || from.data.credits < 10) return false;
 *   await tx.update("ann", { ...from.data, credits: from.data.credits - 10 });
 *   await tx.update("bob", { ...to.data, credits: to.data.credits + 10 });
 *   return true;
 * });
 * ```
 */
export class AsyncTransaction<Data extends object = JsonObject> {
  readonly #store: SharedStore;
  readonly #acting: Acting;
  readonly #loaded = new Map<string, Entry | undefined>();
  readonly #history = new Map<string, readonly Entry[]>();
  readonly #plan: Plan;
  readonly #planned: Planned[] = [];
  readonly #refused: ErrorCode[] = [];
  #time: Time = { wallMs: 0, leaseMs: 0 };
  #contexts = 0;
  #underWay = 0;
  #over = false;

  private constructor(store: SharedStore, acting: Acting) {
    this.#store = store;
    this.#acting = acting;
    this.#plan = new Plan((contextId) => this.#loaded.get(contextId));
  }

  static {
    open = <Data extends object>(store: SharedStore, acting: Acting): Opened<Data> => {
      const tx = new AsyncTransaction<Data>(store, acting);
      const checkAwaited = (): void => {
        if (tx.#underWay === 0) return;
        throw invalid("tx", "", "each of its calls awaited before its function ends", `${tx.#underWay} under way`);
      };
      const end = (): void => {
        tx.#over = true;
      };
      return { tx, plan: tx.#plan, planned: tx.#planned, refused: tx.#refused, checkAwaited, end };
    };
  }

  /**
   * The context as this transaction leaves it so far, or `undefined`.
   *
   * @throws {@link ContextError} INVALID, CLOSED, UNAVAILABLE, CORRUPT.
   * @example
   * ```ts
   * const credits = (await tx.get("ann"))?.data.credits;
   * ```
   */
  async get(contextId: string): Promise<SharedContext<Data> | undefined> {
    return this.#with(contextId, () => {
      const entry = this.#plan.read(contextId);
      return entry && snapshotOf<Data>(entry);
    });
  }

  /**
   * Creates a context.
   *
   * @throws {@link ContextError} INVALID, EXISTS, TOO_LARGE, LIMIT, CLOSED, UNAVAILABLE.
   * @example
   * ```ts
   * await tx.create("receipt", { from: "ann", credits: 10 });
   * ```
   */
  async create(
    contextId: string,
    initialData: DeepReadonly<Data>,
    options?: WriteOptions,
  ): Promise<SharedContext<Data>> {
    const given = createCommand(this.#authorOf(contextId), contextId, initialData, options);
    const command = { ...given, ...this.#take(contextId, given.data) };
    return this.#with(contextId, () =>
      this.#accept("create", command, staging.create(this.#plan, this.#world, command)),
    );
  }

  /**
   * Replaces the data of a context.
   *
   * @param expected - a version that it must be at; without it, whatever the transaction has read.
   * @throws {@link ContextError} INVALID, NOT_FOUND, LEASE_LOST, LOCKED, CONFLICT, TOO_LARGE, CLOSED, UNAVAILABLE.
   * @example
   * ```ts
   * await tx.update("ann", { ...from.data, credits: 0 });
   * ```
   */
  async update(
    contextId: string,
    data: DeepReadonly<Data>,
    expected?: ExpectedVersion,
    options?: WriteOptions,
  ): Promise<SharedContext<Data>> {
    // oxlint-disable-next-line typescript/prefer-nullish-coalescing -- `null` is no version, and refused as such
    const stated = expected === undefined ? "" : expected;
    const given = updateCommand(this.#authorOf(contextId), contextId, data, stated, options, this.#planOf(contextId));
    const taken = this.#take(contextId, given.data);
    const command = { ...given, ...taken, expected: expected === undefined ? undefined : given.expected };
    return this.#with(contextId, () =>
      this.#accept("update", command, staging.update(this.#plan, this.#world, command)),
    );
  }

  /**
   * Changes only what the patch names, as `agent.patch` does.
   *
   * @throws {@link ContextError} INVALID, NOT_FOUND, LEASE_LOST, LOCKED, CONFLICT with `conflicts` by path, TOO_LARGE,
   *   CLOSED, UNAVAILABLE.
   * @example
   * ```ts
   * await tx.patch("ann", [{ op: "increment", path: "/credits", value: -10 }]);
   * ```
   */
  async patch(
    contextId: string,
    patch: MergePatch<Data> | readonly PatchOperation[],
    expected?: ExpectedVersion,
    options?: WriteOptions,
  ): Promise<SharedContext<Data>> {
    const { copy } = this.#store.admission;
    const present = this.#planOf(contextId);
    const command = patchCommand(this.#authorOf(contextId), contextId, patch, expected, options, copy, present);
    return this.#with(contextId, async () => {
      if (expected !== undefined) this.#history.set(contextId, await this.#store.history(contextId));
      this.#checkRunning();
      const before = this.#plan.read(contextId);
      const outcome = staging.edit(this.#plan, this.#world, command);
      return before !== undefined && outcome === before
        ? snapshotOf<Data>(before)
        : this.#accept("edit", command, outcome);
    });
  }

  /**
   * Deletes a context, unless another agent has locked it.
   *
   * @returns whether it existed.
   * @throws {@link ContextError} INVALID, LEASE_LOST, LOCKED, CONFLICT, CLOSED, UNAVAILABLE.
   * @example
   * ```ts
   * await tx.delete("draft");
   * ```
   */
  async delete(contextId: string, expected?: ExpectedVersion, options?: WriteOptions): Promise<boolean> {
    const command = removeCommand(this.#authorOf(contextId), contextId, expected, options, this.#planOf(contextId));
    return this.#with(contextId, () => {
      const existed = this.#accepted(staging.remove(this.#plan, this.#world, command));
      if (existed) this.#planned.push({ kind: "remove", command, next: undefined });
      return existed;
    });
  }

  #authorOf(contextId: string): Author {
    return this.#acting.authorOf(contextId, this.#plan);
  }

  get #world(): staging.World {
    return {
      ...this.#store.world({
        time: this.#time,
        contexts: this.#contexts,
        kept: (contextId) => this.#history.get(contextId) ?? [],
      }),
    };
  }

  #accept(kind: Planned["kind"], command: Planned["command"], outcome: Entry | Rejection): SharedContext<Data> {
    const next = this.#accepted(outcome);
    this.#planned.push({ kind, command, next } as Planned);
    return snapshotOf<Data>(next);
  }

  /** What it has made of a context that it has come upon. */
  #planOf(contextId: string): Entry | undefined {
    return this.#loaded.has(contextId) ? this.#plan.read(contextId) : undefined;
  }

  #accepted<Outcome>(outcome: Outcome | Rejection): Outcome {
    if (outcome instanceof Rejection) this.#refused.push(outcome.code);
    return accepted(outcome);
  }

  /** What the caller does with its data while this waits is no matter. */
  #take(contextId: string, data: object): Given {
    return this.#store.admission.take(data, this.#loaded.get(contextId)?.data);
  }

  /** One call: it is under way until it has done something with what is there, or has failed. */
  async #with<Result>(contextId: string, act: () => Result | Promise<Result>): Promise<Result> {
    checkId("contextId", contextId);
    this.#checkRunning();
    this.#underWay += 1;
    try {
      await this.#load(contextId);
      this.#checkRunning();
      return await act();
    } finally {
      this.#underWay -= 1;
    }
  }

  /** What it has read once, it goes on with. */
  async #load(contextId: string): Promise<void> {
    if (this.#loaded.has(contextId)) return;
    const { entries, time, contexts = 0 } = await this.#store.look([contextId], true);
    if (!this.#loaded.has(contextId)) this.#loaded.set(contextId, entries[0]);
    this.#time = time;
    this.#contexts = contexts;
  }

  #checkRunning(): void {
    this.#store.checkOpen();
    if (this.#over) throw invalid("tx", "", "a transaction whose function is running", "one that is over");
  }
}
