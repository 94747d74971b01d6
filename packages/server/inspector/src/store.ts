/** The one state of the page, and who is told when it has changed. */

import type { Queue } from "./agents.ts";
import { type Api, ApiError } from "./api.ts";
import { type Connection, follow, type Follower, readLog } from "./follow.ts";
import { increase, readMetrics, Series } from "./series.ts";
import { activityOf, apply, emptyState, fill, prepend, record } from "./state.ts";
import type { ChangeBody, PathConflict, Summary } from "./types.ts";

/** A conflict that is known of. */
export interface KnownConflict {
  readonly contextId: string;
  readonly agentId: string | null;
  readonly atMs: number;
  readonly conflicts: readonly PathConflict[];
}

/** What `/v1/stats` tells, on a server that has it. */
interface Stats {
  readonly queues?: readonly Queue[];
  readonly conflicts?: readonly {
    readonly context_id: string;
    readonly agent_id: string | null;
    readonly at: string;
    readonly conflicts: readonly PathConflict[];
  }[];
}

const POLL_MS = 1_000;
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
  isAdmin: boolean | undefined;
  /** `undefined` where the server does not tell. */
  queues: readonly Queue[] | undefined;
  reportedConflicts: readonly KnownConflict[] | undefined;
  /** Those that this page ran into itself. */
  ownConflicts: readonly KnownConflict[] = [];
  #listeners = new Set<() => void>();
  #drawing = false;
  #stop = new AbortController();
  #totals = new Map<string, number>();
  #totalsAtMs = Date.now();

  constructor(api: Api) {
    this.api = api;
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
    this.isAdmin = undefined;
    this.start();
  }

  filled(summaries: readonly Summary[], revision: number): void {
    const { state } = this;
    if (this.isFilled) {
      const note = "The connection was lost for longer than the log is kept: changes are missing here.";
      const gap = { kind: "current", contextId: null, agentId: null, version: null, atMs: Date.now() } as const;
      record(state, { ...gap, key: `gap ${Date.now()}`, revision, note });
    }
    fill(state, summaries, Date.now());
    state.revision = revision;
    this.isFilled = true;
    void this.#askRights();
    this.changedState();
  }

  refreshed(summaries: readonly Summary[]): void {
    fill(this.state, summaries, Date.now());
    this.changedState();
  }

  changed(change: ChangeBody, key: string): void {
    const nowMs = Date.now();
    const bytes =
      change.context === null ? undefined : new TextEncoder().encode(JSON.stringify(change.context.data)).length;
    apply(this.state, change, nowMs, bytes);
    const activity = activityOf(change, key, nowMs);
    record(this.state, activity);
    if (["created", "updated", "deleted", "cleared"].includes(change.kind)) this.writes.add(nowMs);
    this.changedState();
  }

  connection(connection: Connection): void {
    this.connectionState = connection;
    this.changedState();
  }

  addOwnConflict(contextId: string, conflicts: readonly PathConflict[]): void {
    this.ownConflicts = [{ contextId, agentId: null, atMs: Date.now(), conflicts }, ...this.ownConflicts].slice(0, 100);
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

  /** Listeners hear of it together with what else changes in the same twentieth of a second. */
  changedState(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    setTimeout(() => {
      this.#drawing = false;
      for (const listener of this.#listeners) listener();
    }, DRAW_MS);
  }

  async #askRights(): Promise<void> {
    if (this.isAdmin !== undefined) return;
    this.isAdmin = await this.api.isAdmin().catch(() => false);
    this.changedState();
  }

  /** Conflicts and waits are no changes: they are counted by the server, and read once a second. */
  async #poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.connectionState.state === "live" && !document.hidden) {
        await Promise.all([this.#readMetrics(signal), this.#readStats(signal)]).catch(() => undefined);
      }
      await new Promise((resolve) => {
        setTimeout(resolve, POLL_MS);
      });
    }
  }

  async #readMetrics(signal: AbortSignal): Promise<void> {
    const values = readMetrics(await this.api.metrics(signal));
    const nowMs = Date.now();
    for (const [name, series] of [
      ["shared_context_conflicts_total", this.conflicts],
      ["shared_context_lock_waits_total", this.lockWaits],
    ] as const) {
      const value = values.get(name) ?? 0;
      // A tab in the background reads them rarely.
      series.spread(this.#totalsAtMs, nowMs, increase(this.#totals.get(name), value));
      this.#totals.set(name, value);
    }
    this.#totalsAtMs = nowMs;
    this.changedState();
  }

  async #readStats(signal: AbortSignal): Promise<void> {
    if (!(await this.api.has("/v1/stats"))) return;
    try {
      const { queues, conflicts } = await this.api.json<Stats>("GET", "/v1/stats", { signal });
      this.queues = queues;
      this.reportedConflicts = conflicts?.map((conflict) => ({
        contextId: conflict.context_id,
        agentId: conflict.agent_id,
        atMs: Date.parse(conflict.at),
        conflicts: conflict.conflicts,
      }));
    } catch (error) {
      if (!(error instanceof ApiError)) return;
      this.queues = undefined;
      this.reportedConflicts = undefined;
    }
  }
}
