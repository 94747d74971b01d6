/**
 * What a batch writes, as lines of text: JSON has no line breaks. The first line says of all transactions what they are, and
 * behind it come the entries that are logged. These lines are the item of the change log, as they are; entries that are
 * stored and not logged follow. Numbers that the commit gives stay placeholders: whoever reads puts them in.
 */

import { entryFrom, parseStored } from "../codec.ts";
import { type EngineChange, type LoggedChange, resolved, type Transaction } from "../engine.ts";
import type { Entry, Lock } from "../entry.ts";
import { ContextError } from "../errors.ts";

type Draft<Type> = { -readonly [Key in keyof Type]: Type[Key] };

export class Lines {
  readonly texts: string[] = [""];
  /** So many of the texts are for the change log. */
  readonly logged: number;
  /** Whether there is anything to be told of them: of a lease that is renewed there is not. */
  hasChanges = false;
  readonly #lineOf = new Map<Entry, number>();
  /** What stands for the revision of each transaction; nothing while all of them fit, each under its own number. */
  readonly #placeholders: readonly number[] | undefined;

  /** @param fitting - the rank of each transaction; 0 for one that is left out. */
  constructor(transactions: readonly Transaction[], fitting: readonly number[]) {
    if (fitting.includes(0)) this.#placeholders = fitting.map((rank) => -rank);
    const told: unknown[] = [];
    for (const [index, { opId, changes }] of transactions.entries()) {
      if (fitting[index] !== 0) told.push([opId, ...changes.map((change) => this.#told(change))]);
      if (changes.length > 0) this.hasChanges = true;
    }
    this.texts[0] = JSON.stringify(told);
    this.logged = this.texts.length;
  }

  /** Where the text of an entry is. */
  lineOf(entry: Entry): number {
    let line = this.#lineOf.get(entry);
    if (line === undefined) {
      line = this.texts.push(this.#encoded(entry)) - 1;
      this.#lineOf.set(entry, line);
    }
    return line;
  }

  #told({ kind, contextId, agentId, note, entry }: LoggedChange): Told {
    return [kind, contextId, agentId, note, entry === null ? 0 : this.lineOf(entry)];
  }

  #encoded(entry: Entry): string {
    const placeholders = this.#placeholders;
    if (placeholders === undefined) return encodeCompact(entry);
    return encodeCompact(withNumbers({ ...entry }, (number) => resolved(number, placeholders)));
  }
}

/** An entry as a list: half as long as with the names of its fields, and every letter goes through the storage. */
function encodeCompact(entry: Entry): string {
  const { version, data, lock, createdAtMs, updatedAtMs, updatedBy, note, revision, incarnation, chains } = entry;
  const fields = [version, data, createdAtMs, updatedAtMs, updatedBy, note, revision, incarnation];
  if (chains !== undefined) return JSON.stringify([...fields, lock, [...chains]]);
  return JSON.stringify(lock === null ? fields : [...fields, lock]);
}

/** From a list, or as earlier versions of this package wrote it. */
function decodeCompact(contextId: string, text: string): Entry {
  const stored = parseStored(contextId, text);
  if (!Array.isArray(stored)) return entryFrom(contextId, stored);
  const [version, data, createdAtMs, updatedAtMs, updatedBy, note, revision, incarnation, lock, chains] =
    stored as unknown[];
  const fields = { version, data, createdAtMs, updatedAtMs, updatedBy, note, revision, incarnation, lock, chains };
  return entryFrom(contextId, fields);
}

/** One transaction as the log has it. */
export interface LoggedTransaction {
  readonly revision: number;
  readonly opId: string;
  readonly changes: readonly EngineChange[];
}

/**
 * An item of the change log.
 *
 * @param first - the revision of its first transaction.
 * @param lines - up to an empty one or the end; none where nothing is to be told.
 * @throws ContextError CORRUPT.
 */
export function decodeLines(first: number, lines: readonly string[]): LoggedTransaction[] {
  return headsOf(lines, first).map(([opId, ...told], index) => {
    const revision = first + index;
    const changes = told.map(([kind, contextId, agentId, note, line]): EngineChange => {
      const entry = line === 0 || contextId === null ? null : decodeFrom(contextId, lines[line] ?? "", first - 1);
      return { revision, opId, kind, contextId, agentId, note, entry };
    });
    return { revision, opId, changes };
  });
}

type Told = readonly [
  kind: LoggedChange["kind"],
  contextId: string | null,
  agentId: string | null,
  note: string | null,
  /** Where the context after it is; 0 for nowhere. */
  line: number,
];
type Head = readonly [opId: string, ...told: Told[]];

function headsOf(lines: readonly string[], first: number): readonly Head[] {
  if (lines[0] === "") return [];
  const heads = parsed(lines[0], first);
  if (!isHead(heads)) return heads;
  // As earlier versions of this package wrote it: of each transaction a line, and its entries counted from there.
  const all: Head[] = [];
  for (let at = 0; (lines[at] ?? "") !== "";) {
    const start = at;
    const [opId, ...told] = parsed(lines[at], first + all.length) as Head;
    const counted = told.map(([kind, contextId, agentId, note, offset]): Told => {
      at = Math.max(at, start + offset);
      return [kind, contextId, agentId, note, offset && start + offset];
    });
    all.push([opId, ...counted]);
    at += 1;
  }
  return all;
}

function parsed(line: string | undefined, revision: number): Head | readonly Head[] {
  try {
    const value = JSON.parse(line ?? "") as Head | readonly Head[];
    if (isHead(value) || (value.length > 0 && value.every(isHead))) return value;
  } catch {
    // It is told below.
  }
  throw new ContextError("CORRUPT", {
    where: `revision ${revision} of the change log`,
    reason: "it is no item of ours",
  });
}

function isHead(head: unknown): head is Head {
  return Array.isArray(head) && typeof head[0] === "string" && head.slice(1).every(Array.isArray);
}

/** An entry that was stored under a revision. @throws ContextError CORRUPT. */
export function decodeStored(contextId: string, text: string, revision: number): Entry {
  const entry = decodeCompact(contextId, text);
  // Its own placeholder is the rank of its transaction, so this is what the commit has counted from.
  return entry.revision < 0 ? settleFrom(entry, revision + entry.revision) : entry;
}

function decodeFrom(contextId: string, text: string, base: number): Entry {
  return settleFrom(decodeCompact(contextId, text), base);
}

/** The revision that the n-th transaction of a commit gets is n more than that before it. */
function settleFrom(entry: Entry, base: number): Entry {
  return withNumbers(entry, (number) => (number < 0 ? base - number : number));
}

/** Changes the numbers in place. The lock, which others may share, is copied. */
function withNumbers(entry: Entry, map: (number: number) => number): Entry {
  const draft = entry as Draft<Entry>;
  draft.revision = map(entry.revision);
  draft.incarnation = map(entry.incarnation);
  if (entry.lock !== null) draft.lock = { ...entry.lock, token: map(entry.lock.token) } satisfies Lock;
  return entry;
}
