/**
 * The change log as server-sent events (law 7). An id is `r`, all of revision r has been told, or `r.n`, the first n
 * changes of revision r have: so a connection may be cut inside a transaction and the next one goes on there.
 */

import { type AsyncSharedContextManager, type ContextFilter, isContextError } from "shared-context-manager";
import { changesAfter, howThingsAre, type Watching } from "shared-context-manager/serving";
import { changeEvent, event } from "./events.ts";
import type { Flow, Write } from "./exchange.ts";
import { invalid } from "./input.ts";
import { problemOf } from "./problems.ts";

/** So many characters are worth a write of their own. */
const ENOUGH = 64 * 1024;

/** A place in the change log. */
export interface Place {
  readonly revision: number;
  /** How many changes of this revision have been told; `undefined` for all. */
  readonly told: number | undefined;
}

/** @throws ContextError INVALID. */
export function readPlace(text: string, where: string): Place {
  const [, revision, told] = /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  if (revision === undefined) {
    throw invalid(
      where,
      "",
      'an id of an event such as "12" or "12.1"; leave it out to begin with how things are',
      text,
    );
  }
  return { revision: Number(revision), told: told === undefined ? undefined : Number(told) };
}

export interface StreamOptions {
  readonly filter: ContextFilter | undefined;
  /** Where to go on; `undefined` to begin with how things are. */
  readonly place: Place | undefined;
  readonly coalesce: boolean;
}

/** What one watcher is told. It reads the log only as fast as that is read: there is nothing in between that could grow. */
export class ChangeStream implements Flow {
  readonly #manager: AsyncSharedContextManager;
  readonly #options: StreamOptions;
  readonly #onEnd: (stream: ChangeStream) => void;
  #changes: Watching | undefined;
  #write: Write | undefined;
  /** How many beats ago it has said something. */
  #silence = 0;
  #isFull = false;
  #isOver = false;

  constructor(manager: AsyncSharedContextManager, options: StreamOptions, onEnd: (stream: ChangeStream) => void) {
    this.#manager = manager;
    this.#options = options;
    this.#onEnd = onEnd;
  }

  async pour(write: Write): Promise<void> {
    this.#write = write;
    try {
      // So that the caller hears at once that it is connected.
      await this.#put(": connected\n\n");
      const { revision, told } = this.#options.place ?? (await this.#tellPresent());
      let last = revision;
      let count = 0;
      let text = "";
      const changes = this.#changesAfter(told === undefined ? revision : Math.max(0, revision - 1));
      // The loop is here, and not in a function of its own: who waits in it keeps the memory of one, and there are many.
      for await (const change of changes) {
        count = change.revision === last ? count + 1 : 1;
        last = change.revision;
        const isTold = told !== undefined && last === revision && count <= told;
        if (!isTold) text += changeEvent(change, count);
        // What is there already goes out in one write.
        if (text === "" || (changes.hasNext && text.length < ENOUGH)) continue;
        const full = this.#put(text);
        text = "";
        if (full !== undefined) await full;
      }
    } catch (error) {
      // An empty id: the next connection of an EventSource begins with how things are.
      const [name, id] = isContextError(error, "COMPACTED") ? ["compacted", ""] : ["problem", undefined];
      await this.#put(event(name, id, JSON.stringify(problemOf(error))));
    }
    this.stop();
  }

  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    void this.#changes?.return?.();
    this.#onEnd(this);
  }

  /** Says that it is there, if it has said nothing since: proxies close a quiet connection. */
  beat(longestSilence: number): void {
    this.#silence += 1;
    if (this.#silence >= longestSilence && !this.#isFull) void this.#put(": heartbeat\n\n");
  }

  async #tellPresent(): Promise<Place> {
    const { changes, revision } = await howThingsAre(this.#manager, this.#options.filter);
    for (const change of changes) await this.#put(changeEvent(change, undefined));
    await this.#put(event("ready", String(revision), JSON.stringify({ revision })));
    return { revision, told: undefined };
  }

  #changesAfter(after: number): Watching {
    const { filter, coalesce } = this.#options;
    this.#changes = changesAfter(this.#manager, filter, after, coalesce);
    if (this.#isOver) void this.#changes.return?.();
    return this.#changes;
  }

  /** @returns what to wait for, where there is no room for more. */
  #put(text: string): Promise<void> | undefined {
    if (this.#isOver) return undefined;
    this.#silence = 0;
    const room = this.#write?.(text);
    if (room === undefined) return undefined;
    this.#isFull = true;
    return room.then(() => void (this.#isFull = false));
  }
}
