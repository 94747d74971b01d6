/** The versions before the present one: the entries themselves, which share what did not change. */

import { type Entry, isAnother } from "./entry.ts";

export class History {
  readonly #limit: number;
  readonly #kept = new Map<string, Entry[]>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** What a commit replaces. A deleted context takes its history with it: the next of its name is another. */
  record(found: Entry | undefined, next: Entry | undefined): void {
    if (found === undefined) return;
    const { contextId } = found;
    if (next === undefined || isAnother(found, next)) {
      this.#kept.delete(contextId);
      return;
    }
    if (found.version === next.version) return;
    const kept = this.#kept.get(contextId);
    if (kept === undefined) {
      this.#kept.set(contextId, [found]);
      return;
    }
    kept.push(found);
    if (kept.length > this.#limit) kept.shift();
  }

  /** Oldest first. */
  of(contextId: string): readonly Entry[] {
    return this.#kept.get(contextId) ?? [];
  }

  find(contextId: string, version: string): Entry | undefined {
    return this.of(contextId).find((entry) => entry.version === version);
  }

  clear(): void {
    this.#kept.clear();
  }
}
