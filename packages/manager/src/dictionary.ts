/** Dictionaries of section 6.20: snake_case, JSON, readable by the Python SDK. What is read is never trusted. */

import { type Copy, copyDeep, type DeepReadonly, isPlainObject, type JsonObject } from "./data.ts";
import { describe } from "./describe.ts";
import { explain } from "./fault.ts";
import { formatTime } from "./format-time.ts";
import { invalid } from "./errors.ts";
import { type Entry, expose, LAST_DATE_MS, type Lock, type Time } from "./entry.ts";

/** A snapshot as `SharedContext.toDict()` writes it. */
export interface ContextDict<Data extends object = JsonObject> {
  /** The id. */
  context_id: string;
  /** A decimal string from `"1"` up. */
  version: string;
  /** The payload. */
  data: DeepReadonly<Data>;
  /** The agent whose lock pauses updates, or `null`. */
  locked_by: string | null;
  /** ISO 8601 in UTC, ending in `+00:00`. */
  created_at: string;
  /** ISO 8601 in UTC, ending in `+00:00`. */
  updated_at: string;
  /** The agent that wrote the data, where it is known. */
  updated_by?: string;
  /** ISO 8601 in UTC; only where there is a lock that expires. */
  lock_expires_at?: string;
}

/** One context in the dump of a manager: its snapshot and what only its manager knows. */
export interface StoredContextDict<Data extends object = JsonObject> extends ContextDict<Data> {
  /** Of the last commit that changed it, locks included. */
  revision: number;
  /** The revision at which it was created. */
  incarnation: number;
  /** What the writer of the data said about it, where they did. */
  note?: string;
  /** The fencing token, where `locked_by` is set. */
  lock_token?: number;
  /** ISO 8601 in UTC, where `locked_by` is set. */
  locked_at?: string;
  /** The time to live that was left, where the lock expires: it goes on from the load. */
  lock_remaining_ms?: number;
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
  const { lock, updatedBy } = entry;
  const dict: ContextDict<Data> = {
    context_id: entry.contextId,
    version: entry.version,
    data: expose(entry) as DeepReadonly<Data>,
    locked_by: lock?.owner ?? null,
    created_at: formatTime(entry.createdAtMs),
    updated_at: formatTime(entry.updatedAtMs),
  };
  if (updatedBy !== null) dict.updated_by = updatedBy;
  if (lock !== null && lock.expiresAtMs !== null) dict.lock_expires_at = formatTime(lock.expiresAtMs);
  return dict;
}

export function writeManagerDict<Data extends object>(
  entries: Iterable<Entry>,
  revision: number,
  leaseMs: number,
): ManagerDict<Data> {
  return { format: 1, revision, contexts: Array.from(entries, (entry) => writeStored<Data>(entry, leaseMs)) };
}

function writeStored<Data extends object>(entry: Entry, leaseMs: number): StoredContextDict<Data> {
  const { lock, note, revision, incarnation } = entry;
  const dict: StoredContextDict<Data> = { ...writeContextDict<Data>(entry), revision, incarnation };
  if (note !== null) dict.note = note;
  if (lock !== null) {
    dict.lock_token = lock.token;
    dict.locked_at = formatTime(lock.sinceMs);
    if (lock.deadlineMs !== null) dict.lock_remaining_ms = Math.max(0, lock.deadlineMs - leaseMs);
  }
  return dict;
}

/** Of versions and revisions. 15 digits: far from where a number stops telling one from the next. */
const HIGHEST = 999_999_999_999_999;

/** @throws ContextError INVALID naming the bad field. */
export function readContextDict(dict: unknown, wallMs: number): Entry {
  const reader = new Reader(dict, "");
  const owner = reader.optionalString("locked_by");
  const lock: Lock | null = owner === null ? null : { owner, token: 0, ...readExpiry(reader, wallMs) };
  return { ...readEntry(reader, wallMs, copyDeep), lock, note: null, revision: 0, incarnation: 0 };
}

/** @throws ContextError INVALID naming the bad field. */
export function readManagerDict(
  dict: unknown,
  time: Time,
  copy: Copy,
): { entries: Map<string, Entry>; revision: number } {
  const reader = new Reader(dict, "");
  reader.read("format", "the number 1", (value) => value === 1);
  const revision = reader.number("revision", 0, HIGHEST, true);
  const contexts = reader.read("contexts", "an array of contexts", (value) => Array.isArray(value)) as unknown[];
  const entries = new Map<string, Entry>();
  for (let index = 0; index < contexts.length; index++) {
    const stored = new Reader(contexts[index], `/contexts/${index}`);
    const entry = readStored(stored, revision, time, copy);
    if (entries.has(entry.contextId)) {
      stored.refuse("context_id", "an id that no earlier context has", describe(entry.contextId));
    }
    entries.set(entry.contextId, entry);
  }
  return { entries, revision };
}

function readStored(reader: Reader, head: number, time: Time, copy: Copy): Entry {
  const revision = reader.number("revision", 1, head, true);
  const owner = reader.optionalString("locked_by");
  const lock: Lock | null = owner === null ? null : { owner, ...readStoredLock(reader, revision, time) };
  return {
    ...readEntry(reader, time.wallMs, copy),
    lock,
    note: reader.optionalString("note"),
    revision,
    incarnation: reader.number("incarnation", 1, revision, true),
  };
}

function readStoredLock(reader: Reader, revision: number, { wallMs, leaseMs }: Time): Omit<Lock, "owner"> {
  const token = reader.number("lock_token", 1, revision, true);
  const sinceMs = reader.time("locked_at") ?? wallMs;
  if (!reader.has("lock_remaining_ms")) return { token, sinceMs, expiresAtMs: null, deadlineMs: null };
  const remainingMs = reader.number("lock_remaining_ms", 0, LAST_DATE_MS - wallMs, false);
  return { token, sinceMs, expiresAtMs: wallMs + remainingMs, deadlineMs: leaseMs + remainingMs };
}

/** What a single dictionary tells of a lock: enough to show, not to hold. */
function readExpiry(reader: Reader, wallMs: number): Pick<Lock, "sinceMs" | "expiresAtMs" | "deadlineMs"> {
  return { sinceMs: wallMs, expiresAtMs: reader.time("lock_expires_at") ?? null, deadlineMs: null };
}

function readEntry(
  reader: Reader,
  wallMs: number,
  copy: Copy,
): Omit<Entry, "lock" | "note" | "revision" | "incarnation"> {
  return {
    contextId: reader.read("context_id", "a string", isString) as string,
    version: reader.read("version", `a decimal string from "1" to "${HIGHEST}"`, isVersion) as string,
    data: reader.data(copy),
    exposed: false,
    createdAtMs: reader.time("created_at") ?? wallMs,
    updatedAtMs: reader.time("updated_at") ?? wallMs,
    updatedBy: reader.optionalString("updated_by"),
    chains: undefined,
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

  has(key: string): boolean {
    return Object.hasOwn(this.#dict, key) && this.#dict[key] !== undefined;
  }

  optionalString(key: string): string | null {
    return (this.read(key, "a string or null", (value) => value == null || isString(value)) ?? null) as string | null;
  }

  number(key: string, least: number, most: number, whole: boolean): number {
    const accepts = (value: unknown): boolean =>
      (whole ? Number.isSafeInteger(value) : Number.isFinite(value)) && Number(value) >= least && Number(value) <= most;
    return this.read(key, `${whole ? "an integer" : "a number"} from ${least} to ${most}`, accepts) as number;
  }

  time(key: string): number | undefined {
    const expected = "an ISO 8601 time such as 2026-01-31T09:30:00+00:00";
    const value = this.read(key, expected, (time) => time == null || isString(time)) as string | null | undefined;
    if (value == null) return undefined;
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

function isVersion(value: unknown): value is string {
  return isString(value) && /^[1-9][0-9]*$/.test(value) && Number(value) <= HIGHEST;
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
