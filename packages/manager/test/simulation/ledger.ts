/** The store of a simulation, which also writes down what it is made to do: what outcomes are judged by. */

import type { CommitOutcome, EngineOptions, LoggedChange, Transaction } from "../../src/engine.ts";
import { MemoryEngine } from "../../src/engines/memory.ts";
import type { Entry } from "../../src/entry.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What a commit has made of one context. */
export interface Step {
  readonly contextId: string;
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
}

export interface Commit {
  readonly revision: number;
  readonly atMs: number;
  readonly steps: readonly Step[];
  readonly changes: readonly LoggedChange[];
}

export class Ledger extends MemoryEngine {
  readonly commits: Commit[] = [];
  readonly #time: VirtualTime;
  readonly #entries = new Map<string, Entry>();
  /** Of each context, what it was from which revision on. */
  readonly #states = new Map<string, { readonly from: number; readonly entry: Entry | undefined }[]>();

  constructor(time: VirtualTime, options: EngineOptions) {
    super(time, options);
    this.#time = time;
  }

  get head(): number {
    return this.commits.at(-1)?.revision ?? 0;
  }

  override async commit(transactions: readonly Transaction[]): Promise<CommitOutcome[]> {
    const outcomes = await super.commit(transactions);
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.kind === "ok") this.#record(transactions[index] as Transaction, outcome.revision);
    }
    return outcomes;
  }

  headAt(atMs: number): number {
    return this.commits.findLast((commit) => commit.atMs <= atMs)?.revision ?? 0;
  }

  /** A context as of a revision. */
  at(contextId: string, revision: number): Entry | undefined {
    return (this.#states.get(contextId) ?? []).findLast(({ from }) => from <= revision)?.entry;
  }

  /** All that a context was between two revisions, both included. */
  between(contextId: string, first: number, last: number): (Entry | undefined)[] {
    const states = this.#states.get(contextId) ?? [];
    const later = states.filter(({ from }) => from > first && from <= last).map(({ entry }) => entry);
    return [this.at(contextId, first), ...later];
  }

  #record({ writes, changes }: Transaction, revision: number): void {
    const steps: Step[] = [];
    for (const { id, next } of writes) {
      if (next === undefined) continue;
      const after = next ?? undefined;
      steps.push({ contextId: id, before: this.#entries.get(id), after });
      if (after === undefined) this.#entries.delete(id);
      else this.#entries.set(id, after);
      this.#states.set(id, [...(this.#states.get(id) ?? []), { from: revision, entry: after }]);
    }
    this.commits.push({ revision, atMs: this.#time.leaseMs(), steps, changes });
  }
}
