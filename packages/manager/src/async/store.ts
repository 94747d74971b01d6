/** Contexts in an engine, under the rules: commands go in, and come out committed. */

import type { Admission, Given } from "../admission.ts";
import { checkStorable } from "../arguments.ts";
import type { Act } from "../changes.ts";
import type { Clock } from "../clock.ts";
import { entryOf } from "../context.ts";
import { Counters } from "../counters.ts";
import type { Engine, EngineChanges, EnginePage, EngineSupports, Loaded } from "../engine.ts";
import { type Entry, holding, stamp } from "../entry.ts";
import { ContextError, isContextError } from "../errors.ts";
import type { Plan } from "../plan.ts";
import { Rejection } from "../rejection.ts";
import * as rules from "../rules.ts";
import * as staging from "../staging.ts";
import { writerOf } from "../writers.ts";
import { Committer } from "./committer.ts";
import type { Job, View } from "./planning.ts";
import { Follower } from "./follower.ts";
import { type Reading, readingOf } from "./reading.ts";
import { allEntries, Busy, type GrantCommand, type Holder, type Planned, type SharedStore } from "./shared-store.ts";
import { Turnstile } from "./turnstile.ts";

export interface AsyncStoreOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly admission: Admission;
  readonly maxContexts: number;
  /** A revision that has been seen already. */
  readonly head: number;
}

type Rule = (found: Entry | undefined, contextId: string, view: View) => Entry | Rejection;

export class AsyncStore implements SharedStore {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly admission: Admission;
  readonly follower: Follower;
  readonly turnstile: Turnstile = new Turnstile();
  readonly counters: Counters = new Counters();
  waits = 0;
  losses = 0;
  closed = false;
  readonly #maxContexts: number;
  readonly #reading: Reading;
  readonly #committer: Committer;

  constructor({ engine, clock, admission, maxContexts, head }: AsyncStoreOptions) {
    this.engine = engine;
    this.clock = clock;
    this.admission = admission;
    this.#maxContexts = maxContexts;
    this.#reading = readingOf(engine, () => this.checkOpen());
    this.follower = new Follower(this.#reading, head);
    this.#committer = new Committer(engine, clock, this.counters, this.follower);
  }

  get supports(): Readonly<EngineSupports> {
    return this.engine.supports;
  }

  checkOpen(): void {
    if (this.closed) throw new ContextError("CLOSED", {});
  }

  refusal(error: ContextError): ContextError {
    this.counters.refuse(error.code);
    return error;
  }

  async load(contextId: string): Promise<Entry | undefined> {
    checkStorable(contextId);
    const { entries, head } = await this.look([contextId]);
    this.follower.saw(head);
    return entries[0];
  }

  async look(contextIds: readonly string[], counts?: boolean): Promise<Loaded> {
    const loaded = await this.#reading.load(contextIds, counts);
    this.#committer.loaded(contextIds, loaded);
    return loaded;
  }

  page(options: { prefix: string; after: string | undefined; limit: number }): Promise<EnginePage> {
    return this.#reading.list(options);
  }

  history(contextId: string): Promise<readonly Entry[]> {
    return this.#reading.history(contextId);
  }

  entries(prefix: string): AsyncIterableIterator<Entry> {
    return allEntries((options) => this.page(options), prefix);
  }

  create(command: rules.CreateCommand): Promise<Entry> {
    const taken = { ...command, ...this.#take(command.contextId, command.data) };
    const plan: Job<Entry>["plan"] = (to, view) => staging.create(to, this.world(view), taken);
    const { contextId, operationId } = command;
    return this.run({ contextIds: [contextId], operationId, counts: this.#maxContexts !== Infinity, plan });
  }

  update(command: rules.UpdateCommand): Promise<Entry> {
    const taken = { ...command, ...this.#take(command.contextId, command.data) };
    return this.run({
      contextIds: [command.contextId],
      operationId: command.operationId,
      plan: (plan, view) => staging.update(plan, this.world(view), taken),
    });
  }

  async edit(command: rules.EditCommand): Promise<Entry> {
    const { contextId, edit, expected, operationId } = command;
    const taken =
      edit.kind === "data" ? { ...command, edit: { ...edit, ...this.#take(contextId, edit.data) } } : command;
    try {
      return await this.run({
        contextIds: [contextId],
        operationId,
        wantsHistory: (found) => expected !== undefined && expected.version !== found?.version,
        plan: (plan, view) => staging.edit(plan, this.world(view), taken),
      });
    } catch (error) {
      throw isContextError(error, "CONFLICT") ? await this.#withWriters(error) : error;
    }
  }

  restore(command: rules.RestoreCommand): Promise<Entry> {
    return this.run({
      contextIds: [command.contextId],
      operationId: command.operationId,
      wantsHistory: () => true,
      plan: (plan, view) => staging.restore(plan, this.world(view), command),
    });
  }

  remove(command: rules.RemoveCommand): Promise<boolean> {
    return this.run({
      contextIds: [command.contextId],
      operationId: command.operationId,
      plan: (plan, view) => staging.remove(plan, this.world(view), command),
    });
  }

  async lock(command: rules.LockCommand): Promise<Entry> {
    const { contextId, operationId } = command;
    const rule: Rule = (found, _id, { time }) => rules.lock(found, command, time);
    return (await this.#change([contextId], rule, { operationId, isTimed: true }))[0] as Entry;
  }

  async unlock(command: rules.UnlockCommand): Promise<boolean> {
    let wasLocked = false;
    const rule: Rule = (found) => {
      wasLocked = (found?.lock ?? null) !== null;
      return rules.unlock(found, command);
    };
    await this.#change([command.contextId], rule, { operationId: command.operationId });
    return wasLocked;
  }

  async breakLock(contextId: string, act: Act & rules.Named): Promise<boolean> {
    let wasLocked = false;
    const rule: Rule = (found) => {
      wasLocked = (found?.lock ?? null) !== null;
      return rules.breakLock(found, { contextId });
    };
    await this.#change([contextId], rule, { operationId: act.operationId, act });
    return wasLocked;
  }

  async grant({ contextIds, agentId, ttlMs, operationId }: GrantCommand): Promise<readonly Entry[] | Busy> {
    try {
      return await this.run({
        contextIds,
        operationId,
        isTimed: true,
        plan: (plan, { time }) => {
          const missing = contextIds.find((contextId) => plan.read(contextId) === undefined);
          if (missing !== undefined) return new Rejection("NOT_FOUND", { contextId: missing });
          const granted: Entry[] = [];
          for (const contextId of contextIds) {
            const lock = plan.read(contextId)?.lock ?? null;
            const next = staging.change(plan, contextId, (found) =>
              rules.grant(found, { contextId, agentId, ttlMs }, time),
            );
            if (next instanceof Rejection) {
              if (next.code !== "LOCKED" || lock === null) return next;
              // Thrown and not returned: what the plan has for the others must not be committed.
              throw new Busy(contextId, holding(lock), (lock.deadlineMs ?? Infinity) - time.leaseMs);
            }
            granted.push(next);
          }
          return granted;
        },
      });
    } catch (error) {
      if (error instanceof Busy) return error;
      throw error;
    }
  }

  renew(contextIds: readonly string[], holder: Holder, ttlMs: number): Promise<readonly Entry[]> {
    const rule: Rule = (found, contextId, { time }) => rules.renew(found, { ...holder, contextId, ttlMs }, time);
    return this.#change(contextIds, rule, { isTimed: true });
  }

  async release(contextIds: readonly string[], holder: Holder, { operationId }: rules.Named = {}): Promise<void> {
    await this.#change(contextIds, (found, contextId) => rules.release(found, { ...holder, contextId }), {
      operationId,
    });
  }

  /** Rules that need nothing but the entries, for all of the contexts as one commit; the entries that they leave. */
  #change(
    contextIds: readonly string[],
    rule: Rule,
    { operationId, isTimed = false, act }: rules.Named & { readonly isTimed?: boolean; readonly act?: Act } = {},
  ): Promise<Entry[]> {
    return this.run({
      contextIds,
      operationId,
      isTimed,
      plan: (plan, view) => {
        const entries: Entry[] = [];
        for (const contextId of contextIds) {
          const next = staging.change(plan, contextId, (found) => rule(found, contextId, view), act);
          if (next instanceof Rejection) return next;
          entries.push(next);
        }
        return entries;
      },
    });
  }

  async clear({ operationId }: rules.Named = {}): Promise<void> {
    await this.run({ contextIds: [], operationId, counts: true, clears: true, plan: () => undefined });
  }

  operations(after: number, limit: number): Promise<EngineChanges> {
    return this.#reading.changes({ after, limit });
  }

  run<Result>(job: Job<Result>): Promise<Result> {
    return this.closed ? Promise.reject(new ContextError("CLOSED", {})) : this.#committer.run(job);
  }

  world(view: View): staging.World {
    return {
      admission: this.admission,
      maxContexts: this.#maxContexts,
      contexts: view.contexts,
      kept: (contextId) => view.kept(contextId),
      time: () => view.time,
    };
  }

  async commitPlan(plan: Plan, _planned: readonly Planned[], { operationId }: rules.Named = {}): Promise<boolean> {
    const { steps, growth } = plan;
    const maxContexts = this.#maxContexts;
    const written = new Map<Entry, Entry>();
    const isCommitted = await this.run<boolean>({
      contextIds: steps.map(({ contextId }) => contextId),
      operationId,
      counts: growth > 0 && maxContexts !== Infinity,
      plan: (committed, { contexts }) => {
        for (const { contextId, found } of steps) {
          if ((committed.read(contextId)?.revision ?? 0) !== (found?.revision ?? 0)) return false;
        }
        if (growth > 0 && contexts + growth > maxContexts) {
          const contextId = steps.find(({ found, next }) => found === undefined && next !== undefined)?.contextId ?? "";
          return new Rejection("LIMIT", { contextId, contexts, maxContexts });
        }
        committed.merges = plan.merges;
        for (const { contextId, found, next, act } of steps) {
          if (next === found) continue;
          // A copy: it gets the placeholders of this attempt, and there may be another.
          const copy = next && { ...next, lock: next.lock && { ...next.lock } };
          if (copy !== undefined) written.set(next as Entry, copy);
          committed.write(contextId, copy, act);
        }
        return true;
      },
    });
    if (isCommitted) for (const [next, { revision }] of written) stamp(next, revision);
    return isCommitted;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.follower.close();
    await this.#committer.idle(); // what was taken on gets its answer
    await this.engine.close();
  }

  /** Who wrote the other side, where the rules have not been told of the versions before. */
  async #withWriters(error: ContextError<"CONFLICT">): Promise<ContextError> {
    const { contextId, conflicts, writers, current } = error.details;
    if (!writers.includes(null)) return error;
    const versions = [...(await this.#reading.history(contextId)), entryOf(current)];
    const found = conflicts.map(({ path }) => writerOf(path, versions));
    return new ContextError("CONFLICT", { ...error.details, writers: found });
  }

  /** What the caller does with its data from now on is no matter. What is wrong with it, the rules say in their turn. */
  #take(contextId: string, data: object): Given {
    return this.admission.take(data, this.#committer.seen(contextId)?.data);
  }
}
