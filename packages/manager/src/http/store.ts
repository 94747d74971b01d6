/** Contexts on a server: commands go there, and the rules are run there. What is not sent as it is, is planned here by the same rules. */

import type { Admission } from "../admission.ts";
import { checkStorable } from "../arguments.ts";
import type { View } from "../async/planning.ts";
import {
  allEntries,
  type Busy,
  type GrantCommand,
  type Holder,
  type Planned,
  type SharedStore,
} from "../async/shared-store.ts";
import { isCurrent } from "../async/transact.ts";
import { Turnstile } from "../async/turnstile.ts";
import type { Act } from "../changes.ts";
import type { Clock } from "../clock.ts";
import { Counters } from "../counters.ts";
import type { EngineChanges, EnginePage, EngineSupports, Loaded } from "../engine.ts";
import type { Author, Entry, Time } from "../entry.ts";
import { ContextError, isContextError } from "../errors.ts";
import type { Plan } from "../plan.ts";
import { committedElsewhere } from "../uncommitted.ts";
import type * as rules from "../rules.ts";
import type * as staging from "../staging.ts";
import { entryFromBody, fieldsOf, incarnationsIn, listOf, numberOf } from "./bodies.ts";
import { type Call, type Connection, pathOf } from "./connection.ts";
import { HttpFollower } from "./follower.ts";
import { HttpLocks } from "./locks.ts";
import { stepsOf } from "./steps.ts";
import { HttpWrites } from "./writes.ts";

const SUPPORTS: Readonly<EngineSupports> = Object.freeze({ durable: true, shared: true });
export interface HttpStoreOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly admission: Admission;
}

export class HttpStore implements SharedStore {
  readonly supports: Readonly<EngineSupports> = SUPPORTS;
  readonly clock: Clock;
  readonly admission: Admission;
  readonly follower: HttpFollower;
  readonly turnstile: Turnstile = new Turnstile();
  readonly counters: Counters = new Counters();
  waits = 0;
  losses = 0;
  closed = false;
  readonly #connection: Connection;
  readonly #writes: HttpWrites;
  readonly #locks: HttpLocks;

  constructor({ connection, clock, admission }: HttpStoreOptions) {
    this.clock = clock;
    this.admission = admission;
    this.#connection = connection;
    this.follower = new HttpFollower(connection, this);
    this.#writes = new HttpWrites(this);
    this.#locks = new HttpLocks(this);
  }

  checkOpen(): void {
    if (this.closed) throw new ContextError("CLOSED", {});
  }

  refusal(error: ContextError): ContextError {
    this.counters.refuse(error.code);
    return error;
  }

  /** Sends a write; every listener that was there before hears of it. */
  async send(call: Call): Promise<string> {
    await this.follower.begun();
    return (await this.#connection.send(call)).text;
  }

  /** The same, and counts what it is refused with. */
  async write(call: Call): Promise<string> {
    try {
      return await this.send(call);
    } catch (error) {
      throw isContextError(error) ? this.refusal(error) : error;
    }
  }

  /** And the answer is a context. */
  async writeEntry(call: Call): Promise<Entry> {
    return entryFromBody(JSON.parse(await this.write(call)));
  }

  get time(): Time {
    const wallMs = this.clock.wallMs();
    return { wallMs, leaseMs: wallMs };
  }

  async head(): Promise<number> {
    return (await this.#census()).head;
  }

  async load(contextId: string): Promise<Entry | undefined> {
    checkStorable(contextId);
    try {
      const { text } = await this.#connection.send({ method: "GET", path: pathOf(contextId) });
      return entryFromBody(JSON.parse(text));
    } catch (error) {
      if (isContextError(error, "NOT_FOUND")) return undefined;
      throw error;
    }
  }

  async look(contextIds: readonly string[]): Promise<Loaded> {
    if (contextIds.length === 0) return { entries: [], time: this.time, ...(await this.#census()) };
    const entries = await Promise.all(contextIds.map((contextId) => this.load(contextId)));
    return { entries, time: this.time, head: 0, contexts: undefined };
  }

  async page({ prefix, after, limit }: Parameters<SharedStore["page"]>[0]): Promise<Omit<EnginePage, "head">> {
    const query = new URLSearchParams({ prefix, limit: String(limit), data: "true" });
    if (after !== undefined) query.set("after", after);
    const { text } = await this.#connection.send({ method: "GET", path: `/v1/contexts?${query.toString()}` });
    const fields = fieldsOf(JSON.parse(text), "a page");
    const next = fields["next"] ?? null;
    return {
      entries: listOf(fields, "contexts").map(entryFromBody),
      next: typeof next === "string" ? next : undefined,
    };
  }

  entries(prefix: string): AsyncIterableIterator<Entry> {
    return allEntries((options) => this.page(options), prefix);
  }

  async history(contextId: string): Promise<readonly Entry[]> {
    checkStorable(contextId);
    try {
      const { text } = await this.#connection.send({ method: "GET", path: pathOf(contextId, "/history") });
      return listOf(fieldsOf(JSON.parse(text), "a history"), "versions")
        .map(entryFromBody)
        .slice(0, -1);
    } catch (error) {
      if (isContextError(error, "NOT_FOUND")) return [];
      throw error;
    }
  }

  create(command: rules.CreateCommand): Promise<Entry> {
    return this.#writes.create(command);
  }

  update(command: rules.UpdateCommand): Promise<Entry> {
    return this.#writes.update(command);
  }

  edit(command: rules.EditCommand): Promise<Entry> {
    return this.#writes.edit(command);
  }

  restore(command: rules.RestoreCommand): Promise<Entry> {
    return this.#writes.restore(command);
  }

  remove(command: rules.RemoveCommand): Promise<boolean> {
    return this.#writes.remove(command);
  }

  async clear({ operationId }: rules.Named = {}): Promise<void> {
    const headers = { "if-match": "*" };
    await this.write({ method: "DELETE", path: "/v1/contexts", headers, operationId });
    this.counters.writes += 1;
  }

  lock(command: rules.LockCommand): Promise<Entry> {
    return this.#locks.lock(command);
  }

  unlock(command: rules.UnlockCommand): Promise<boolean> {
    return this.#locks.unlock(command);
  }

  breakLock(contextId: string, act: Act & rules.Named): Promise<boolean> {
    return this.#locks.breakLock(contextId, act);
  }

  grant(command: GrantCommand): Promise<readonly Entry[] | Busy> {
    return this.#locks.grant(command);
  }

  renew(contextIds: readonly string[], holder: Holder, ttlMs: number): Promise<readonly Entry[]> {
    return this.#locks.renew(contextIds, holder, ttlMs);
  }

  release(contextIds: readonly string[], holder: Holder, named?: rules.Named): Promise<void> {
    return this.#locks.release(contextIds, holder, named);
  }

  /** How many contexts there may be, the server knows. */
  world(view: View): staging.World {
    const { time, contexts } = view;
    const kept = (contextId: string): readonly Entry[] => view.kept(contextId);
    return { admission: this.admission, maxContexts: Infinity, contexts, kept, time: () => time };
  }

  async commitPlan(plan: Plan, planned: readonly Planned[], { operationId }: rules.Named = {}): Promise<boolean> {
    // What has not changed between two readings of all of it, was so at one moment.
    if (planned.length === 0) return plan.steps.length < 2 || isCurrent(this, plan);
    const contextIds = plan.steps.map(({ contextId }) => contextId);
    let answer: string;
    try {
      const body = { steps: stepsOf(plan, planned) };
      answer = await this.send({ ...POST_STEPS, agentId: actorOf(planned), body, contextIds, operationId });
    } catch (error) {
      if (!isContextError(error)) throw error;
      // A refusal of what is so no longer says nothing: the function runs again and decides anew.
      if (OF_STATE.some((code) => error.code === code) && !(await isCurrent(this, plan))) return false;
      throw this.refusal(error);
    }
    this.counters.writes += planned.length;
    const incarnations = incarnationsIn(answer);
    for (const { contextId, found, next } of plan.steps) {
      if (next !== undefined && next !== found) committedElsewhere(next, incarnations.get(contextId));
    }
    return true;
  }

  close(): Promise<void> {
    this.closed = true;
    this.follower.close();
    return Promise.resolve();
  }

  /** What another server is asked to do, that one finds again: by the same key. */
  operations(after: number): Promise<EngineChanges> {
    return Promise.resolve({ changes: [], head: after, oldest: after + 1 });
  }

  async #census(): Promise<{ head: number; contexts: number }> {
    const { text } = await this.#connection.send({ method: "GET", path: "/v1/contexts?limit=1&count=true" });
    const fields = fieldsOf(JSON.parse(text), "a page");
    return { head: numberOf(fields, "revision"), contexts: numberOf(fields, "count") };
  }
}

const POST_STEPS = { method: "POST", path: "/v1/transactions" } as const;
/** What a refusal may be about that another has changed meanwhile. */
const OF_STATE = ["NOT_FOUND", "EXISTS", "CONFLICT", "LOCKED", "LEASE_LOST"] as const;

function actorOf(planned: readonly Planned[]): string | null {
  const author: Author | undefined = planned[0]?.command.author;
  return author?.agentId ?? null;
}
