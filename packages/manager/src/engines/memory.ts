/** The reference engine: the contract in as few lines as it takes, for tests and for a single process. */

import type {
  CommitOutcome,
  Engine,
  EngineChange,
  EngineChanges,
  EngineOptions,
  EnginePage,
  EngineSupports,
  Loaded,
  Transaction,
  Write,
} from "../engine.ts";
import { pageStart, resolved, settle } from "../engine.ts";
import type { Clock } from "../clock.ts";
import type { Entry } from "../entry.ts";

const DROPPED_AT_ONCE = 256;

export class MemoryEngine implements Engine {
  readonly supports: Readonly<EngineSupports> = Object.freeze({ durable: false, shared: false });
  readonly #clock: Clock;
  readonly #options: EngineOptions;
  /** In the order of creation. */
  readonly #entries = new Map<string, { readonly order: number; readonly entry: Entry }>();
  readonly #history = new Map<string, Entry[]>();
  readonly #log: EngineChange[] = [];
  #head = 0;
  #oldest = 1;
  #created = 0;
  readonly #listeners = new Set<() => void>();

  constructor(clock: Clock, options: EngineOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  load(ids: readonly string[], counts = false): Promise<Loaded> {
    return Promise.resolve({
      entries: ids.map((id) => this.#entries.get(id)?.entry),
      time: { wallMs: this.#clock.wallMs(), leaseMs: this.#clock.leaseMs() },
      head: this.#head,
      contexts: counts ? this.#entries.size : undefined,
    });
  }

  commit(transactions: readonly Transaction[]): Promise<CommitOutcome[]> {
    const revisions: number[] = [];
    const outcomes = transactions.map((transaction): CommitOutcome => {
      if (!transaction.writes.every((write) => this.#fits(write, revisions))) {
        revisions.push(Number.NaN);
        return { kind: "mismatch" };
      }
      revisions.push(++this.#head);
      this.#apply(transaction, revisions);
      return { kind: "ok", revision: this.#head };
    });
    this.#trim();
    for (const listener of this.#listeners) queueMicrotask(listener);
    return Promise.resolve(outcomes);
  }

  // oxlint-disable-next-line typescript/require-await -- what is refused is a rejection here
  async list({ prefix, after, limit }: Parameters<Engine["list"]>[0]): Promise<EnginePage> {
    const from = pageStart(after);
    const found = [...this.#entries.values()].filter(
      ({ order, entry }) => order > from && entry.contextId.startsWith(prefix),
    );
    const page = found.slice(0, limit);
    const next = found.length > limit ? String(page.at(-1)?.order) : undefined;
    return { entries: page.map(({ entry }) => entry), next, head: this.#head };
  }

  changes({ after, limit }: Parameters<Engine["changes"]>[0]): Promise<EngineChanges> {
    // From the end: whoever follows has read all but the latest.
    const first = Math.max(after + 1, this.#oldest);
    let from = this.#log.length;
    while ((this.#log[from - 1]?.revision ?? 0) >= first) from -= 1;
    const past = this.#log.slice(from);
    const last = past[limit - 1]?.revision ?? Infinity;
    const changes = past.filter(({ revision }) => revision <= last);
    return Promise.resolve({ changes, head: this.#head, oldest: this.#oldest });
  }

  history(id: string): Promise<Entry[]> {
    return Promise.resolve([...(this.#history.get(id) ?? [])]);
  }

  onWake(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.#listeners.clear();
    return Promise.resolve();
  }

  #fits({ id, expect }: Write, revisions: readonly number[]): boolean {
    return (this.#entries.get(id)?.entry.revision ?? 0) === resolved(expect, revisions);
  }

  #apply({ opId, writes, changes, clears = false }: Transaction, revisions: readonly number[]): void {
    if (clears) {
      this.#entries.clear();
      this.#history.clear();
    }
    for (const write of writes) this.#write(write, revisions);
    for (const { kind, contextId, agentId, note, entry } of changes) {
      this.#log.push({ revision: this.#head, opId, kind, contextId, agentId, note, entry });
    }
  }

  #write({ id, next, keeps }: Write, revisions: readonly number[]): void {
    if (next === undefined) return;
    const found = this.#entries.get(id);
    if (keeps === null) this.#history.delete(id);
    else if (keeps && found !== undefined) this.#keep(id, found.entry);
    if (next === null || keeps === null) this.#entries.delete(id);
    if (next === null) return;
    settle(next, revisions);
    this.#entries.set(id, { order: this.#entries.get(id)?.order ?? ++this.#created, entry: next });
  }

  #keep(id: string, entry: Entry): void {
    const { historyLimit } = this.#options;
    if (historyLimit === 0) return;
    const kept = this.#history.get(id);
    if (kept === undefined) this.#history.set(id, [entry]);
    else if (kept.push(entry) > historyLimit) kept.shift();
  }

  #trim(): void {
    const surplus = this.#log.length - this.#options.changeLogLimit;
    if (surplus <= 0) return;
    this.#oldest = this.#log[surplus]?.revision ?? this.#head + 1;
    // To move the whole log for every commit would cost more than the commit.
    if (surplus < DROPPED_AT_ONCE) return;
    let dropped = surplus;
    // The rest of the transaction of the first that is to be kept stays with it.
    while (this.#log[dropped - 1]?.revision === this.#oldest) dropped -= 1;
    this.#log.splice(0, dropped);
  }
}
