/** Entries and transactions as a manager hands them to an engine, in short. */

import {
  type CommitOutcome,
  type Engine,
  type EngineChange,
  type LoggedChange,
  placeholder,
  type Transaction,
  type Write,
} from "../engine.ts";
import type { Entry } from "../entry.ts";

/** A version of a context that the transaction at this place of a commit makes. */
export function entryOf(contextId: string, parts: Partial<Entry> = {}, index = 0): Entry {
  return {
    contextId,
    version: "1",
    data: { step: 1 },
    exposed: false,
    lock: null,
    createdAtMs: 1_000,
    updatedAtMs: 1_000,
    updatedBy: null,
    note: null,
    revision: placeholder(index),
    incarnation: placeholder(index),
    chains: undefined,
    ...parts,
  };
}

/** The next version of an entry. */
export function nextOf(entry: Entry, parts: Partial<Entry> = {}, index = 0): Entry {
  const version = String(Number(entry.version) + 1);
  return { ...entry, version, data: { step: Number(version) }, exposed: false, revision: placeholder(index), ...parts };
}

export function creates(entry: Entry): Write {
  return { id: entry.contextId, expect: 0, next: entry, keeps: false };
}

/** @param expect - the revision of what is replaced, or its placeholder. */
export function replaces(next: Entry, expect: number, keeps = true): Write {
  return { id: next.contextId, expect, next, keeps };
}

export function deletes(id: string, expect: number): Write {
  return { id, expect, next: null, keeps: null };
}

export function checks(id: string, expect: number): Write {
  return { id, expect, next: undefined, keeps: false };
}

let operations = 0;

/** All of the writes as one, with the changes that go with them. */
export function transactionOf(...writes: Write[]): Transaction {
  const changes = writes.filter(({ next }) => next !== undefined).map(changeOf);
  return { opId: `kit-${++operations}`, writes, changes };
}

/** The end of all contexts. */
export function clearing(): Transaction {
  const change = { kind: "cleared", contextId: null, agentId: null, note: null, entry: null } as const;
  return { opId: `kit-${++operations}`, writes: [], changes: [change], clears: true };
}

function changeOf({ id, expect, next }: Write): LoggedChange {
  const entry = next ?? null;
  const kind = entry === null ? "deleted" : expect === 0 ? "created" : "updated";
  return { kind, contextId: id, agentId: entry?.updatedBy ?? null, note: entry?.note ?? null, entry };
}

/** Commits and gives the revisions; fails unless all of it was committed. */
export async function commitAll(engine: Engine, ...transactions: Transaction[]): Promise<number[]> {
  const outcomes = await engine.commit(transactions);
  return outcomes.map((outcome, index) => {
    if (outcome.kind === "ok") return outcome.revision;
    throw new Error(`transaction ${index + 1} of ${transactions.length}\n  expected: ok\n  received: ${outcome.kind}`);
  });
}

/** The one revision of a commit of one transaction. */
export async function commitOne(engine: Engine, ...writes: Write[]): Promise<number> {
  const [revision] = await commitAll(engine, transactionOf(...writes));
  return revision as number;
}

export function kindsOf(outcomes: readonly CommitOutcome[]): string[] {
  return outcomes.map(({ kind }) => kind);
}

/** An entry without what engines may keep as they like. */
export function content(entry: Entry | undefined): unknown {
  if (entry === undefined) return undefined;
  const { exposed: _, chains, ...rest } = entry;
  return { ...rest, chains: chains === undefined || chains.size === 0 ? undefined : [...chains] };
}

/** The whole change log past a revision, read in parts. */
export async function logSince(engine: Engine, after = 0, limit = 100): Promise<EngineChange[]> {
  const log: EngineChange[] = [];
  for (let from = after; ;) {
    const { changes, head } = await engine.changes({ after: from, limit });
    log.push(...changes);
    const next = changes.at(-1)?.revision ?? head;
    if (next <= from || next >= head) return log;
    from = next;
  }
}

/** Every entry whose id begins so, read in pages. */
export async function listed(engine: Engine, prefix = "", limit = 100): Promise<Entry[]> {
  const entries: Entry[] = [];
  let after: string | undefined;
  do {
    const page = await engine.list({ prefix, after, limit });
    entries.push(...page.entries);
    after = page.next;
  } while (after !== undefined);
  return entries;
}

export async function loadOne(engine: Engine, id: string): Promise<Entry | undefined> {
  return (await engine.load([id])).entries[0];
}
