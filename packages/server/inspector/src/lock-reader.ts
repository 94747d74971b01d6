/** Renewals are no changes, and nobody tells of them: how long a lock lasts is asked again and again. */

import type { Api } from "./api.ts";
import type { State } from "./state.ts";
import type { Summary } from "./types.ts";

const EVERY_MS = 4_000;
/** At a time, those first that have not been asked for longest. */
const MOST = 6;

export class LockReader {
  readonly #api: Api;
  readonly #state: State;
  readonly #askedMs = new Map<string, number>();

  constructor(api: Api, state: State) {
    this.#api = api;
    this.#state = state;
  }

  async read(nowMs: number, signal: AbortSignal): Promise<void> {
    const due = this.#due(nowMs);
    for (const { context_id: contextId } of due) this.#askedMs.set(contextId, nowMs);
    await Promise.all(due.map(async (item) => this.#renew(item, await this.#api.summary(item.context_id, signal))));
  }

  #due(nowMs: number): Summary[] {
    const held = [...this.#state.contexts.values()].filter(({ lock_expires_at: at }) => at !== undefined);
    const ids = new Set(held.map((item) => item.context_id));
    for (const contextId of this.#askedMs.keys()) if (!ids.has(contextId)) this.#askedMs.delete(contextId);
    const askedMs = (item: Summary): number => this.#askedMs.get(item.context_id) ?? Date.parse(item.locked_at ?? "");
    return held
      .filter((item) => !(nowMs - askedMs(item) < EVERY_MS))
      .sort((one, other) => askedMs(one) - askedMs(other))
      .slice(0, MOST);
  }

  /** What else has changed comes as a change. */
  #renew({ context_id: contextId, lock_token: token }: Summary, read: Summary | undefined): void {
    const present = this.#state.contexts.get(contextId);
    if (present === undefined || read?.lock_expires_at === undefined) return;
    if (present.lock_token !== token || read.lock_token !== token) return;
    this.#state.contexts.set(contextId, { ...present, lock_expires_at: read.lock_expires_at });
  }
}
