/** What the API shows of contexts and changes. */

import type { BlameLine, Change, ContextDict, SharedContext } from "shared-context-manager";
import { formatTime, Recent } from "shared-context-manager/serving";

/** A context as the API shows it: the dictionary of section 6.20, and what a writer needs. */
export interface ContextBody extends ContextDict {
  incarnation: number;
  revision: number;
  note?: string;
  /** The fencing token, and when it was granted, where `locked_by` is set. */
  lock_token?: number;
  locked_at?: string;
}

export function contextFields(context: SharedContext): ContextBody {
  return { ...summaryFields(context), data: context.data };
}

/** All but the data. Field by field: a rest and a spread of the dictionary take several times as long. */
export function summaryFields(context: SharedContext): Omit<ContextBody, "data"> {
  const { context_id, version, locked_by, created_at, updated_at, updated_by, lock_expires_at } = context.toDict();
  const { incarnation = 0, revision = 0, note, lock } = context;
  const fields = { context_id, version, locked_by, created_at, updated_at } as Omit<ContextBody, "data">;
  if (updated_by !== undefined) fields.updated_by = updated_by;
  if (lock_expires_at !== undefined) fields.lock_expires_at = lock_expires_at;
  fields.incarnation = incarnation;
  fields.revision = revision;
  if (note !== null) fields.note = note;
  if (lock !== undefined) {
    fields.lock_token = lock.token;
    fields.locked_at = formatTime(lock.since.getTime());
  }
  return fields;
}

/** The latest text of a context. */
interface Written {
  readonly data: object;
  readonly dataText: string;
  readonly revision: number | undefined;
  readonly text: string;
}

/**
 * Many read and watch one revision. By ids, and not by the data in a weak map: those live as long as the change log, and to
 * the garbage collector so many weak keys were a tenth of a write.
 */
const written = new Recent<Written>(16 * 2 ** 20);

/** `JSON.stringify(contextFields(context))`, faster. */
export function contextText(context: SharedContext): string {
  const { contextId, revision, data } = context;
  const known = written.get(contextId);
  // By the data, since another manager may have a context with this id too.
  const isOfData = known?.data === data;
  if (isOfData && known.revision === revision && revision !== undefined) return known.text;
  // A lock leaves the data as they are.
  const dataText = isOfData ? known.dataText : JSON.stringify(data);
  const text = `${JSON.stringify(summaryFields(context)).slice(0, -1)},"data":${dataText}}`;
  written.set(contextId, { data, dataText, revision, text }, text.length);
  return text;
}

export function changeText({ context, revision, kind, contextId, agentId, note }: Change): string {
  const head = JSON.stringify({ revision, kind, context_id: contextId, agent_id: agentId, note });
  return `${head.slice(0, -1)},"context":${context === undefined ? "null" : contextText(context)}}`;
}

export function blameFields(line: BlameLine): Record<string, unknown> {
  const { path, version, agentId, note, writtenAt, orEarlier } = line;
  return { path, version, agent_id: agentId, note, written_at: formatTime(writtenAt.getTime()), or_earlier: orEarlier };
}
