/** Which engine a URL names. The one place that knows engines by their names. */

import { admission } from "./admission.ts";
import { checkId, checkStoreOptions, type StoreLimits } from "./arguments.ts";
import { type AsyncSharedContextManager, managerOn } from "./async/manager.ts";
import type { SharedStore } from "./async/shared-store.ts";
import { AsyncStore } from "./async/store.ts";
import { type Clock, systemClock } from "./clock.ts";
import { DEEP, type JsonObject } from "./data.ts";
import { describe } from "./describe.ts";
import type { Engine, EngineOptions } from "./engine.ts";
import { checkHost, checkParameters, type EngineUrl, parseUrl } from "./engine-url.ts";
import { MemoryEngine } from "./engines/memory.ts";
import { asUnavailable } from "./async/reading.ts";
import { invalid } from "./errors.ts";
import type { SchemaOption } from "./schema.ts";

/** Options of a manager over a storage; each has a default that is safe. */
export interface OpenOptions<Data extends object = JsonObject> {
  /** How many versions before the present one are kept of each context: 64 by default. */
  readonly historyLimit?: number;
  /** How many changes are kept for `watch` with `after`, and for finding out what became of a write: 10,000 by default. */
  readonly changeLogLimit?: number;
  /**
   * How many contexts there may be: any number by default. One more is LIMIT; processes that create at the same moment may
   * pass it by what each of them has in flight.
   */
  readonly maxContexts?: number;
  /** How large the data of one context may be, in bytes of its JSON in UTF-8: any size by default. */
  readonly maxDataBytes?: number;
  /** What data must look like; see `SharedContextManagerOptions`. */
  readonly schema?: SchemaOption<Data>;
  /** What waits and renewals in this process are timed by; leases go by the clock of the storage. */
  readonly clock?: Clock;
  /** Of a server only: its bearer token. */
  readonly token?: string;
  /** Of a server only: who acts through the manager itself; by default the one that the token is for. */
  readonly agentId?: string;
}

const HISTORY_LIMIT = 64;
const CHANGE_LOG_LIMIT = 10_000;
/** Whoever watches may lag as much in any case. */
const LIVE_LIMIT = 1_024;

/**
 * Opens a manager over a storage.
 *
 * - `memory:` keeps everything in this process, as a reference and for tests.
 * - `sqlite:path/to/file.db` is one file that the processes of one machine share (Node 22.13 or newer). It is made when it
 *   is not there. `sqlite::memory:` is one that goes with the process. `?synchronous=normal` trades the last moments before
 *   a power loss for speed.
 * - `postgres://user@host/database` is for many machines, through the package `pg`. `?schema=` is where its tables are, and
 *   `?pool=` how many connections there may be. `?sslmode=` is `disable`, `no-verify`, or `require`, `verify-ca` or
 *   `verify-full`, which all check the certificate; `?ssl=true` is the last and `?ssl=false` the first of them.
 * - `redis://host:6379` (`rediss://`, `valkey://`) is for many machines too, through the package `redis`. `?timeoutMs=` is how
 *   long a command may take.
 * - `http://host:port` (`https://`) is a `shared-context-server`, with `token` and `agentId`. The limits are its own, and
 *   INVALID here.
 *
 * `?namespace=name` separates managers in one storage.
 *
 * @throws {@link ContextError} INVALID for a URL that names no engine; MISSING_DEPENDENCY, which names the package
 *   to install; UNSUPPORTED where the runtime or the storage is too old, or too new; UNAVAILABLE when it cannot be opened.
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
  const parsed = parseUrl(url);
  const { historyLimit = HISTORY_LIMIT, changeLogLimit = CHANGE_LOG_LIMIT, clock = systemClock } = options;
  if (SERVERS.includes(parsed.scheme)) return managerOn<Data>(await openServerAt(parsed, options, clock));
  refuseOptions(options, ["token", "agentId"], "nothing: that is for the URL of a server");
  const engine = await openEngine(
    parsed,
    { historyLimit, changeLogLimit: Math.max(changeLogLimit, LIVE_LIMIT) },
    clock,
  );
  return managerFor<Data>(engine, options);
}

const SERVERS: readonly string[] = ["http", "https"];

async function openServerAt<Data extends object>(
  url: EngineUrl,
  options: OpenOptions<Data>,
  clock: Clock,
): Promise<SharedStore> {
  const limits = ["historyLimit", "changeLogLimit", "maxContexts", "maxDataBytes", "schema"] as const;
  refuseOptions(options, limits, "nothing: the server has limits of its own");
  checkHost(url);
  checkParameters(url, []);
  const { token, agentId } = options;
  if (token !== undefined && !/^[\x21-\x7E]+$/.test(token)) {
    throw invalid("options", "/token", "a bearer token: visible characters of ASCII", "something else");
  }
  if (agentId !== undefined) checkId("agentId", agentId);
  const { openServer } = await import("./http/open.ts");
  return openServer(`${url.scheme}:${url.path}`, { token, agentId }, clock);
}

function refuseOptions<Data extends object>(
  options: OpenOptions<Data>,
  names: readonly (keyof OpenOptions)[],
  expected: string,
): void {
  const given = names.find((name) => options[name] !== undefined);
  if (given !== undefined) throw invalid("options", `/${given}`, expected, "a value");
}

/**
 * A manager over an engine of your own: see "writing an engine". The manager closes it.
 *
 * @throws {@link ContextError} INVALID for what is no engine; UNAVAILABLE when it cannot be read.
 * @example
 * ```ts
 * const manager = await managerOver(new MyEngine());
 * ```
 */
export async function managerOver<Data extends object = JsonObject>(
  engine: Engine,
  options: Omit<OpenOptions<Data>, "historyLimit" | "changeLogLimit" | "token" | "agentId"> = {},
): Promise<AsyncSharedContextManager<Data>> {
  checkEngine(engine);
  checkStoreOptions(options);
  return managerFor<Data>(engine, options);
}

/** What is not there would be found out by the first call that needs it. */
function checkEngine(engine: Partial<Engine> | null | undefined): void {
  if (typeof engine !== "object" || engine === null) throw invalid("engine", "", "an engine", describe(engine));
  const { supports } = engine as { supports?: Readonly<Record<string, unknown>> };
  if (typeof supports !== "object" || supports === null) {
    throw invalid("engine", "/supports", "an object with durable and shared", describe(supports));
  }
  for (const name of ["durable", "shared"] as const) {
    if (typeof supports[name] === "boolean") continue;
    throw invalid("engine", `/supports/${name}`, "true or false", describe(supports[name]));
  }
  for (const name of ["load", "commit", "list", "changes", "history", "onWake", "close"] as const) {
    if (typeof engine[name] !== "function") throw invalid("engine", `/${name}`, "a method", describe(engine[name]));
  }
}

async function managerFor<Data extends object>(
  engine: Engine,
  { clock = systemClock, maxContexts = Infinity, maxDataBytes = Infinity, schema }: StoreLimits<Data>,
): Promise<AsyncSharedContextManager<Data>> {
  const { head } = await engine.load([]).catch(async (error: unknown) => {
    await engine.close().catch(() => undefined);
    throw asUnavailable(error);
  });
  const limits = admission(DEEP, { maxDataBytes, schema });
  return managerOn<Data>(new AsyncStore({ engine, clock, admission: limits, maxContexts, head }));
}

interface EngineEntry {
  /** Whether the storage is a server, so that its URL has a host and may have a password. */
  readonly hasHost: boolean;
  readonly parameters: readonly string[];
  readonly open: (url: EngineUrl, options: EngineOptions, clock: Clock) => Engine | Promise<Engine>;
}

const MEMORY: EngineEntry = {
  hasHost: false,
  parameters: ["namespace"],
  open: (_url, options, clock) => new MemoryEngine(clock, options),
};

const SQLITE: EngineEntry = {
  hasHost: false,
  parameters: ["namespace", "synchronous"],
  async open({ path, parameters }, options) {
    const { openSqlite } = await import("./engines/sqlite.ts");
    return openSqlite(path, parameters, options);
  },
};

const POSTGRES: EngineEntry = {
  hasHost: true,
  parameters: ["namespace", "schema", "pool", "sslmode", "ssl"],
  async open({ scheme, path, parameters }, options) {
    const { openPostgres } = await import("./engines/postgres.ts");
    return openPostgres(`${scheme}:${path}`, parameters, options);
  },
};

const REDIS: EngineEntry = {
  hasHost: true,
  parameters: ["namespace", "timeoutMs"],
  async open({ scheme, path, parameters }, options) {
    const { openRedis } = await import("./engines/redis.ts");
    return openRedis(scheme, path, parameters, options);
  },
};

/** By scheme. Each is loaded when it is opened, and its driver with it. */
const ENGINES = new Map<string, EngineEntry>([
  ["memory", MEMORY],
  ["sqlite", SQLITE],
  ["postgres", POSTGRES],
  ["postgresql", POSTGRES],
  ["redis", REDIS],
  ["rediss", REDIS],
  ["valkey", REDIS],
]);

async function openEngine(url: EngineUrl, options: EngineOptions, clock: Clock): Promise<Engine> {
  const entry = ENGINES.get(url.scheme);
  if (entry === undefined) {
    const schemes = [...ENGINES.keys(), ...SERVERS].map((scheme) => `${scheme}:`).join(", ");
    throw invalid("url", "", `a URL that begins with one of ${schemes}`, describe(`${url.scheme}:`));
  }
  if (entry.hasHost) checkHost(url);
  checkParameters(url, entry.parameters);
  return entry.open(url, options, clock);
}
