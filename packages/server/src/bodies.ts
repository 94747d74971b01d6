/** What the API shows of contexts and changes. */

import type { BlameLine, Change, ContextDict, SharedContext } from "shared-context-manager";

/** A context as the API shows it: the dictionary of section 6.20, and what a writer needs. */
export interface ContextBody extends ContextDict {
  incarnation: number;
  revision: number;
  note?: string;
  /** The fencing token, where `locked_by` is set. */
  lock_token?: number;
  /** Since when, where `locked_by` is set. */
  locked_at?: string;
}

/** Snapshots of one version share their data: it is written as JSON once. */
const texts = new WeakMap<object, string>();

function textOf(data: object): string {
  let text = texts.get(data);
  if (text === undefined) {
    text = JSON.stringify(data);
    texts.set(data, text);
  }
  return text;
}

export function contextFields(context: SharedContext): ContextBody {
  return { ...summaryFields(context), data: context.data };
}

/** All but the data. */
export function summaryFields(context: SharedContext): Omit<ContextBody, "data"> {
  const { data: _, ...rest } = context.toDict();
  const { incarnation = 0, revision = 0, note, lock } = context;
  const fields: Omit<ContextBody, "data"> = { ...rest, incarnation, revision };
  if (note !== null) fields.note = note;
  if (lock !== undefined) {
    fields.lock_token = lock.token;
    fields.locked_at = lock.since.toISOString();
  }
  return fields;
}

interface Written {
  readonly contextId: string;
  readonly revision: number | undefined;
  readonly text: string;
}

/** The latest text of a snapshot with these data: many read and watch one revision. */
const written = new WeakMap<object, Written>();

/** `JSON.stringify(contextFields(context))`, faster. */
export function contextText(context: SharedContext): string {
  const { contextId, revision, data } = context;
  const known = written.get(data);
  if (known !== undefined && known.revision === revision && known.contextId === contextId) return known.text;
  const text = `${JSON.stringify(summaryFields(context)).slice(0, -1)},"data":${textOf(data)}}`;
  if (revision !== undefined) written.set(data, { contextId, revision, text });
  return text;
}

/** The latest change that has left these data, as text: all who watch are told the same. */
const told = new WeakMap<object, Written & { readonly kind: string }>();

export function changeText({ context, revision, kind, contextId, agentId, note }: Change): string {
  const known = context && told.get(context.data);
  const isSame = known?.revision === revision && known.kind === kind && known.contextId === contextId;
  if (known !== undefined && isSame) return known.text;
  const head = JSON.stringify({ revision, kind, context_id: contextId, agent_id: agentId, note });
  const text = `${head.slice(0, -1)},"context":${context === undefined ? "null" : contextText(context)}}`;
  if (context !== undefined) told.set(context.data, { contextId: context.contextId, revision, kind, text });
  return text;
}

export function blameFields(line: BlameLine): Record<string, unknown> {
  const { path, version, agentId, note, writtenAt, orEarlier } = line;
  return { path, version, agent_id: agentId, note, written_at: writtenAt.toISOString(), or_earlier: orEarlier };
}

export function bytesOf(data: object): number {
  return new TextEncoder().encode(textOf(data)).length;
}
