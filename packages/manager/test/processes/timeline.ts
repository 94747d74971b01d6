/** The states of one context, by revision. */

import { isDeepStrictEqual } from "node:util";
import type { LogEntry, State } from "./history.ts";

export class Timeline {
  readonly entries: readonly LogEntry[];
  /** Where the lock with each token begins, and where what comes after it begins. */
  readonly #locks = new Map<number, { readonly from: number; to: number; readonly owner: string | null }>();
  readonly #tokens = new Map<string, number>();

  constructor(entries: readonly LogEntry[]) {
    this.entries = entries;
    for (const [index, { state }] of entries.entries()) {
      const before = entries[index - 1]?.state.token ?? null;
      if (state.token === before) continue;
      if (before !== null) this.#locks.get(before)!.to = index;
      if (state.token === null) continue;
      this.#locks.set(state.token, { from: index, to: entries.length, owner: state.owner });
      if (state.owner !== null) this.#tokens.set(state.owner, state.token);
    }
  }

  /** The place of the state that was there at a revision; -1 when there was none yet. */
  at(revision: number): number {
    let [low, high] = [0, this.entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.entries[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** The entry that a revision has made here. */
  madeBy(revision: number): { readonly entry: LogEntry; readonly before: State | undefined } | undefined {
    const index = this.at(revision);
    const entry = this.entries[index];
    return entry?.revision === revision ? { entry, before: this.entries[index - 1]?.state } : undefined;
  }

  /** The revision from which on a state was no longer so; `undefined` when it still is. */
  endOf(index: number): number | undefined {
    return this.entries[index + 1]?.revision;
  }

  lockWith(token: number): { readonly from: LogEntry; readonly to: LogEntry | undefined } | undefined {
    const lock = this.#locks.get(token);
    return lock && { from: this.entries[lock.from]!, to: this.entries[lock.to] };
  }

  /** The token of the last lock that an agent had here; each agent asks for one at most. */
  tokenOf(owner: string): number | undefined {
    return this.#tokens.get(owner);
  }
}

/** Whether two have seen the same; a renewal alone changes the revision and is not in the log. */
export function isSame(one: State, other: State): boolean {
  return isDeepStrictEqual({ ...one, revision: 0 }, { ...other, revision: 0 });
}
