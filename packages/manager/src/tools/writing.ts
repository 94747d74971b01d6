/** context_create and context_write: what fits is merged by path, what does not is a result that says how to go on. */

import type { JsonObject, JsonValue } from "../data.ts";
import { describe } from "../describe.ts";
import { diff } from "../diff.ts";
import { type ErrorDetails, isContextError, type PathConflict, type Writer } from "../errors.ts";
import { locate, parsePath } from "../pointer.ts";
import { lockOf, notFound, type Outcome, refuse, refuseArgument } from "./refusals.ts";
import type { Session } from "./session.ts";
import { Budget, tokensOf } from "./tokens.ts";
import type { Arguments, ToolsSnapshot } from "./types.ts";

interface Writing {
  readonly id: string;
  readonly base_version: string;
  readonly merge_patch?: JsonObject;
  readonly operations?: readonly { readonly op: string; readonly path: string; readonly value?: JsonValue }[];
  readonly replace_all?: JsonObject;
  readonly note?: string;
  readonly release?: boolean;
}

export async function create(session: Session, input: Arguments): Promise<Outcome> {
  const { id, data, note } = input as { id: string; data: JsonObject; note?: string };
  const context = await session.agent.create(id, data, note === undefined ? {} : { note });
  return { id, version: session.show(context) };
}

export async function write(session: Session, input: Arguments): Promise<Outcome> {
  const writing = input as unknown as Writing;
  const { id, base_version: baseVersion, release = false } = writing;
  const given = (["merge_patch", "operations", "replace_all"] as const).filter((name) => writing[name] !== undefined);
  if (given.length !== 1) {
    const got = given.length === 0 ? "none" : given.join(" and ");
    return refuseArgument(
      `expected exactly one of merge_patch, operations, replace_all; received ${got}`,
      "Send the change as one merge_patch with only the fields that change, or as operations.",
    );
  }
  if (!/^\d{1,15}\.\d{1,15}$/.test(baseVersion)) {
    return refuseArgument(
      `base_version: expected the version that a read or write returned, such as "12.3"; received ${describe(baseVersion)}`,
      "Read the context and copy its version.",
    );
  }
  const base = await session.find(id, baseVersion);
  if (base === undefined) return withoutBase(session, writing);
  try {
    const written = await submit(session, writing, base);
    session.countSuccess(id);
    const merged = Number(written.version) > Number(base.version) + 1;
    const unchanged = written.version === base.version;
    const released = release && (await session.releaseAfterWrite(id));
    const version = session.show(written);
    return {
      id,
      version,
      ...(unchanged && { unchanged }),
      ...(merged && {
        merged,
        next: `Others wrote since ${baseVersion}; see all of it with since ${JSON.stringify(baseVersion)}.`,
      }),
      ...(release && { released }),
    };
  } catch (error) {
    if (!isContextError(error, "CONFLICT")) throw error;
    return conflict(session, writing, base, error.details);
  }
}

async function submit(session: Session, writing: Writing, base: ToolsSnapshot): Promise<ToolsSnapshot> {
  const { id, note, merge_patch: mergePatch, operations, replace_all: data } = writing;
  const options = note === undefined ? {} : { note };
  const writer = session.writer(id);
  return data === undefined
    ? writer.patch(id, mergePatch ?? operations ?? {}, base, options)
    : writer.update(id, data, base, options);
}

/** The version is not known here any more, or never was. */
async function withoutBase(session: Session, writing: Writing): Promise<Outcome> {
  const current = await session.manager.get(writing.id);
  if (current === undefined) return notFound(session, writing.id);
  const conflicts = wishesOf(writing).map(({ path, yours }) => ({
    path,
    ...(yours !== undefined && { yours }),
    ...present("theirs", locate(current.data, parsePath(path) ?? []).value),
  }));
  const [incarnation] = writing.base_version.split(".");
  const recreated = String(current.incarnation ?? 0) !== incarnation;
  const isAhead = !recreated && Number(writing.base_version.split(".")[1]) > Number(current.version);
  const why = isAhead
    ? "no read returned it"
    : recreated
      ? "the context has been created anew since, or no read returned it"
      : "that version is not kept any more";
  const message = `base_version ${describe(writing.base_version)} cannot be merged: ${why}; nothing was written`;
  return conflicting(session, writing, current, message, conflicts);
}

function conflict(
  session: Session,
  writing: Writing,
  base: ToolsSnapshot,
  { current, recreated, conflicts, writers }: ErrorDetails["CONFLICT"],
): Outcome {
  const { id, replace_all: data } = writing;
  if (recreated) {
    const message = `${describe(id)} was deleted and created anew since you read it; nothing was written`;
    return conflicting(session, writing, current, message, []);
  }
  const overlaps = data === undefined ? conflicts.map(withWriter(writers)) : replaced(base, current, data);
  const who = [...new Set(writers.flatMap((writer) => (writer?.agentId == null ? [] : [writer.agentId])))];
  const by = who.length > 0 ? who.map(describe).join(", ") : describe(current.updatedBy ?? "somebody");
  const message =
    data === undefined
      ? `${by} changed what you change since version ${describe(writing.base_version)}; nothing was written`
      : `replace_all needs the present version, and ${by} has written since ${describe(writing.base_version)}; nothing was written`;
  return conflicting(session, writing, current, message, overlaps);
}

type Overlap = Readonly<Record<string, JsonValue>> & { readonly path: string };

function withWriter(writers: readonly (Writer | null)[]): (overlap: PathConflict, index: number) => Overlap {
  return ({ path, base, yours, theirs }, index) => {
    const writer = writers[index];
    return {
      path,
      ...present("base", base),
      ...present("yours", yours),
      ...present("theirs", theirs),
      ...(writer != null && { written_by: writer.agentId, in_version: writer.version }),
      ...(writer?.note != null && { note: writer.note }),
    };
  };
}

/** What others changed, and what the new document has in these places. */
function replaced(base: ToolsSnapshot, current: ToolsSnapshot, data: object): Overlap[] {
  return diff(base.data, current.data).map(({ path }) => {
    const at = (root: unknown): unknown => locate(root, parsePath(path) ?? []).value;
    return {
      path,
      ...present("base", at(base.data)),
      ...present("yours", at(data)),
      ...present("theirs", at(current.data)),
    };
  });
}

/** A side that has nothing there is left out. */
function present(side: string, value: unknown): Record<string, JsonValue> {
  return value === undefined ? {} : { [side]: value as JsonValue };
}

/** What a write asks for, path by path, where there is nothing to compare it with. */
function wishesOf({ merge_patch: patch, operations }: Writing): { path: string; yours: JsonValue | undefined }[] {
  if (operations !== undefined) return operations.map(({ path, value }) => ({ path, yours: value }));
  return patch === undefined
    ? []
    : diff({}, patch).map((step) => ({ path: step.path, yours: "value" in step ? step.value : null }));
}

function conflicting(
  session: Session,
  { id, release = false, replace_all: data }: Writing,
  current: ToolsSnapshot,
  message: string,
  overlaps: readonly Overlap[],
): Outcome {
  const version = session.show(current);
  const budget = new Budget(session.options.maxTokens - 200);
  const conflicts: JsonObject[] = [];
  for (const overlap of overlaps) {
    const brief = shortened(overlap);
    if (!budget.take(brief)) break;
    conflicts.push(brief);
  }
  const count = session.countConflict(id);
  const stop = count >= session.options.maxConflicts;
  const claimed = release ? " Your claim, if you have one, is kept: repeat release." : "";
  const retry =
    data === undefined
      ? `Decide each path in conflicts (theirs stands now), then write again with base_version ${JSON.stringify(version)}, only what still should change.`
      : `Use merge_patch with only what you change and base_version ${JSON.stringify(version)}; replace_all would undo the work of others.`;
  return refuse(
    "CONFLICT",
    message,
    stop
      ? `Stop: ${count} conflicts in a row on ${describe(id)}. Do not write again now. ${session.options.claims ? "Claim it with context_claim, read it, then write once" : "Let the others finish: context_wait, then read it again"}, or report the conflict.`
      : `${retry}${claimed}`,
    {
      id,
      version,
      updated_by: current.updatedBy,
      ...lockOf(current),
      conflicts,
      ...(overlaps.length > conflicts.length && { more_conflicts: overlaps.length - conflicts.length }),
      ...(stop && { stop }),
    },
  );
}

const LONGEST_VALUE_TOKENS = 300;

function shortened(overlap: Overlap): JsonObject {
  if (tokensOf(overlap) <= LONGEST_VALUE_TOKENS) return overlap;
  const result: Record<string, JsonValue> = {};
  const omitted: string[] = [];
  for (const [key, value] of Object.entries(overlap)) {
    const long = key !== "path" && tokensOf(value) > LONGEST_VALUE_TOKENS / 4;
    if (long) omitted.push(key);
    else result[key] = value;
  }
  return { ...result, too_long: omitted };
}
