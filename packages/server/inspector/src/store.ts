/** The one state of the page, and who is told when it has changed. */

import type { Api } from "./api.ts";
import { Demo } from "./demo.ts";
import { type Connection, follow, type Follower, readLog } from "./follow.ts";
import { LockReader } from "./lock-reader.ts";
import { increase, Series } from "./series.ts";
import { activityOf, apply, emptyState, fill, prepend, record } from "./state.ts";
import type { ChangeBody, Identity, MetConflict, PathConflict, Queue, Summary } from "./types.ts";

/** A conflict that is known of. */
export interface KnownConflict {
  readonly key: string;
  readonly contextId: string;
  readonly agentId: string;
  readonly atMs: number;
  readonly expected: string;
  readonly version: string;
  readonly conflicts: readonly PathConflict[];
  readonly more: number;
}

const POLL_MS = 1_000;
const SOON_MS = 100;
/** Between two drawings: sixty changes a second need not be sixty drawings of ten thousand rows. */
const DRAW_MS = 50;

export class Store implements Follower {
  readonly api: Api;
  readonly state = emptyState();
  readonly writes = new Series(Date.now());
  readonly conflicts = new Series(Date.now());
  readonly lockWaits = new Series(Date.now());
  connectionState: Connection = { state: "connecting" };
  isFilled = false;
  /** `undefined` until it is known. */
  identity: Identity | undefined;
  queues: readonly Queue[] = [];
  /** How many each agent has met. */
  conflictCounts: ReadonlyMap<string, number> = new Map();
  knownConflicts: readonly KnownConflict[] = [];
  readonly demo: Demo;
  readonly #locks: LockReader;
  #listeners = new Set<() => void>();
  #drawing = false;
  #drawnMs = -DRAW_MS;
  #stop = new AbortController();
  #totals = new Map<Series, number>();
  #totalsAtMs = Date.now();

  constructor(api: Api) {
    this.api = api;
    this.demo = new Demo(api, () => this.changedState());
    this.#locks = new LockReader(api, this.state);
  }

  get isAdmin(): boolean | undefined {
    return this.identity && this.identity.rights === "admin";
  }

  get mayWrite(): boolean {
    return this.identity !== undefined && this.identity.rights !== "read";
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    this.#stop.abort();
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    void follow(this.api, this, signal);
    void this.#poll(signal);
  }

  useToken(token: string | null): void {
    this.api.setToken(token);
    this.identity = undefined;
    this.start();
  }

  filled(summaries: readonly Summary[], revision: number): void {
    const { state } = this;
    if (this.isFilled) {
      const note = "The connection was lost for longer than the log is kept: changes are missing here.";
      const gap = { kind: "current", contextId: null, agentId: null, version: null, atMs: this.#nowMs } as const;
      record(state, { ...gap, key: `gap ${Date.now()}`, revision, note });
    }
    fill(state, summaries);
    state.revision = revision;
    this.isFilled = true;
    void this.#askIdentity();
    this.changedState();
  }

  refreshed(summaries: readonly Summary[]): void {
    fill(this.state, summaries);
    this.changedState();
  }

  changed(change: ChangeBody, key: string, isOld: boolean): void {
    const bytes =
      change.context === null ? undefined : new TextEncoder().encode(JSON.stringify(change.context.data)).length;
    apply(this.state, change, bytes);
    record(this.state, activityOf(change, key, isOld ? null : this.#nowMs));
    if (["created", "updated", "deleted", "cleared"].includes(change.kind)) this.writes.add(Date.now());
    this.changedState();
  }

  connection(connection: Connection): void {
    this.connectionState = connection;
    this.changedState();
  }

  /** Reads what the log has from before what is here. @returns how many changes that were. */
  async rewind(): Promise<number> {
    const { state, api } = this;
    const until = state.activity[0]?.revision ?? state.revision;
    const logged = await readLog(api, until, this.#stop.signal);
    const before = state.activity.length;
    prepend(
      state,
      logged.map(({ change, key }) => activityOf(change, key, null)),
    );
    this.changedState();
    return state.activity.length - before;
  }

  /** The first change is drawn at once; what comes in the same twentieth of a second together, at its end. */
  changedState(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    const waitMs = Math.max(0, this.#drawnMs + DRAW_MS - performance.now());
    setTimeout(() => {
      this.#drawing = false;
      this.#drawnMs = performance.now();
      for (const listener of this.#listeners) listener();
    }, waitMs);
  }

  /** By the clock of the server. */
  get #nowMs(): number {
    return Date.now() + this.api.skewMs;
  }

  async #askIdentity(): Promise<void> {
    this.identity ??= await this.api.identity().catch(() => undefined);
    this.changedState();
  }

  /** Conflicts and waits are no changes: they are counted by the server, and read once a second. */
  async #poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.connectionState.state === "live" && !document.hidden) {
        await Promise.all([this.#readStats(signal), this.#locks.read(this.#nowMs, signal)]).catch(() => undefined);
        this.changedState();
      }
      await new Promise((resolve) => {
        setTimeout(resolve, this.connectionState.state === "live" ? POLL_MS : SOON_MS);
      });
    }
  }

  async #readStats(signal: AbortSignal): Promise<void> {
    const { totals, queues, agents, conflicts } = await this.api.stats(signal);
    const nowMs = Date.now();
    this.#count(this.conflicts, totals.conflicts, nowMs);
    this.#count(this.lockWaits, totals.lock_waits, nowMs);
    this.#totalsAtMs = nowMs;
    this.queues = queues;
    this.conflictCounts = new Map(agents.map(({ agent_id: agentId, conflicts: count }) => [agentId, count]));
    this.knownConflicts = conflicts.map(known);
  }

  /** A tab in the background reads rarely: what came meanwhile is spread over the time. */
  #count(series: Series, total: number, nowMs: number): void {
    series.spread(this.#totalsAtMs, nowMs, increase(this.#totals.get(series), total));
    this.#totals.set(series, total);
  }
}

function known(met: MetConflict): KnownConflict {
  const { id, context_id: contextId, agent_id: agentId, at, ...rest } = met;
  return { ...rest, key: `${at} ${id}`, contextId, agentId, atMs: Date.parse(at) };
}
