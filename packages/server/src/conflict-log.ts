/** The conflicts that agents have met through this server, for whoever looks at what they do. */

import {
  type AnyContextError,
  type AsyncSharedContextManager,
  isContextError,
  type JsonObject,
  type JsonValue,
  type PathConflict,
} from "shared-context-manager";
import { formatTime, formatPath, isEqual } from "shared-context-manager/serving";

/** As it is shown: see the schema `MetConflict`. */
export interface MetConflict {
  readonly id: number;
  readonly context_id: string;
  readonly agent_id: string | null;
  readonly at: string;
  readonly expected: string;
  readonly version: string;
  readonly conflicts: readonly ShownConflict[];
  /** How many paths more there were. */
  readonly more: number;
}

interface ShownConflict extends PathConflict {
  /** The sides whose values are long, and are there as the beginning of their JSON. */
  readonly shortened?: readonly string[];
}

type Conflict = Extract<AnyContextError, { code: "CONFLICT" }>;

/** Of a write that would have replaced all of the data. */
export interface Replacement {
  readonly base: JsonObject | undefined;
  readonly yours: JsonObject;
}

const MOST_CONFLICTS = 100;
const MOST_PATHS = 20;
const MOST_CHARACTERS = 500;
/** All that is kept together: whoever asks each second is sent no more than that. */
const MOST_IN_ALL = 100_000;
const MOST_AGENTS = 1_000;
/** Of each second. More would be forgotten soon, and each costs a read of the history. */
const MOST_LOOKED_UP = 50;

export class ConflictLog {
  readonly since: Date = new Date();
  readonly #counts = new Map<string, number>();
  /** The newest last, each with its length as JSON. */
  readonly #met: { readonly conflict: MetConflict; readonly length: number }[] = [];
  #length = 0;
  #last = 0;
  #second = 0;
  #lookedUp = 0;

  /** How many each agent has met; of very many agents those that have met one lately. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** The newest first. */
  get latest(): MetConflict[] {
    return this.#met.map(({ conflict }) => conflict).toReversed();
  }

  /** Whether to look up what the caller of a replacement had read: a storm of conflicts must not cost twice. */
  maySearch(nowMs: number): boolean {
    const second = Math.floor(nowMs / 1_000);
    if (second !== this.#second) [this.#second, this.#lookedUp] = [second, 0];
    this.#lookedUp += 1;
    return this.#lookedUp <= MOST_LOOKED_UP;
  }

  note(agentId: string | null, error: unknown, replacement?: Replacement): void {
    if (!isContextError(error, "CONFLICT")) return;
    if (agentId !== null) this.#count(agentId);
    const { contextId, expected, version } = error.details;
    const paths = pathsOf(error, replacement);
    this.#last += 1;
    const conflict = {
      id: this.#last,
      context_id: contextId,
      agent_id: agentId,
      at: formatTime(Date.now()),
      expected,
      version,
      conflicts: paths.slice(0, MOST_PATHS).map(shortened),
      more: Math.max(0, paths.length - MOST_PATHS),
    };
    const { length } = JSON.stringify(conflict);
    this.#met.push({ conflict, length });
    this.#length += length;
    while (this.#met.length > MOST_CONFLICTS || (this.#length > MOST_IN_ALL && this.#met.length > 1)) {
      this.#length -= this.#met.shift()?.length ?? 0;
    }
  }

  #count(agentId: string): void {
    const count = this.#counts.get(agentId) ?? 0;
    this.#counts.delete(agentId);
    this.#counts.set(agentId, count + 1);
    const [oldest] = this.#counts.keys();
    if (this.#counts.size > MOST_AGENTS && oldest !== undefined) this.#counts.delete(oldest);
  }
}

/** What a request would have replaced the data of a context by: itself, or a step of it; it has been read without fault. */
export function replacementIn(method: string, body: JsonValue | undefined, contextId: string): JsonObject | undefined {
  if (method === "PUT") return body as JsonObject;
  const { steps = [] } = (body ?? {}) as { steps?: readonly JsonObject[] };
  const step = steps.find((one) => one["do"] === "update" && one["context_id"] === contextId);
  return step?.["data"] as JsonObject | undefined;
}

/** What the caller of a write that replaces the data had read, where its version is kept. */
export async function baseOf(
  manager: AsyncSharedContextManager,
  { details: { contextId, expected, current } }: Conflict,
): Promise<JsonObject | undefined> {
  const kept = await manager.history(contextId);
  const base = kept.find(({ version, incarnation }) => version === expected && incarnation === current.incarnation);
  return base?.data;
}

/** A write that replaces is refused for its version alone: at which fields it would have undone the work of others. */
function pathsOf({ details: { conflicts, current } }: Conflict, replacement: Replacement | undefined): PathConflict[] {
  if (conflicts.length > 0 || replacement === undefined) return [...conflicts];
  const { base, yours } = replacement;
  const theirs = current.data as JsonObject;
  const found: PathConflict[] = [];
  for (const key of new Set([...Object.keys(theirs), ...Object.keys(yours), ...Object.keys(base ?? {})])) {
    const [was, mine, other] = [fieldOf(base, key), fieldOf(yours, key), fieldOf(theirs, key)];
    if (isEqual(mine, other) || (base !== undefined && isEqual(was, other))) continue;
    found.push({ path: formatPath([key]), ...(was !== undefined && { base: was }), ...pair(mine, other) });
  }
  return found;
}

function pair(yours: JsonValue | undefined, theirs: JsonValue | undefined): Pick<PathConflict, "yours" | "theirs"> {
  return { ...(yours !== undefined && { yours }), ...(theirs !== undefined && { theirs }) };
}

function fieldOf(data: JsonObject | undefined, key: string): JsonValue | undefined {
  return data !== undefined && Object.hasOwn(data, key) ? data[key] : undefined;
}

function shortened({ path, ...values }: PathConflict): ShownConflict {
  const shown: Record<string, JsonValue> = {};
  const long: string[] = [];
  for (const [side, value] of Object.entries(values) as [string, JsonValue | undefined][]) {
    if (value === undefined) continue;
    const text = JSON.stringify(value);
    if (text.length > MOST_CHARACTERS) long.push(side);
    shown[side] = text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : value;
  }
  return { path, ...shown, ...(long.length > 0 && { shortened: long }) };
}
