/** context_wait, context_history, context_claim and context_release. */

import type { JsonObject, JsonValue } from "../data.ts";
import { describe } from "../describe.ts";
import { diff } from "../diff.ts";
import { isEqual } from "../equal.ts";
import { isContextError } from "../errors.ts";
import { formatTime } from "../format-time.ts";
import { formatPath, locate, parsePath } from "../pointer.ts";
import { isNear } from "./reading.ts";
import { isLapsed, lockOf, notFound, type Outcome, refuse, refuseArgument } from "./refusals.ts";
import { type Session, unlessRefused, versionOf } from "./session.ts";
import { Budget } from "./tokens.ts";
import type { Arguments, ToolsSnapshot } from "./types.ts";

const LONGEST_WAIT_S = 20;
/** Nobody announces that a lock has lapsed: this much later it is looked at again. */
const LAPSE_SLACK_MS = 10;

interface Condition {
  readonly since?: string;
  readonly path?: string;
  readonly equals?: JsonValue;
  readonly unlocked?: boolean;
}

export async function wait(session: Session, input: Arguments, signal: AbortSignal | undefined): Promise<Outcome> {
  const {
    id,
    cursor,
    timeout_seconds: seconds = LONGEST_WAIT_S,
  } = input as { id: string; cursor?: string; timeout_seconds?: number };
  const condition = cursor === undefined ? (input as Condition) : readCursor(cursor);
  if (condition === undefined) {
    return refuseArgument(
      `cursor: expected what a pending result returned; received ${describe(cursor)}`,
      "Call again without cursor.",
    );
  }
  const { since, path, equals, unlocked = false } = condition;
  if (since === undefined && path === undefined && !unlocked) {
    return refuseArgument(
      "expected what to wait for: since, path or unlocked; received none of them",
      "Add one of them.",
    );
  }
  if (equals !== undefined && path === undefined) {
    return refuseArgument("path: expected with equals; received nothing", "Say with path where the value is to be.");
  }
  const tokens = path === undefined ? undefined : parsePath(path);
  if (path !== undefined && tokens === undefined) {
    return refuseArgument(`path: expected a JSON Pointer such as "/status"; received ${describe(path)}`);
  }
  const holds = (context: ToolsSnapshot): boolean => {
    if (since !== undefined && versionOf(context) === since) return false;
    if (unlocked && context.lockedBy !== null && context.lockedBy !== session.agentId && !isLapsed(context))
      return false;
    if (tokens === undefined) return true;
    const { value } = locate(context.data, tokens);
    return equals === undefined ? value !== undefined : isEqual(value, equals);
  };
  const work = (): Promise<Waited> => until(session, id, holds, seconds * 1_000, signal);
  const { done, context } = await (unlocked ? session.waiting(id, work) : work());
  const state = context === undefined ? { exists: false } : { version: session.show(context), ...lockOf(context) };
  if (done) return { id, done, ...state };
  const next = `Not yet. Call context_wait again with this cursor, or do something else meanwhile.`;
  return { id, done, pending: true, ...state, cursor: cursor ?? writeCursor({ since, path, equals, unlocked }), next };
}

interface Waited {
  readonly done: boolean;
  readonly context: ToolsSnapshot | undefined;
}

async function until(
  session: Session,
  id: string,
  holds: (context: ToolsSnapshot) => boolean,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Waited> {
  const endsAtMs = performance.now() + timeoutMs;
  for (;;) {
    const leftMs = Math.max(endsAtMs - performance.now(), 0);
    const lock = (await session.manager.get(id))?.lock;
    const lapsesInMs = lock?.expiresAt == null ? Infinity : lock.expiresAt.getTime() - Date.now() + LAPSE_SLACK_MS;
    const sliceMs = Math.min(leftMs, Math.max(lapsesInMs, LAPSE_SLACK_MS));
    try {
      const options = { timeoutMs: sliceMs, ...(signal && { signal }) };
      return { done: true, context: await session.manager.waitFor(id, holds, options) };
    } catch (error) {
      if (!isContextError(error, "TIMEOUT")) throw error;
      if (performance.now() >= endsAtMs) return { done: false, context: error.details.current };
    }
  }
}

/** The whole condition, so that nothing need be kept for a model that may never come back. */
function writeCursor({
  since,
  path,
  equals,
  unlocked,
}: { [Key in keyof Condition]: Condition[Key] | undefined }): string {
  return JSON.stringify({ since, path, equals, unlocked });
}

function readCursor(cursor: string): Condition | undefined {
  try {
    const condition = JSON.parse(cursor) as Record<string, unknown> | null;
    if (typeof condition !== "object" || condition === null) return undefined;
    const { since, path, equals, unlocked } = condition;
    if (!isOptional(since, "string") || !isOptional(path, "string") || !isOptional(unlocked, "boolean"))
      return undefined;
    return { since, path, equals, unlocked } as Condition;
  } catch {
    return undefined;
  }
}

function isOptional(value: unknown, type: string): boolean {
  return value === undefined || typeof value === type;
}

const MOST_PATHS = 8;

export async function history(session: Session, input: Arguments): Promise<Outcome> {
  const { id, path, limit = 10 } = input as { id: string; path?: string; limit?: number };
  const tokens = path === undefined ? undefined : parsePath(path);
  if (path !== undefined && tokens === undefined) {
    return refuseArgument(`path: expected a JSON Pointer such as "/tasks"; received ${describe(path)}`);
  }
  const kept = await session.manager.history(id);
  if (kept.length === 0) return notFound(session, id);
  const budget = new Budget(session.options.maxTokens - 60);
  const versions: JsonObject[] = [];
  let more = false;
  for (let index = kept.length - 1; index >= 0; index--) {
    const context = kept[index] as ToolsSnapshot;
    const changed = pathsChanged(kept[index - 1], context, tokens);
    if (changed?.length === 0) continue;
    const line = lineOf(context, changed);
    if (versions.length === limit || !budget.take(line)) {
      more = true;
      break;
    }
    versions.push(line);
  }
  return { id, versions, more };
}

/** `undefined` for the oldest that is kept: what it changed is not known. */
function pathsChanged(
  before: ToolsSnapshot | undefined,
  after: ToolsSnapshot,
  tokens: readonly string[] | undefined,
): string[] | undefined {
  if (before === undefined) return undefined;
  const changed = diff(before.data, after.data).map(({ path }) => path);
  if (tokens === undefined) return changed.length === 0 ? [""] : changed; // a version is shown, whatever it did
  const places = [before.data, after.data].map((data) => formatPath(locate(data, tokens).keys.map(String)));
  return changed.filter((path) => places.some((place) => isNear(path, place)));
}

function lineOf(context: ToolsSnapshot, changed: readonly string[] | undefined): JsonObject {
  const { updatedBy, note, updatedAt } = context;
  const paths = changed?.slice(0, MOST_PATHS);
  return {
    version: versionOf(context),
    updated_by: updatedBy,
    updated_at: formatTime(updatedAt),
    ...(note !== null && { note: note.length > 200 ? `${note.slice(0, 200)}…` : note }),
    ...(paths && { changed: paths }),
    ...(changed && changed.length > MOST_PATHS && { more_changed: changed.length - MOST_PATHS }),
  };
}

export async function claim(session: Session, input: Arguments, signal: AbortSignal | undefined): Promise<Outcome> {
  const { id, wait_seconds: seconds = 0 } = input as { id: string; wait_seconds?: number };
  const expiresAt = await session.claim(id, seconds * 1_000, signal);
  const context = await unlessRefused(() => session.manager.get(id));
  return {
    id,
    claimed: true,
    expires_at: expiresAt && formatTime(expiresAt),
    ...(context && { version: session.show(context) }),
    next: "Read it, write once with release true. Any call of yours keeps the claim alive for a while.",
  };
}

export async function release(session: Session, input: Arguments): Promise<Outcome> {
  const { id } = input;
  const released = await session.release(id);
  if (released) return { id, released };
  const context = await session.manager.get(id);
  if (context === undefined) return notFound(session, id);
  if (context.lockedBy === null || context.lockedBy === session.agentId) return { id, released };
  return refuse(
    "LOCKED",
    `${describe(id)} is claimed by ${describe(context.lockedBy)}, not by you`,
    "Nothing to do: you hold no claim on it. To write, wait with context_wait and unlocked true.",
    lockOf(context),
  );
}
