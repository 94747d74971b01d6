/** What the page knows: the contexts as a list has told them, then change after change. */

import type { ChangeBody, Kind, Summary } from "./types.ts";

export interface Item extends Summary {
  /** When this page first saw the lock that is on it: it is held at least since then. */
  readonly lockSeenMs?: number;
}

/** A change as the stream of activity shows it, without the data. */
export interface Activity {
  readonly key: string;
  readonly revision: number;
  readonly kind: Kind;
  readonly contextId: string | null;
  readonly agentId: string | null;
  readonly note: string | null;
  readonly version: string | null;
  /** When it was written, or when it arrived; `null` for what is read from the log and has no time. */
  readonly atMs: number | null;
}

export interface LastWrite {
  readonly contextId: string;
  readonly version: string;
  readonly revision: number;
  readonly atMs: number;
}

export interface State {
  readonly contexts: Map<string, Item>;
  readonly lastWrites: Map<string, LastWrite>;
  /** The oldest first. */
  readonly activity: Activity[];
  /** The last revision that has been told. */
  revision: number;
}

const MOST_ACTIVITY = 20_000;

export function emptyState(): State {
  return { contexts: new Map(), lastWrites: new Map(), activity: [], revision: 0 };
}

/** Begins with the contexts as they were listed; what is newer comes as a change. The activity stays. */
export function fill(state: State, summaries: readonly Summary[], nowMs: number): void {
  const known = new Map(state.contexts);
  state.contexts.clear();
  state.lastWrites.clear();
  for (const summary of summaries) put(state, summary, known.get(summary.context_id), nowMs);
}

export function apply(state: State, change: ChangeBody, nowMs: number, bytes?: number): void {
  const { revision, kind, context_id: contextId, context } = change;
  state.revision = Math.max(state.revision, revision);
  if (kind === "cleared" || contextId === null) {
    for (const [id, item] of state.contexts) if (item.revision < revision) state.contexts.delete(id);
    return;
  }
  const known = state.contexts.get(contextId);
  // The list was read later than this.
  if (known !== undefined && known.revision > revision) return;
  if (context === null) {
    state.contexts.delete(contextId);
    return;
  }
  const { data: _, ...summary } = context;
  put(state, bytes === undefined ? summary : { ...summary, bytes }, known, nowMs);
}

function put(state: State, summary: Summary, known: Item | undefined, nowMs: number): void {
  const isSameLock = known?.lock_token === summary.lock_token;
  const lockSeenMs = summary.locked_by === null ? undefined : ((isSameLock ? known?.lockSeenMs : undefined) ?? nowMs);
  state.contexts.set(summary.context_id, lockSeenMs === undefined ? summary : { ...summary, lockSeenMs });
  const { updated_by: agentId, context_id: contextId, version, revision } = summary;
  if (agentId === undefined) return;
  const atMs = Date.parse(summary.updated_at);
  const last = state.lastWrites.get(agentId);
  if (last === undefined || last.atMs <= atMs) state.lastWrites.set(agentId, { contextId, version, revision, atMs });
}

/** @param nowMs - when it arrived; `null` for what is read from the log. */
export function activityOf(change: ChangeBody, key: string, nowMs: number | null): Activity {
  const { revision, kind, context_id: contextId, agent_id: agentId, note, context } = change;
  const isWrite = kind === "created" || kind === "updated";
  const atMs = isWrite && context !== null ? Date.parse(context.updated_at) : nowMs;
  return { key, revision, kind, contextId, agentId, note, version: context?.version ?? null, atMs };
}

export function record(state: State, activity: Activity): void {
  state.activity.push(activity);
  if (state.activity.length > MOST_ACTIVITY) state.activity.splice(0, MOST_ACTIVITY / 10);
}

/** Puts what the log has from before in front of what is there. */
export function prepend(state: State, older: readonly Activity[]): void {
  const oldest = state.activity[0]?.revision ?? Number.POSITIVE_INFINITY;
  const known = new Set(state.activity.filter(({ revision }) => revision === oldest).map(({ key }) => key));
  const room = Math.max(0, MOST_ACTIVITY - state.activity.length);
  const fresh = older.filter(({ revision, key }) => revision < oldest || (revision === oldest && !known.has(key)));
  state.activity.unshift(...(room === 0 ? [] : fresh.slice(-room)));
}

export interface ActivityFilter {
  readonly agent: string;
  readonly kind: Kind | "";
  readonly context: string;
}

export function filterActivity(activity: readonly Activity[], { agent, kind, context }: ActivityFilter): Activity[] {
  return activity.filter(
    (entry) =>
      (kind === "" || entry.kind === kind) &&
      (agent === "" || (entry.agentId ?? "").includes(agent)) &&
      (context === "" || (entry.contextId ?? "").includes(context)),
  );
}
