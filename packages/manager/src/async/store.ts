/** What an asynchronous manager, its agents and their leases share: commands go in, and come out committed. */

import type { Admission } from "../admission.ts";
import { checkStorable } from "../arguments.ts";
import type { Act } from "../changes.ts";
import type { Clock } from "../clock.ts";
import { entryOf } from "../context.ts";
import { Counters } from "../counters.ts";
import type { Engine } from "../engine.ts";
import type { Entry } from "../entry.ts";
import { ContextError, isContextError } from "../errors.ts";
import type { Plan } from "../plan.ts";
import { Rejection } from "../rejection.ts";
import type * as rules from "../rules.ts";
import * as staging from "../staging.ts";
import { writerOf } from "../writers.ts";
import { Committer, type Job, type View } from "./committer.ts";
import { Follower } from "./follower.ts";
import { Turnstile } from "./turnstile.ts";

const ENTRIES_AT_ONCE = 500;

export interface AsyncStoreOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly admission: Admission;
  readonly maxContexts: number;
  /** A revision that has been seen already. */
  readonly head: number;
}

export class AsyncStore {
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
  readonly #committer: Committer;

  constructor({ engine, clock, admission, maxContexts, head }: AsyncStoreOptions) {
    this.engine = engine;
    this.clock = clock;
    this.admission = admission;
    this.#maxContexts = maxContexts;
    this.follower = new Follower(engine, head);
    this.#committer = new Committer(engine, this.counters, (first, last) => this.follower.committed(first, last));
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
    const { entries, head } = await this.engine.load([contextId]);
    this.follower.saw(head);
    return entries[0];
  }

  /** Every context whose id begins so, in the order of creation. */
  async *entries(prefix: string): AsyncIterableIterator<Entry> {
    let after: string | undefined;
    do {
      const page = await this.engine.list({ prefix, after, limit: ENTRIES_AT_ONCE });
      yield* page.entries;
      after = page.next;
    } while (after !== undefined);
  }

  create(command: rules.CreateCommand): Promise<Entry> {
    const taken = { ...command, data: this.#take(command.data) };
    const plan: Job<Entry>["plan"] = (to, view) => staging.create(to, this.world(view), taken);
    return this.run({ contextIds: [command.contextId], counts: this.#maxContexts !== Infinity, plan });
  }

  update(command: rules.UpdateCommand): Promise<Entry> {
    const taken = { ...command, data: this.#take(command.data) };
    return this.run({
      contextIds: [command.contextId],
      plan: (plan, view) => staging.update(plan, this.world(view), taken),
    });
  }

  async edit(command: rules.EditCommand): Promise<Entry> {
    const { contextId, edit, expected } = command;
    const taken = edit.kind === "data" ? { ...command, edit: { ...edit, data: this.#take(edit.data) } } : command;
    try {
      return await this.run({
        contextIds: [contextId],
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
      wantsHistory: () => true,
      plan: (plan, view) => staging.restore(plan, this.world(view), command),
    });
  }

  remove(command: rules.RemoveCommand): Promise<boolean> {
    return this.run({
      contextIds: [command.contextId],
      plan: (plan, view) => staging.remove(plan, this.world(view), command),
    });
  }

  /** Rules that need nothing but the entries, for all of the contexts as one commit; the entries that they leave. */
  change(
    contextIds: readonly string[],
    rule: (found: Entry | undefined, contextId: string, view: View) => Entry | Rejection,
    act?: Act,
  ): Promise<Entry[]> {
    return this.run({
      contextIds,
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

  async clear(): Promise<void> {
    if ((await this.engine.load([], true)).contexts === 0) return;
    const opId = crypto.randomUUID();
    const cleared = { kind: "cleared", contextId: null, agentId: null, note: null, entry: null } as const;
    const [outcome] = await this.engine.commit([{ opId, writes: [], changes: [cleared], clears: true }]);
    if (outcome?.kind !== "ok") throw new ContextError("INDETERMINATE", { contextIds: [], operationId: opId });
    this.counters.writes += 1;
    this.follower.committed(outcome.revision, outcome.revision);
  }

  async run<Result>(job: Job<Result>): Promise<Result> {
    for (const contextId of job.contextIds) checkStorable(contextId);
    return this.#committer.run(job);
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

  /** Whether a plan that was made on what was loaded before can be committed as it is. */
  commitPlan(plan: Plan): Promise<boolean> {
    const { steps } = plan;
    return this.run({
      contextIds: steps.map(({ contextId }) => contextId),
      plan: (committed) => {
        for (const { contextId, found } of steps) {
          if ((committed.read(contextId)?.revision ?? 0) !== (found?.revision ?? 0)) return false;
        }
        for (const { contextId, found, next, act } of steps) {
          // A copy: it gets the placeholders of this attempt, and there may be another.
          if (next !== found) committed.write(contextId, next && { ...next, lock: next.lock && { ...next.lock } }, act);
        }
        return true;
      },
    });
  }

  /** Stops everything; the engine is the caller's to close. */
  close(): void {
    this.closed = true;
    this.follower.close();
  }

  /** Who wrote the other side, where the rules have not been told of the versions before. */
  async #withWriters(error: ContextError<"CONFLICT">): Promise<ContextError> {
    const { contextId, conflicts, writers, current } = error.details;
    if (!writers.includes(null)) return error;
    const versions = [...(await this.engine.history(contextId)), entryOf(current)];
    const found = conflicts.map(({ path }) => writerOf(path, versions));
    return new ContextError("CONFLICT", { ...error.details, writers: found });
  }

  /** What the caller does with its data from now on is no matter. What is wrong with it, the rules say in their turn. */
  #take(data: object): object {
    return this.admission.copy(data) ?? data;
  }
}
