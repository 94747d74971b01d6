/** Which engine a URL names. The one place that knows engines by their names. */

import { admission } from "./admission.ts";
import { checkStoreOptions, type StoreLimits } from "./arguments.ts";
import { type AsyncSharedContextManager, managerOn } from "./async/manager.ts";
import { AsyncStore } from "./async/store.ts";
import { type Clock, systemClock } from "./clock.ts";
import { copyDeep, describe, type JsonObject } from "./data.ts";
import type { Engine, EngineOptions } from "./engine.ts";
import { MemoryEngine } from "./engines/memory.ts";
import { ContextError, invalid } from "./errors.ts";
import type { SchemaOption } from "./schema.ts";

/** Options of a manager over a storage; each has a default that is safe. */
export interface OpenOptions<Data extends object = JsonObject> {
  /** How many versions before the present one are kept of each context: 64 by default. */
  readonly historyLimit?: number;
  /** How many changes are kept for `watch` with `after`, and for finding out what became of a write: 10,000 by default. */
  readonly changeLogLimit?: number;
  /** How many contexts there may be: any number by default. One more is LIMIT. */
  readonly maxContexts?: number;
  /** How large the data of one context may be, in bytes of its JSON in UTF-8: any size by default. */
  readonly maxDataBytes?: number;
  /** What data must look like; see `SharedContextManagerOptions`. */
  readonly schema?: SchemaOption<Data>;
  /** What waits and renewals in this process are timed by; leases go by the clock of the storage. */
  readonly clock?: Clock;
}

const HISTORY_LIMIT = 64;
const CHANGE_LOG_LIMIT = 10_000;

/**
 * Opens a manager over a storage.
 *
 * - `memory:` keeps everything in this process, as a reference and for tests.
 * - `sqlite:path/to/file.db` is one file that the processes of one machine share (Node 22.13 or newer). It is made when it
 *   is not there. `sqlite::memory:` is one that goes with the process. `?synchronous=normal` trades the last moments before
 *   a power loss for speed.
 *
 * `?namespace=name` separates managers in one storage.
 *
 * @throws {@link ContextError} INVALID for a URL that names no engine; UNSUPPORTED where the runtime or the storage is too
 *   old, or too new; UNAVAILABLE when it cannot be opened.
 * @example
 * ```ts
 * await using manager = await openManager("sqlite:contexts.db?namespace=swarm");
 * ```
 */
export async function openManager<Data extends object = JsonObject>(
  url: string,
  options: OpenOptions<Data> = {},
): Promise<AsyncSharedContextManager<Data>> {
  checkStoreOptions(options);
  const { historyLimit = HISTORY_LIMIT, changeLogLimit = CHANGE_LOG_LIMIT, clock = systemClock } = options;
  const engine = await openEngine(url, { historyLimit, changeLogLimit }, clock);
  return managerFor<Data>(engine, options);
}

/**
 * A manager over an engine of your own: see "writing an engine". The manager closes it.
 *
 * @example
 * ```ts
 * const manager = await managerOver(new MyEngine());
 * ```
 */
export async function managerOver<Data extends object = JsonObject>(
  engine: Engine,
  options: Omit<OpenOptions<Data>, "historyLimit" | "changeLogLimit"> = {},
): Promise<AsyncSharedContextManager<Data>> {
  checkStoreOptions(options);
  return managerFor<Data>(engine, options);
}

async function managerFor<Data extends object>(
  engine: Engine,
  { clock = systemClock, maxContexts = Infinity, maxDataBytes = Infinity, schema }: StoreLimits<Data>,
): Promise<AsyncSharedContextManager<Data>> {
  const { head } = await engine.load([]);
  const limits = admission(copyDeep, { maxDataBytes, schema });
  return managerOn<Data>(new AsyncStore({ engine, clock, admission: limits, maxContexts, head }));
}

/** Parts of a URL that engines read themselves. */
export interface EngineUrl {
  readonly scheme: string;
  readonly path: string;
  readonly parameters: URLSearchParams;
}

async function openEngine(url: string, options: EngineOptions, clock: Clock): Promise<Engine> {
  const { scheme, path, parameters } = parseUrl(url);
  switch (scheme) {
    case "memory":
      checkParameters(url, parameters, ["namespace"]);
      return new MemoryEngine(clock, options);
    case "sqlite": {
      checkParameters(url, parameters, ["namespace", "synchronous"]);
      const { openSqlite } = await import("./engines/sqlite.ts");
      return openSqlite(path, parameters, options);
    }
    default:
      throw invalid("url", "", "a URL that begins with memory: or sqlite:", describe(url));
  }
}

function parseUrl(url: unknown): EngineUrl {
  const [, scheme, path = "", query = ""] =
    typeof url === "string" ? (/^([a-z]+):([^?]*)(?:\?(.*))?$/s.exec(url) ?? []) : [];
  if (scheme === undefined) throw invalid("url", "", "a URL such as sqlite:contexts.db", describe(url));
  return { scheme, path, parameters: new URLSearchParams(query) };
}

function checkParameters(url: string, parameters: URLSearchParams, known: readonly string[]): void {
  for (const name of parameters.keys()) {
    if (!known.includes(name)) throw invalid("url", `?${name}`, `one of ${known.join(", ")}`, describe(name));
  }
  if (url.includes("\0"))
    throw new ContextError("INVALID", { argument: "url", path: "", expected: "a URL", received: "NUL" });
}
