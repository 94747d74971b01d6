/** Writes of data over HTTP. */

import { checkStorable } from "../arguments.ts";
import type { Author, Entry, Expected } from "../entry.ts";
import { ContextError, isContextError } from "../errors.ts";
import { Plan } from "../plan.ts";
import { accepted } from "../refusal.ts";
import type { Rejection } from "../rejection.ts";
import type * as rules from "../rules.ts";
import * as staging from "../staging.ts";
import { type Call, pathOf } from "./connection.ts";
import { patchBody } from "./patches.ts";
import type { HttpStore } from "./store.ts";
import { tagOf } from "./steps.ts";

/** How often a merge that is made here is made again when others were faster. */
const ATTEMPTS = 50;
/** No context is ever at this version. */
const NEVER = "0";

type Rule<Result> = (plan: Plan, world: staging.World) => Result | Rejection;

export class HttpWrites {
  readonly #store: HttpStore;

  constructor(store: HttpStore) {
    this.#store = store;
  }

  async create(command: rules.CreateCommand): Promise<Entry> {
    const { contextId, author, note, operationId } = command;
    checkStorable(contextId);
    const data = this.#store.admission.copy(command.data);
    if (data === undefined) {
      return this.#refuse(contextId, [], (plan, world) => staging.create(plan, world, command));
    }
    const query = note === null ? "" : `?${new URLSearchParams({ note }).toString()}`;
    const path = `/v1/contexts${query}`;
    const body = { context_id: contextId, data };
    return this.#written({ method: "POST", path, body, ...by(author), contextIds: [contextId], operationId });
  }

  async update(command: rules.UpdateCommand): Promise<Entry> {
    const { contextId, author, expected, note, operationId } = command;
    checkStorable(contextId);
    const data = this.#store.admission.copy(command.data);
    if (data === undefined) {
      return this.#refuse(contextId, [], (plan, world) => staging.update(plan, world, command));
    }
    const headers = await this.#conditions(contextId, author, expected);
    const path = pathOf(contextId, "", { note });
    const call: Call = {
      method: "PUT",
      path,
      headers,
      body: data,
      ...by(author),
      contextIds: [contextId],
      operationId,
    };
    return told(expected, this.#written(call));
  }

  async edit(command: rules.EditCommand): Promise<Entry> {
    const { contextId, author, edit, expected, read, note, operationId } = command;
    checkStorable(contextId);
    if (edit.kind === "data") {
      const data = this.#store.admission.copy(edit.data) ?? edit.data;
      return this.#editHere({ ...command, edit: { ...edit, data } });
    }
    const type = edit.kind === "steps" ? "vnd.shared-context.operations" : "merge-patch";
    const headers = {
      ...(await this.#conditions(contextId, author, expected)),
      "content-type": `application/${type}+json`,
    };
    const path = pathOf(contextId, "", { note });
    const call: Call = {
      method: "PATCH",
      path,
      headers,
      body: patchBody(edit),
      ...by(author),
      contextIds: [contextId],
      operationId,
    };
    try {
      const next = await told(expected, this.#written(call));
      if (expected !== undefined && Number(next.version) > Number(expected.version) + 1)
        this.#store.counters.merges += 1;
      return next;
    } catch (error) {
      // The server may no longer have the version that the caller has read and has here.
      if (read === undefined || !isContextError(error, "CONFLICT") || error.details.conflicts.length > 0) throw error;
      if (error.details.recreated || error.details.version === read.version) throw error;
    }
    return this.#editHere(command);
  }

  async restore({ contextId, version, author, expected, note, operationId }: rules.RestoreCommand): Promise<Entry> {
    checkStorable(contextId);
    const headers = await this.#conditions(contextId, author, expected);
    const path = pathOf(contextId, "/restore", { note });
    const call: Call = { method: "POST", path, headers, body: { version }, ...by(author), contextIds: [contextId] };
    return this.#written({ ...call, operationId });
  }

  async remove(command: rules.RemoveCommand): Promise<boolean> {
    const { contextId, author, expected } = command;
    checkStorable(contextId);
    const headers = await this.#conditions(contextId, author, expected);
    try {
      await told(expected, this.#remove(command, headers));
    } catch (error) {
      if (isContextError(error, "NOT_FOUND")) return false;
      throw error;
    }
    this.#store.counters.writes += 1;
    return true;
  }

  /** Nobody respects no lock, but to pass one over needs a right of its own: that is asked for only where there is one. */
  async #remove(
    { contextId, author, note, operationId }: rules.RemoveCommand,
    headers: Call["headers"] & object,
  ): Promise<void> {
    const call = { method: "DELETE", headers, ...by(author), contextIds: [contextId], operationId } as const;
    try {
      await this.#store.send({ ...call, path: pathOf(contextId, "", { note }) });
      return;
    } catch (error) {
      if (author !== undefined || !isContextError(error, "LOCKED")) throw this.#refusal(error);
    }
    await this.#store.write({ ...call, path: pathOf(contextId, "", { note, force: "true" }) });
  }

  async #written(call: Call): Promise<Entry> {
    const next = await this.#store.writeEntry(call);
    this.#store.counters.writes += 1;
    return next;
  }

  async #conditions(
    contextId: string,
    { token }: Pick<Author, "token"> = NO_TOKEN,
    expected: Expected | undefined,
  ): Promise<Record<string, string | undefined>> {
    const match = expected === undefined ? "*" : `"${await this.#tag(contextId, expected)}"`;
    return { "if-match": match, "lock-token": token === null ? undefined : String(token) };
  }

  /** An ETag has an incarnation: where the caller names a version only, that of what is there. */
  async #tag(contextId: string, { version, incarnation }: Expected): Promise<string> {
    const meant = incarnation ?? (await this.#store.load(contextId))?.incarnation ?? 0;
    return tagOf({ incarnation: meant, version: isSendable(version) ? version : NEVER });
  }

  /** Edits what is there by the rules, and writes it if it is still there; else again. */
  async #editHere(command: rules.EditCommand): Promise<Entry> {
    const { contextId, author, expected, note } = command;
    for (let attempt = 1; ; attempt++) {
      const found = await this.#store.load(contextId);
      const isBehind = found !== undefined && expected !== undefined && expected.version !== found.version;
      const kept = isBehind ? await this.#store.history(contextId) : [];
      const own = kept.filter(({ incarnation }) => incarnation === found?.incarnation);
      const { plan, outcome: next } = this.#plan(contextId, found, own, (to, world) =>
        staging.edit(to, world, command),
      );
      if (found === undefined || next === found) return next;
      const headers = await this.#conditions(contextId, author, found);
      const path = pathOf(contextId, "", { note });
      const call: Call = { method: "PUT", path, headers, body: next.data, ...by(author), contextIds: [contextId] };
      try {
        const written = await this.#written(call);
        this.#store.counters.merges += plan.merges;
        return written;
      } catch (error) {
        if (attempt >= ATTEMPTS || !isContextError(error, "CONFLICT")) throw error;
      }
    }
  }

  /** Refuses what cannot be sent at all, by the rules and in their order. */
  async #refuse(contextId: string, kept: readonly Entry[], rule: Rule<Entry>): Promise<never> {
    const found = await this.#store.load(contextId);
    this.#plan(contextId, found, kept, rule);
    throw new ContextError("UNAVAILABLE", { reason: "what was there has changed while the data was looked at" });
  }

  #plan<Result>(
    contextId: string,
    found: Entry | undefined,
    kept: readonly Entry[],
    rule: Rule<Result>,
  ): { plan: Plan; outcome: Result } {
    const plan = new Plan((id) => (id === contextId ? found : undefined));
    const world = this.#store.world({ time: this.#store.time, contexts: 0, kept: () => kept });
    try {
      return { plan, outcome: accepted(rule(plan, world)) };
    } catch (error) {
      throw this.#refusal(error);
    }
  }

  #refusal(error: unknown): unknown {
    return isContextError(error) ? this.#store.refusal(error) : error;
  }
}

const NO_TOKEN = { token: null };

function by(author: Author | undefined): Pick<Call, "agentId"> {
  return { agentId: author?.agentId ?? null };
}

/** What is no number in an ETag, no context is ever at. */
function isSendable(version: string): boolean {
  return /^\d{1,16}$/.test(version);
}

/** A conflict tells the version that the caller named, not what stood for it. */
async function told<Result>(expected: Expected | undefined, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (expected === undefined || isSendable(expected.version) || !isContextError(error, "CONFLICT")) throw error;
    throw new ContextError("CONFLICT", { ...error.details, expected: expected.version });
  }
}
