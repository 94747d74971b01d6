/** Dictionaries of section 6.20: snake_case, JSON, readable by the Python SDK. What is read is never trusted. */

import { type Copy, copyDeep, type DeepReadonly, describe, explain, isPlainObject, type JsonObject } from "./data.ts";
import { invalid } from "./errors.ts";
import { type Entry, expose, type Lock } from "./rules.ts";

/** A snapshot as `SharedContext.toDict()` writes it. */
export interface ContextDict<Data extends object = JsonObject> {
  context_id: string;
  version: string;
  data: DeepReadonly<Data>;
  locked_by: string | null;
  /** ISO 8601 in UTC, ending in `+00:00`. */
  created_at: string;
  /** ISO 8601 in UTC, ending in `+00:00`. */
  updated_at: string;
}

/** One context in the dump of a manager: its snapshot and what only its manager knows. */
export interface StoredContextDict<Data extends object = JsonObject> extends ContextDict<Data> {
  revision: number;
  incarnation: number;
  /** The fencing token, where `locked_by` is set. */
  lock_token?: number;
}

/** A whole manager as `SharedContextManager.toDict()` writes it. */
export interface ManagerDict<Data extends object = JsonObject> {
  /** The layout of this dictionary. */
  format: 1;
  /** The head revision: of the last commit, also where that deleted something. */
  revision: number;
  /** In the order of creation. */
  contexts: StoredContextDict<Data>[];
}

export function writeContextDict<Data extends object>(entry: Entry): ContextDict<Data> {
  return {
    context_id: entry.contextId,
    version: entry.version,
    data: expose(entry) as DeepReadonly<Data>,
    locked_by: entry.lock?.owner ?? null,
    created_at: formatTime(entry.createdAtMs),
    updated_at: formatTime(entry.updatedAtMs),
  };
}

export function writeManagerDict<Data extends object>(entries: Iterable<Entry>, revision: number): ManagerDict<Data> {
  return { format: 1, revision, contexts: Array.from(entries, (entry) => writeStoredContextDict<Data>(entry)) };
}

function writeStoredContextDict<Data extends object>(entry: Entry): StoredContextDict<Data> {
  const dict = { ...writeContextDict<Data>(entry), revision: entry.revision, incarnation: entry.incarnation };
  return entry.lock === null ? dict : { ...dict, lock_token: entry.lock.token };
}

/** @throws ContextError INVALID naming the bad field. */
export function readContextDict(dict: unknown, nowMs: number): Entry {
  return readEntry(new Reader(dict, ""), nowMs, copyDeep, { revision: 0, incarnation: 0, token: () => 0 });
}

/** @throws ContextError INVALID naming the bad field. */
export function readManagerDict(
  dict: unknown,
  nowMs: number,
  copy: Copy,
): { entries: Map<string, Entry>; revision: number } {
  const reader = new Reader(dict, "");
  reader.read("format", "the number 1", (value) => value === 1);
  const revision = reader.integer("revision", 0, Number.MAX_SAFE_INTEGER);
  const contexts = reader.read("contexts", "an array of contexts", (value) => Array.isArray(value)) as unknown[];
  const entries = new Map<string, Entry>();
  for (let index = 0; index < contexts.length; index++) {
    const stored = new Reader(contexts[index], `/contexts/${index}`);
    const contextRevision = stored.integer("revision", 1, revision);
    const entry = readEntry(stored, nowMs, copy, {
      revision: contextRevision,
      incarnation: stored.integer("incarnation", 1, contextRevision),
      token: () => stored.integer("lock_token", 1, contextRevision),
    });
    if (entries.has(entry.contextId))
      stored.refuse("context_id", "an id that no earlier context has", describe(entry.contextId));
    entries.set(entry.contextId, entry);
  }
  return { entries, revision };
}

interface Numbers {
  readonly revision: number;
  readonly incarnation: number;
  /** Asked for only where the dictionary says that there is a lock. */
  readonly token: () => number;
}

function readEntry(reader: Reader, nowMs: number, copy: Copy, { revision, incarnation, token }: Numbers): Entry {
  const contextId = reader.read("context_id", "a string", isString) as string;
  const version = reader.read("version", 'a decimal string from "1" up', isVersion) as string;
  const data = reader.data(copy);
  const owner = (reader.read("locked_by", "a string or null", (value) => value == null || isString(value)) ?? null) as
    string | null;
  const createdAtMs = reader.time("created_at", nowMs);
  const updatedAtMs = reader.time("updated_at", nowMs);
  const lock: Lock | null = owner === null ? null : { owner, token: token() };
  return {
    contextId,
    version,
    data,
    exposed: false,
    lock,
    createdAtMs,
    updatedAtMs,
    revision,
    incarnation,
  };
}

/** Reads the fields of one dictionary, and only its own: a key on a prototype is nobody's data. */
class Reader {
  readonly #dict: Record<string, unknown>;
  readonly #path: string;

  constructor(dict: unknown, path: string) {
    if (!isPlainObject(dict)) throw invalid("dict", path, "a dictionary", describe(dict));
    this.#dict = dict;
    this.#path = path;
  }

  read(key: string, expected: string, accepts: (value: unknown) => boolean): unknown {
    const value = Object.hasOwn(this.#dict, key) ? this.#dict[key] : undefined;
    return accepts(value) ? value : this.refuse(key, expected, value === undefined ? "nothing" : describe(value));
  }

  refuse(key: string, expected: string, received: string): never {
    throw invalid("dict", `${this.#path}/${key}`, expected, received);
  }

  integer(key: string, least: number, most: number): number {
    const accepts = (value: unknown): boolean =>
      Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
    return this.read(key, `an integer from ${least} to ${most}`, accepts) as number;
  }

  time(key: string, nowMs: number): number {
    const expected = "an ISO 8601 time such as 2026-01-31T09:30:00+00:00";
    const value = this.read(key, expected, (time) => time == null || isString(time)) as string | null | undefined;
    if (value == null) return nowMs;
    return parseTime(value) ?? this.refuse(key, expected, describe(value));
  }

  data(copy: Copy): object {
    const data = this.read("data", "a dictionary", isPlainObject) as object;
    const copied = copy(data);
    if (copied !== undefined) return copied;
    const { path, expected, received } = explain(data);
    return this.refuse(`data${path}`, expected, received);
  }
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

/** At most 15 digits: far from where a number stops telling a version from the next. */
function isVersion(value: unknown): value is string {
  return isString(value) && /^[1-9][0-9]{0,14}$/.test(value);
}

/** `+00:00` and not `Z`: Python reads it with `datetime.fromisoformat`, which knows no `Z` before 3.11. */
function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "+00:00");
}

const TIME = /^(\d{4}-\d\d)-(\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?$/;

/** A time without an offset is UTC: Python's `datetime.utcnow().isoformat()` writes none. */
function parseTime(text: string): number | undefined {
  const [, month, day, clock, fraction = "", offset = "Z"] = TIME.exec(text) ?? [];
  if (month === undefined) return undefined;
  const startOfMonth = new Date(`${month}-01T00:00:00Z`);
  const ms = Date.parse(`${month}-${day}T${clock}.${fraction.padEnd(3, "0").slice(0, 3)}${offset}`);
  // Date.parse takes February 30 for March 2.
  const daysInMonth = new Date(Date.UTC(startOfMonth.getUTCFullYear(), startOfMonth.getUTCMonth() + 1, 0)).getUTCDate();
  return Number.isNaN(ms) || Number(day) > daysInMonth ? undefined : ms;
}
