/** What must hold of every run: of what the store was made to do, and of what agents were told. */

import { isDeepStrictEqual } from "node:util";
import { type AnyContextError, type ContextError, isContextError, SharedContext } from "shared-context-manager";
import type { Entry } from "../../src/entry.ts";
import { hasLapsed } from "../../src/entry.ts";
import type { Data, Journal, Operation } from "./journal.ts";
import type { Commit, Ledger, Step } from "./ledger.ts";

/** How long after its time is up a wait may end: the round that it is in, with what it has to ask again. */
const GRACE_MS = 2_000;
/** For so long a lock that has become free may go unnoticed, when the hint is lost. */
const UNNOTICED_MS = 1_500;

export function checkLaws(ledger: Ledger, journal: Journal): void {
  const landed = new Map<string, number>();
  for (const commit of ledger.commits) checkCommit(ledger, journal, commit, landed);
  for (const operation of journal.operations.values()) {
    checkOperation(ledger, journal, operation, landed.get(operation.label));
  }
}

function checkCommit(ledger: Ledger, journal: Journal, commit: Commit, landed: Map<string, number>): void {
  const { revision, atMs, steps, changes } = commit;
  for (const step of steps) {
    const { contextId, before, after } = step;
    const where = `revision ${revision}, context ${contextId}`;
    checkVersion(step, revision, where);
    if (before?.lock && after?.lock && before.lock.token !== after.lock.token)
      insist(hasLapsed(before.lock, atMs), `${where}: the lock of ${before.lock.owner} was taken before its time`);
    if (before?.version === after?.version && before?.incarnation === after?.incarnation) continue;
    const notes = changes.filter((change) => change.contextId === contextId && change.note !== null);
    const label = notes.at(-1)?.note ?? "";
    const operation = journal.operations.get(label);
    if (operation === undefined) throw new Error(`${where}: written by nobody: ${label}`);
    insist(
      (landed.get(label) ?? revision) === revision,
      `${label} was applied twice: ${landed.get(label)}, ${revision}`,
    );
    landed.set(label, revision);
    checkRight(operation, before, atMs, where);
    checkEffect(operation, step, where);
    if (operation.kind === "witness") checkWitness(ledger, step, revision, where);
  }
}

function checkVersion({ before, after }: Step, revision: number, where: string): void {
  if (after === undefined) return;
  insist(after.revision === revision, `${where}: the entry says revision ${after.revision}`);
  if (after.lock !== null && after.lock.token !== before?.lock?.token)
    insist(after.lock.token === revision, `${where}: a lock was granted with token ${after.lock.token}`);
  const isNew = before === undefined || before.incarnation !== after.incarnation;
  // Every write has a note of its own, also one that leaves the data as it was.
  const isWrite = after.note !== before?.note;
  const expected = isNew ? 1 : Number(before.version) + Number(isWrite);
  insist(isNew || isWrite || after.data === before.data, `${where}: the data has changed and the version has not`);
  insist(after.version === String(expected), `${where}: version ${after.version} instead of ${expected}`);
}

/** A lease writes by its token, everybody else where there is no lock, their own, or one that has lapsed. */
function checkRight(
  { label, agentId, token }: Operation,
  before: Entry | undefined,
  atMs: number,
  where: string,
): void {
  const lock = before?.lock ?? null;
  const mayWrite =
    token === undefined
      ? lock === null || lock.owner === agentId || hasLapsed(lock, atMs)
      : lock !== null && lock.token === token;
  insist(mayWrite, `${where}: ${label} with token ${token} has passed the lock ${JSON.stringify(lock)}`);
}

function checkEffect({ label, effects }: Operation, { contextId, before, after }: Step, where: string): void {
  const effect = effects?.get(contextId);
  if (effect === undefined) throw new Error(`${where}: ${label} was not to write there`);
  let expected: Data | undefined;
  try {
    expected = effect(before?.data as Data | undefined, before?.version);
  } catch (error) {
    throw new Error(`${where}: ${label}: ${String(error)}`, { cause: error });
  }
  const shown = `${JSON.stringify(after?.data)} instead of ${JSON.stringify(expected)}`;
  insist(isDeepStrictEqual(after?.data, expected), `${where}: ${label} has left ${shown}`);
}

/** What a transaction has read was so when its writes landed. */
function checkWitness(ledger: Ledger, { after }: Step, revision: number, where: string): void {
  const { saw } = (after?.data ?? {}) as Partial<Data>;
  for (const [contextId, version] of Object.entries(saw ?? {})) {
    const present = ledger.at(contextId, revision)?.version ?? "none";
    insist(present === version, `${where}: was based on version ${version} of ${contextId}, which was at ${present}`);
  }
}

function checkOperation(ledger: Ledger, journal: Journal, operation: Operation, landed: number | undefined): void {
  const { label, kind, outcome, effects } = operation;
  if (outcome === undefined) throw new Error(`${label} has never ended`);
  if ("value" in outcome) {
    // Deleting what is not there is no failure, and restoring what is there already either.
    const needsNothing = effects === undefined || effects.size === 0 || outcome.value === false || kind === "restore";
    const isDone = needsNothing || landed !== undefined;
    insist(isDone, `${label} has done nothing`);
    checkValue(ledger, operation, outcome.value, landed);
    return;
  }
  const { error } = outcome;
  if (error instanceof DOMException) return; // what an agent has aborted itself
  if (!isContextError(error)) throw new Error(`${label} has failed with ${String(error)}`, { cause: error });
  if (!isContextError(error, "INDETERMINATE"))
    insist(landed === undefined, `${label} was refused but has landed: ${String(error)}`);
  const isJustified = isFair(ledger, journal, operation, error);
  insist(isJustified, `${label} was refused without a reason: ${String(error)}`);
}

function checkValue(ledger: Ledger, operation: Operation, value: unknown, landed: number | undefined): void {
  const { label, kind, contextIds, agentId } = operation;
  const states = statesOf(ledger, operation);
  if (value instanceof SharedContext) {
    const revision = value.revision ?? 0;
    const fits = landed === undefined ? states.some((state) => state?.revision === revision) : landed === revision;
    insist(fits, `${label} got a snapshot of revision ${revision}, landed at ${landed}`);
    const shown = ledger.at(value.contextId, revision);
    const isSame = shown?.incarnation === value.incarnation && shown?.lock?.token === value.lock?.token;
    insist(isSame && isDeepStrictEqual(shown?.data, value.data), `${label} got a snapshot that the store never had`);
  } else if (kind === "get" || value === false) {
    const isMissing = kind === "get" || kind === "delete";
    insist(!isMissing || states.includes(undefined), `${label} found nothing, but it was there all the time`);
  } else if (kind === "acquire") {
    const { token } = value as { token: number };
    const isGranted = contextIds.every((id) => {
      const lock = ledger.at(id, token)?.lock;
      return lock?.owner === agentId && lock.token === token;
    });
    insist(isGranted, `${label} got a lease with token ${token} that was never granted`);
  } else if (kind === "lock" && value === true) {
    insist(
      states.some((state) => state?.lock?.owner === agentId),
      `${label} was told it has the lock`,
    );
  }
}

/** Whether there was a moment, while the operation was under way, when the refusal was right. */
function isFair(ledger: Ledger, journal: Journal, operation: Operation, error: AnyContextError): boolean {
  const { kind, agentId, token, expected, timeoutMs, network, from, to } = operation;
  const states = statesOf(ledger, operation);
  const elapsedMs = (to?.atMs ?? 0) - from.atMs;
  const isDuring = (atMs: number): boolean => atMs >= from.atMs && atMs <= (to?.atMs ?? 0);
  switch (error.code) {
    case "CONFLICT":
      if (kind === "increment") return false; // it is based on nothing
      return states.some((state) => state?.version === error.details.version) && !isSame(error, expected);
    case "LOCKED":
      return states.some((state) => state?.lock?.owner === error.details.owner && state.lock.owner !== agentId);
    case "NOT_FOUND":
      return states.includes(undefined) || kind === "restore"; // that version may not be kept
    case "EXISTS":
      return states.some((state) => state !== undefined);
    case "LEASE_LOST": {
      const since = ledger.between(error.details.contextId, token ?? 0, to?.head ?? 0);
      return since.some((state) => state?.lock?.token !== token);
    }
    case "TIMEOUT":
      return isInTime(elapsedMs, timeoutMs ?? 0) && !isForgotten(ledger, journal, operation);
    case "DEADLOCK":
      return error.details.cycle.some((wait) => wait.agentId === agentId);
    case "INDETERMINATE":
      return network.losses.some(isDuring);
    case "UNAVAILABLE":
      return network.failures.some(isDuring);
    default:
      return false;
  }
}

function isSame({ details }: ContextError<"CONFLICT">, expected: string | undefined): boolean {
  return details.version === expected && !details.recreated && details.conflicts.length === 0;
}

/** Not before its time, but for what is lost to rounding, and soon after it. */
function isInTime(elapsedMs: number, timeoutMs: number): boolean {
  return elapsedMs >= timeoutMs - 0.001 && elapsedMs <= timeoutMs + GRACE_MS;
}

/** Whether nobody had what it waited for, nor waited with it, for so long that it must have noticed. */
function isForgotten(ledger: Ledger, journal: Journal, operation: Operation): boolean {
  const { kind, contextIds, agentId, from, to } = operation;
  const untilMs = to?.atMs ?? 0;
  const sinceMs = untilMs - UNNOTICED_MS;
  if (kind !== "acquire" || sinceMs < from.atMs) return false;
  const head = ledger.headAt(sinceMs);
  const held = contextIds.some((id) =>
    ledger.between(id, head, to?.head ?? head).some((state) => (state?.lock ?? null) !== null),
  );
  const others = [...journal.operations.values()].filter(
    (other) => other.kind === "acquire" && other.agentId !== agentId,
  );
  return !held && !others.some((other) => other.from.atMs <= untilMs && (other.to?.atMs ?? Infinity) >= sinceMs);
}

/** All that the contexts of an operation were while it was under way. */
function statesOf(ledger: Ledger, { contextIds, from, to }: Operation): (Entry | undefined)[] {
  return contextIds.flatMap((contextId) => ledger.between(contextId, from.head, to?.head ?? from.head));
}

function insist(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}
