/** What the methods take: checked once, here, before anything is looked up (law 11). */

import type { Act, ContextFilter } from "./changes.ts";
import type { Clock } from "./clock.ts";
import { type AnySharedContext, entryOf, isSnapshot } from "./context.ts";
import { isPlainObject } from "./data.ts";
import { describe } from "./describe.ts";
import { type Entry, type Expected, PENDING } from "./entry.ts";
import { invalid } from "./errors.ts";
import type { SharedContextManagerOptions } from "./manager.ts";
import { versionBehind } from "./uncommitted.ts";
import { isSchema, type SchemaOption } from "./schema.ts";

/** What a caller may pass as the version it expects: the string, or the whole snapshot, which is stricter. */
export type ExpectedVersion = string | AnySharedContext;

export function checkId(argument: "contextId" | "agentId", value: unknown): void {
  if (typeof value !== "string") throw invalid(argument, "", "a string", describe(value));
}

const LONGEST_ID_BYTES = 512;

/** Whether every storage can keep it. */
function isStorableText(text: string): boolean {
  return !/\p{Surrogate}|\0/u.test(text);
}

/** What every storage can keep as an id. */
export function checkStorable(contextId: string): void {
  const expected = `1 to ${LONGEST_ID_BYTES} bytes of well-formed UTF-8 without NUL`;
  if (contextId === "" || !isStorableText(contextId)) throw invalid("contextId", "", expected, describe(contextId));
  if (contextId.length * 3 <= LONGEST_ID_BYTES) return;
  const bytes = new TextEncoder().encode(contextId).length;
  if (bytes > LONGEST_ID_BYTES) throw invalid("contextId", "", expected, `${bytes} bytes`);
}

export function checkData(argument: "data" | "initialData", value: unknown): void {
  if (!isPlainObject(value)) throw invalid(argument, "", "a plain object", describe(value));
}

/**
 * A version string stands for itself; a snapshot also names the incarnation it was taken of.
 *
 * @param present - what the transaction at hand has made of the context, if there is one.
 */
export function readExpected(contextId: string, expected: unknown, present?: Entry): Expected {
  if (typeof expected === "string") return { version: expected, incarnation: undefined };
  if (!isSnapshot(expected)) {
    throw invalid("expected", "", "a version string or a snapshot of this context", describe(expected));
  }
  return versionOf("expected", contextId, entryOf(expected), present);
}

function versionOf(argument: string, contextId: string, entry: Entry, present: Entry | undefined): Expected {
  if (entry.contextId !== contextId) {
    throw invalid(argument, "", `a snapshot of ${describe(contextId)}`, `a snapshot of ${describe(entry.contextId)}`);
  }
  if (entry.revision === PENDING) return versionBehind(argument, entry, present);
  return { version: entry.version, incarnation: entry.incarnation };
}

/** What the caller has read, where it says so with a snapshot. */
export function readBase(expected: unknown): Entry | undefined {
  return isSnapshot(expected) ? entryOf(expected) : undefined;
}

export function readSnapshot(argument: string, value: unknown): { readonly read: Entry; readonly expected: Expected } {
  if (!isSnapshot(value)) throw invalid(argument, "", "a snapshot", describe(value));
  const read = entryOf(value);
  return { read, expected: versionOf(argument, read.contextId, read, undefined) };
}

export function checkFunction(argument: string, value: unknown): void {
  if (typeof value !== "function") throw invalid(argument, "", "a function", describe(value));
}

const DEFAULT_ATTEMPTS = 10;

export function readAttempts(options: { readonly attempts?: number } | undefined): number {
  const { attempts = DEFAULT_ATTEMPTS } = optionsOf(options);
  if (!(attempts >= 1 && (Number.isInteger(attempts) || attempts === Infinity))) {
    throw invalid("options", "/attempts", "a whole number from 1 up, or Infinity", describe(attempts));
  }
  return attempts;
}

export function checkVersion(value: unknown): void {
  if (typeof value !== "string") throw invalid("version", "", "a version string", describe(value));
}

export function checkOptions<Data extends object>(options: SharedContextManagerOptions<Data>): void {
  checkStoreOptions(options);
  const { isolation = "deep", maxDataBytes = Infinity } = options;
  if (isolation !== "deep" && isolation !== "shallow") {
    throw invalid("options", "/isolation", '"deep" or "shallow"', describe(isolation));
  }
  if (maxDataBytes !== Infinity && isolation === "shallow") {
    throw invalid("options", "/maxDataBytes", 'isolation "deep", whose data is JSON and has a size', '"shallow"');
  }
}

/** What the options of every manager have in common. */
export interface StoreLimits<Data extends object> {
  readonly historyLimit?: number;
  readonly changeLogLimit?: number;
  readonly maxContexts?: number;
  readonly maxDataBytes?: number;
  readonly schema?: SchemaOption<Data>;
  readonly clock?: Clock;
}

export function checkStoreOptions<Data extends object>(options: StoreLimits<Data>): void {
  if (typeof options !== "object" || options === null) throw invalid("options", "", "an object", describe(options));
  const { clock, schema } = options;
  const { historyLimit = 0, changeLogLimit = 0, maxContexts = Infinity, maxDataBytes = Infinity } = options;
  if (clock !== undefined && !isClock(clock)) {
    throw invalid("options", "/clock", "an object with wallMs(), leaseMs() and setTimer()", describe(clock));
  }
  checkCount("historyLimit", historyLimit, "versions");
  checkCount("changeLogLimit", changeLogLimit, "changes");
  checkCount("maxContexts", maxContexts, "contexts");
  checkCount("maxDataBytes", maxDataBytes, "bytes");
  if (schema !== undefined && typeof schema !== "function" && !isSchema(schema)) {
    throw invalid("options", "/schema", "a Standard Schema, or a function from contextId to one", describe(schema));
  }
}

function checkCount(option: string, value: number, unit: string): void {
  if (value >= 0 && (Number.isInteger(value) || value === Infinity)) return;
  throw invalid("options", `/${option}`, `a whole number of ${unit} from 0 up, or Infinity`, describe(value));
}

function isClock(clock: Partial<Clock> | null): boolean {
  const methods = [clock?.wallMs, clock?.leaseMs, clock?.setTimer];
  return methods.every((method) => typeof method === "function");
}

/** What may be said about a write. */
export interface WriteOptions {
  /** Why; kept with the data and shown in its snapshot. */
  readonly note?: string;
}

/** What was said about a write: `null` when nothing was. */
export function readNote(options: { readonly note?: string } | undefined): string | null {
  return options === undefined ? null : noteOf(options);
}

function noteOf(options: { readonly note?: string }): string | null {
  const { note } = optionsOf(options);
  if (note !== undefined && typeof note !== "string") throw invalid("options", "/note", "a string", describe(note));
  return note ?? null;
}

/** A duration in an option: `undefined` when it is not given. `Infinity` is a duration like any other. */
export function readMs<Key extends string>(
  options: { readonly [K in Key]?: number } | undefined,
  key: Key,
  least: number,
): number | undefined {
  return options === undefined ? undefined : msOf(optionsOf(options)[key], key, least);
}

function msOf(ms: unknown, key: string, least: number): number | undefined {
  if (ms === undefined) return undefined;
  if (typeof ms !== "number" || Number.isNaN(ms) || ms < least) {
    throw invalid("options", `/${key}`, `a number of milliseconds from ${least} up`, describe(ms));
  }
  return ms;
}

export function readFlag<Key extends string>(
  options: { readonly [K in Key]?: boolean } | undefined,
  key: Key,
): boolean {
  const flag: unknown = optionsOf(options)[key] ?? false;
  if (typeof flag !== "boolean") throw invalid("options", `/${key}`, "true or false", describe(flag));
  return flag;
}

export function readSignal(options: { readonly signal?: AbortSignal } | undefined): AbortSignal | undefined {
  const { signal } = optionsOf(options);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalid("options", "/signal", "an AbortSignal", describe(signal));
  }
  return signal;
}

const DEFAULT_TIMEOUT_MS = 30_000;

export function readTimeout(options: { readonly timeoutMs?: number } | undefined): number {
  return readMs(options, "timeoutMs", 0) ?? DEFAULT_TIMEOUT_MS;
}

/** A copy: what becomes of the caller's object is no matter of whoever listens. */
export function readFilter(filter: unknown): ContextFilter | undefined {
  if (filter === undefined || typeof filter === "string") return filter;
  const prefix = isPlainObject(filter) ? filter["prefix"] : undefined;
  if (typeof prefix === "string") return { prefix };
  throw invalid("filter", "", "a context id, { prefix }, or undefined for all", describe(filter));
}

const STORABLE_TEXT = "well-formed UTF-8 without NUL, as every id in a storage is";

/** Of a manager over a storage: a filter that an id there could pass. */
export function readStorableFilter(filter: unknown): ContextFilter | undefined {
  const own = readFilter(filter);
  const text = typeof own === "string" ? own : own?.prefix;
  if (text === undefined || isStorableText(text)) return own;
  throw invalid("filter", typeof own === "string" ? "" : "/prefix", STORABLE_TEXT, describe(text));
}

/** How to watch. */
export interface WatchOptions {
  /** Go on after this revision, with every change since; without it, begin with how things are. */
  readonly after?: number;
  /**
   * What to do with a consumer that is slower than the changes: `false` (default) tells it every change, and COMPACTED
   * when it is too far behind; `true` tells it the latest state of each context, and never fails.
   */
  readonly coalesce?: boolean;
  /** Ends the watching: the iteration rejects with its reason. */
  readonly signal?: AbortSignal;
}

export function readAfter(options: WatchOptions | undefined): number | undefined {
  const { after } = optionsOf(options);
  if (after === undefined || (Number.isSafeInteger(after) && after >= 0)) return after;
  throw invalid("options", "/after", "a revision: a whole number from 0 up", describe(after));
}

/** Which contexts a page has. */
export interface PageOptions {
  /** Only ids that begin so. */
  readonly prefix?: string;
  /** The `next` of the page before; without it, the first page. */
  readonly after?: string;
  /** How many contexts at most: 100 by default. */
  readonly limit?: number;
}

const PAGE = 100;

/** What `list` of an engine takes. */
export function readPage(options: PageOptions | undefined): {
  prefix: string;
  after: string | undefined;
  limit: number;
} {
  const { prefix = "", after, limit = PAGE } = optionsOf(options);
  if (typeof prefix !== "string") throw invalid("options", "/prefix", "a string", describe(prefix));
  if (!isStorableText(prefix)) throw invalid("options", "/prefix", STORABLE_TEXT, describe(prefix));
  if (after !== undefined && typeof after !== "string") {
    throw invalid("options", "/after", "the next of the page before", describe(after));
  }
  if (!Number.isSafeInteger(limit) || limit < 1) {
    throw invalid("options", "/limit", "a whole number from 1 up", describe(limit));
  }
  return { prefix, after, limit };
}

/** Why a lock is broken, and by whom. */
export interface ForceUnlockOptions {
  /** For the holder to read. */
  readonly reason: string;
  /** Who does it. */
  readonly agentId?: string;
}

export function readForce(options: ForceUnlockOptions): Act {
  const { reason: note, agentId } = optionsOf(options);
  if (typeof note !== "string") throw invalid("options", "/reason", "a string", describe(note));
  if (agentId !== undefined) checkId("agentId", agentId);
  const reason = `${agentId === undefined ? "it was" : `${describe(agentId)} had it`} unlocked by force: ${note}`;
  return { agentId: agentId ?? null, note, reason };
}

/** The contexts to acquire: each once, in the order given. */
export function readContextIds(ids: string | readonly string[]): readonly string[] {
  if (typeof ids === "string") return [ids];
  if (!Array.isArray(ids) || ids.length === 0) {
    const received = Array.isArray(ids) ? "an empty list" : describe(ids);
    throw invalid("contextIds", "", "a context id, or a list of at least one", received);
  }
  for (const [index, id] of ids.entries()) {
    if (typeof id !== "string") throw invalid("contextIds", `/${index}`, "a string", describe(id));
  }
  return [...new Set(ids as readonly string[])];
}

const NO_OPTIONS = Object.freeze({});

function optionsOf<Options extends object>(options: Options | undefined): Partial<Options> {
  if (options === undefined) return NO_OPTIONS;
  if (typeof options !== "object" || options === null) throw invalid("options", "", "an object", describe(options));
  return options;
}
