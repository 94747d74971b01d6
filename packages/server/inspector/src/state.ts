/** What the page knows: the contexts as a list has told them, then change after change. */

import type { ChangeBody, Kind, Summary } from "./types.ts";

/** A change as the stream of activity shows it, without the data. */
export interface Activity {
  readonly key: string;
  readonly revision: number;
  readonly kind: Kind;
  readonly contextId: string | null;
  readonly agentId: string | null;
  readonly note: string | null;
  readonly version: string | null;
  /** `null` where it is not known: the log has no time of releases and deletions. */
  readonly atMs: number | null;
  /** It was not before this: the time of the last change before it that has one. */
  readonly afterMs?: number;
}

export interface LastWrite {
  readonly contextId: string;
  readonly version: string;
  readonly revision: number;
  readonly atMs: number;
}

export interface State {
  readonly contexts: Map<string, Summary>;
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
export function fill(state: State, summaries: readonly Summary[]): void {
  state.contexts.clear();
  state.lastWrites.clear();
  for (const summary of summaries) put(state, summary);
}

export function apply(state: State, change: ChangeBody, bytes?: number): void {
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
  put(state, bytes === undefined ? summary : { ...summary, bytes });
}

function put(state: State, summary: Summary): void {
  state.contexts.set(summary.context_id, summary);
  const { updated_by: agentId, context_id: contextId, version, revision } = summary;
  if (agentId === undefined) return;
  const atMs = Date.parse(summary.updated_at);
  const last = state.lastWrites.get(agentId);
  if (last === undefined || last.atMs <= atMs) state.lastWrites.set(agentId, { contextId, version, revision, atMs });
}

/** @param nowMs - when it arrived, which is when it was made; `null` for what is told later. */
export function activityOf(change: ChangeBody, key: string, nowMs: number | null): Activity {
  const { revision, kind, context_id: contextId, agent_id: agentId, note, context } = change;
  const written = kind === "created" || kind === "updated" ? context?.updated_at : undefined;
  const at = kind === "locked" ? context?.locked_at : written;
  const atMs = at === undefined ? nowMs : Date.parse(at);
  return { key, revision, kind, contextId, agentId, note, version: context?.version ?? null, atMs };
}

export function record(state: State, activity: Activity): void {
  state.activity.push(notBefore(activity, state.activity.at(-1)));
  if (state.activity.length > MOST_ACTIVITY) state.activity.splice(0, MOST_ACTIVITY / 10);
}

/** Puts what the log has from before in front of what is there. */
export function prepend(state: State, older: readonly Activity[]): void {
  const oldest = state.activity[0]?.revision ?? Number.POSITIVE_INFINITY;
  const known = new Set(state.activity.filter(({ revision }) => revision === oldest).map(({ key }) => key));
  const room = Math.max(0, MOST_ACTIVITY - state.activity.length);
  const fresh = older.filter(({ revision, key }) => revision < oldest || (revision === oldest && !known.has(key)));
  const timed: Activity[] = [];
  for (const entry of fresh) timed.push(notBefore(entry, timed.at(-1)));
  state.activity.unshift(...(room === 0 ? [] : timed.slice(-room)));
}

function notBefore(entry: Activity, before: Activity | undefined): Activity {
  const afterMs = before?.atMs ?? before?.afterMs;
  return entry.atMs !== null || afterMs === undefined ? entry : { ...entry, afterMs };
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
