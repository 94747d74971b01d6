/** What is used of node-redis, and how a URL becomes its options. No type of the driver goes further than this. */

import { ContextError, invalid } from "../../errors.ts";

/** One connection; it is never asked to reconnect. */
export interface RedisClient {
  on(event: "error" | "end" | "terminated", listener: (reason?: unknown) => void): unknown;
  connect(): Promise<unknown>;
  sendCommand(args: readonly string[]): Promise<unknown>;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  destroy(): void;
}

export interface RedisDriver {
  createClient(options: RedisOptions): RedisClient;
  /** What the server has refused: nothing else that a command rejects with tells that it did not happen. */
  readonly ErrorReply: abstract new (...args: never[]) => Error;
  /** A command that was not sent, because there was no connection. */
  readonly ClientOfflineError: abstract new (...args: never[]) => Error;
  readonly ClientClosedError: abstract new (...args: never[]) => Error;
}

export interface RedisOptions {
  readonly socket: {
    readonly host: string;
    readonly port: number;
    readonly tls: boolean;
    readonly connectTimeout: number;
    readonly reconnectStrategy: false;
  };
  readonly username?: string;
  readonly password?: string;
  readonly database: number;
  readonly RESP: 3;
  /** Nothing waits in the driver: what it has queued it might send after a cut. */
  readonly disableOfflineQueue: true;
  readonly maintNotifications: "disabled";
  /** The driver's own timeout ends with the sending, and costs a signal for each command; there is one for all here. */
  readonly commandOptions: { readonly timeout: 0 };
}

const DRIVER_VERSIONS = "^6.3";
const DEFAULT_PORT = 6379;
const DEFAULT_TIMEOUT_MS = 5_000;

export async function loadDriver(): Promise<RedisDriver> {
  try {
    // The name is a value, so that neither compilers nor bundlers of those who use another engine look for it.
    // oxlint-disable-next-line typescript/no-unnecessary-type-assertion -- see above
    return (await import("redis" as string)) as RedisDriver;
  } catch (error) {
    const missing = new ContextError("MISSING_DEPENDENCY", { dependency: "redis", version: DRIVER_VERSIONS });
    missing.cause = error;
    throw missing;
  }
}

/** How long a command may take at most, or wait for a connection. */
export function timeoutOf(parameters: URLSearchParams): number {
  const text = parameters.get("timeoutMs");
  const timeoutMs = text === null ? DEFAULT_TIMEOUT_MS : Number(text);
  if (Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs < 2 ** 31) return timeoutMs;
  throw invalid("url", "?timeoutMs", "a whole number of milliseconds from 1 up", JSON.stringify(text));
}

/** @throws ContextError INVALID, which says nothing of what the URL holds: there may be a password in it. */
export function optionsOf(scheme: string, path: string, timeoutMs: number): RedisOptions {
  const expected = `${scheme}://user:password@host:port/database, with what is special in them escaped`;
  const refusal = (received: string): ContextError => invalid("url", "", expected, received);
  let parsed: URL;
  let username: string;
  let password: string;
  try {
    parsed = new URL(`redis:${path}`);
    username = decodeURIComponent(parsed.username);
    password = decodeURIComponent(parsed.password);
  } catch {
    throw refusal("a URL that cannot be read");
  }
  if (parsed.hostname === "") throw refusal("a URL without a host");
  const database = Number(parsed.pathname.slice(1));
  if (!Number.isInteger(database) || database < 0) throw refusal("a URL whose path is no number of a database");
  return {
    socket: {
      host: parsed.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: parsed.port === "" ? DEFAULT_PORT : Number(parsed.port),
      tls: scheme === "rediss",
      connectTimeout: timeoutMs,
      reconnectStrategy: false,
    },
    ...(username === "" ? {} : { username }),
    ...(password === "" ? {} : { password }),
    database,
    RESP: 3,
    disableOfflineQueue: true,
    maintNotifications: "disabled",
    commandOptions: { timeout: 0 },
  };
}
