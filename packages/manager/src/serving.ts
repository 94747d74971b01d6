/**
 * For servers: what comes in is done in the name of whoever has sent it, with the token and the operation id that it bears,
 * by the rules that a manager in the process goes by.
 *
 * @packageDocumentation
 */

import { checkId, readForce, type WriteOptions } from "./arguments.ts";
import { type AsyncSharedContextManager, storeOf } from "./async/manager.ts";
import { Busy, type Holder, type SharedStore } from "./async/shared-store.ts";
import { transact } from "./async/transact.ts";
import type { AsyncTransaction } from "./async/transaction.ts";
import { type Change, changeOf, type ContextFilter } from "./changes.ts";
import { createCommand, patchCommand, removeCommand, restoreCommand, updateCommand } from "./commands.ts";
import { type SharedContext, wrap } from "./context.ts";
import { Cursor } from "./cursor.ts";
import type { JsonObject } from "./data.ts";
import type { Author, Entry, Expected } from "./entry.ts";
import { ContextError, invalid } from "./errors.ts";
import type { MergePatch, PatchOperation } from "./patch.ts";
import { locate } from "./pointer.ts";

export { formatTime } from "./format-time.ts";
export type { Expected } from "./entry.ts";
export { isEqual } from "./equal.ts";
export { formatPath, parsePath } from "./pointer.ts";
export { Recent } from "./recent.ts";
export { byteSize } from "./size.ts";
export { committedAs } from "./uncommitted.ts";

/** What a path leads to in data; `undefined` for nothing. A token `id=3` names the element of an array whose `id` is 3. */
export function valueAt(data: unknown, path: readonly string[]): unknown {
  return locate(data, path).value;
}

/** Who has sent a request, and what it bears. */
export interface Sender {
  /** `null` for nobody. */
  readonly agentId: string | null;
  /** The fencing token of a lock that the agent holds: then the writes land only while it is held. */
  readonly token?: number | undefined;
  /** What the change log calls the operation: by this `operationsSince` finds it again. */
  readonly operationId?: string | undefined;
}

/** The handle of an agent that is somewhere else. It renews nothing by itself, and waits for nothing. */
export class RemoteAgent {
  readonly #store: SharedStore;
  readonly #author: Author;
  readonly #operationId: string | undefined;

  constructor(manager: AsyncSharedContextManager, { agentId, token, operationId }: Sender) {
    this.#store = storeOf(manager);
    this.#store.checkOpen();
    if (agentId !== null) checkId("agentId", agentId);
    this.#author = { agentId, token: token ?? null };
    this.#operationId = operationId;
  }

  async create(contextId: string, data: JsonObject, options?: WriteOptions): Promise<SharedContext> {
    return wrap(await this.#store.create(this.#named(createCommand(this.#author, contextId, data, options))));
  }

  /** @param expected - `undefined` for whatever is there; so it is everywhere here. */
  async update(
    contextId: string,
    data: JsonObject,
    expected: Expected | undefined,
    options?: WriteOptions,
  ): Promise<SharedContext> {
    const command = updateCommand(this.#author, contextId, data, "", options);
    return wrap(await this.#store.update({ ...command, expected, operationId: this.#operationId }));
  }

  async patch(
    contextId: string,
    patch: MergePatch<JsonObject> | readonly PatchOperation[],
    expected: Expected | undefined,
    options?: WriteOptions,
  ): Promise<SharedContext> {
    const { copy } = this.#store.admission;
    const command = patchCommand(this.#author, contextId, patch, undefined, options, copy);
    return wrap(await this.#store.edit(this.#named({ ...command, expected })));
  }

  async restore(
    contextId: string,
    version: string,
    expected: Expected | undefined,
    options?: WriteOptions,
  ): Promise<SharedContext> {
    const command = restoreCommand(this.#author, contextId, version, options);
    return wrap(await this.#store.restore(this.#named({ ...command, expected })));
  }

  /** @param force - whoever holds the lock. */
  delete(contextId: string, expected: Expected | undefined, options?: WriteOptions, force = false): Promise<boolean> {
    const command = removeCommand(force ? undefined : this.#author, contextId, undefined, options);
    return this.#store.remove(this.#named({ ...command, expected }));
  }

  clear(): Promise<void> {
    return this.#store.clear(this.#named({}));
  }

  /** @param tokenOf - the token that the next write of a context bears. */
  async transact<Result>(
    run: (tx: AsyncTransaction) => Promise<Result>,
    tokenOf: (contextId: string) => number | null,
  ): Promise<Result> {
    const authorOf = (contextId: string): Author => ({ ...this.#author, token: tokenOf(contextId) });
    return transact<JsonObject, Result>(this.#store, run, { authorOf }, this.#named({}));
  }

  /**
   * Takes the lock, or keeps it where the agent has it.
   *
   * @param ttlMs - `undefined` for ever; a lock that the agent has keeps its expiry then.
   * @throws ContextError LOCKED; TIMEOUT when it is free, but others wait for it in this process.
   */
  async lock(contextId: string, ttlMs: number | undefined): Promise<SharedContext> {
    const { agentId } = this.#holder;
    this.#checkTurn([contextId], agentId);
    return wrap(await this.#store.lock(this.#named({ contextId, agentId, ttlMs })));
  }

  /**
   * Takes the locks of all of the contexts by one token, or none. What the agent has already is in its way too.
   *
   * @throws ContextError LOCKED, TIMEOUT.
   */
  async acquire(contextIds: readonly string[], ttlMs: number): Promise<SharedContext[]> {
    const { agentId } = this.#holder;
    this.#checkTurn(contextIds, agentId);
    const granted = await this.#store.grant(this.#named({ contextIds, agentId, ttlMs }));
    if (!(granted instanceof Busy)) return granted.map((entry) => wrap(entry));
    const { contextId, holder } = granted;
    throw this.#store.refusal(
      holder === null ? othersWait(contextId) : new ContextError("LOCKED", { contextId, ...holder }),
    );
  }

  /** @throws ContextError LEASE_LOST. */
  async renew(contextIds: readonly string[], ttlMs: number): Promise<SharedContext[]> {
    return (await this.#store.renew(contextIds, this.#holder, ttlMs)).map((entry: Entry) => wrap(entry));
  }

  /** @throws ContextError LEASE_LOST. */
  release(contextIds: readonly string[]): Promise<void> {
    return this.#store.release(contextIds, this.#holder, this.#named({}));
  }

  /** @returns whether there was a lock. */
  forceUnlock(contextId: string, reason: string): Promise<boolean> {
    checkId("contextId", contextId);
    const { agentId } = this.#author;
    const act = readForce(agentId === null ? { reason } : { reason, agentId });
    return this.#store.breakLock(contextId, this.#named(act));
  }

  #named<Command extends object>(command: Command): Command & { operationId: string | undefined } {
    return { ...command, operationId: this.#operationId };
  }

  get #holder(): Holder {
    const { agentId, token } = this.#author;
    if (agentId === null) throw invalid("agentId", "", "the agent that is to hold the lock", "nobody");
    return { agentId, token: token ?? 0 };
  }

  #checkTurn(contextIds: readonly string[], agentId: string): void {
    const { turnstile } = this.#store;
    const awaited = contextIds.find((id) => turnstile.isAwaited(id) && turnstile.holderOf(id) !== agentId);
    if (awaited !== undefined) throw this.#store.refusal(othersWait(awaited));
  }
}

function othersWait(contextId: string): ContextError {
  return new ContextError("TIMEOUT", { contextId, timeoutMs: 0, position: 1, holder: null });
}

/**
 * How things are, all of it as of one revision: changes of kind `current`, in the order of their revisions. What is done
 * after that revision comes as a change.
 */
export async function howThingsAre(
  manager: AsyncSharedContextManager,
  filter: ContextFilter | undefined,
): Promise<{ readonly changes: readonly Change[]; readonly revision: number }> {
  const store = storeOf(manager);
  store.checkOpen();
  const { records, through } = await store.follower.present(filter);
  return { changes: records.map((record) => changeOf<JsonObject>(record)), revision: through };
}

/** A watcher that knows whether it has to wait for the next change. */
export interface Watching extends AsyncIterableIterator<Change, undefined> {
  readonly hasNext: boolean;
}

/** What happens after a revision; `coalesce` as in `watch`. */
export function changesAfter(
  manager: AsyncSharedContextManager,
  filter: ContextFilter | undefined,
  after: number,
  coalesce: boolean,
): Watching {
  const store = storeOf(manager);
  store.checkOpen();
  return new Cursor<JsonObject>(store.follower, { filter, after, coalesce, signal: undefined });
}

/** A change, and the operation that it belongs to. */
export interface OperationChange {
  readonly operationId: string;
  readonly change: Change;
}

/** What the change log tells of operations past a revision: at least so many changes if there are as many. */
export async function operationsSince(
  manager: AsyncSharedContextManager,
  after: number,
  limit: number,
): Promise<{ readonly operations: readonly OperationChange[]; readonly head: number }> {
  const { changes, head } = await storeOf(manager).operations(after, limit);
  const operations = changes.map(({ opId, entry, ...about }) => {
    const change = changeOf<JsonObject>({ ...about, before: undefined, after: entry ?? undefined });
    return { operationId: opId, change };
  });
  return { operations, head };
}
