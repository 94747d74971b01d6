/** What a URL says, for the driver and for the engine. Credentials go to the driver and nowhere else. */

import { invalid } from "../../errors.ts";

export interface PostgresSettings {
  /** For the driver. */
  readonly connection: Readonly<Record<string, unknown>>;
  /** For messages: without user and password. */
  readonly place: string;
  readonly namespace: string;
  readonly schema: string;
  readonly poolSize: number;
}

const DEFAULT_SCHEMA = "shared_context";
const DEFAULT_POOL_SIZE = 4;
const LARGEST_POOL = 1_000;
/** What PostgreSQL would cut off is another name. */
const LONGEST_NAME_BYTES = 63;

type Tls = false | { readonly rejectUnauthorized: boolean };

/** There is no mode that goes on without TLS, or without a look at the certificate, when it does not work. */
const TLS_MODES: ReadonlyMap<string, Tls> = new Map<string, Tls>([
  ["disable", false],
  ["no-verify", { rejectUnauthorized: false }],
  ["require", { rejectUnauthorized: true }],
  ["verify-ca", { rejectUnauthorized: true }],
  ["verify-full", { rejectUnauthorized: true }],
]);
const TLS_SWITCHES: ReadonlyMap<string, Tls> = new Map<string, Tls>([
  ["true", { rejectUnauthorized: true }],
  ["1", { rejectUnauthorized: true }],
  ["false", false],
  ["0", false],
]);

/** @throws ContextError INVALID. */
export function settingsOf(url: string, parameters: URLSearchParams): PostgresSettings {
  const { hostname, port, username, password, pathname } = parse(url);
  const host = decoded(hostname.replaceAll(/^\[|\]$/g, ""));
  const database = decoded(pathname.slice(1));
  const ssl = tlsOf(parameters);
  const given = { host, port, user: decoded(username), password: decoded(password), database };
  const connection = {
    // What is not given, the driver takes from PGHOST and its like.
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== "")),
    ...(ssl === undefined ? {} : { ssl }),
  };
  return {
    connection,
    place: `${host === "" ? "the default host" : hostname}${port === "" ? "" : `:${port}`}/${database}`,
    namespace: parameters.get("namespace") ?? "",
    schema: schemaOf(parameters),
    poolSize: poolSizeOf(parameters),
  };
}

function parse(url: string): URL {
  try {
    // The path may be missing, as in postgres://?namespace=a.
    return new URL(url.replace(/^([a-z]+:\/\/)(?=\?|$)/, "$1/"));
  } catch {
    // What it was, is not told: there may be a password in it.
    throw invalid("url", "", "postgres://user:password@host:port/database", "something that is no such URL");
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("url", "", "percent signs in names and passwords written as %25", "one that begins no escape");
  }
}

function schemaOf(parameters: URLSearchParams): string {
  const schema = parameters.get("schema") ?? DEFAULT_SCHEMA;
  const bytes = new TextEncoder().encode(schema).length;
  if (bytes > 0 && bytes <= LONGEST_NAME_BYTES && !schema.includes("\0") && !schema.startsWith("pg_")) return schema;
  const expected = `a name of 1 to ${LONGEST_NAME_BYTES} bytes that does not begin with pg_`;
  throw invalid("url", "?schema", expected, JSON.stringify(schema));
}

function poolSizeOf(parameters: URLSearchParams): number {
  const text = parameters.get("pool") ?? String(DEFAULT_POOL_SIZE);
  const size = /^\d+$/.test(text) ? Number(text) : 0;
  if (size >= 1 && size <= LARGEST_POOL) return size;
  throw invalid("url", "?pool", `a number of connections from 1 to ${LARGEST_POOL}`, JSON.stringify(text));
}

function tlsOf(parameters: URLSearchParams): Tls | undefined {
  return choice("sslmode", TLS_MODES, parameters) ?? choice("ssl", TLS_SWITCHES, parameters);
}

function choice(name: string, choices: ReadonlyMap<string, Tls>, parameters: URLSearchParams): Tls | undefined {
  const text = parameters.get(name);
  if (text === null) return undefined;
  const found = choices.get(text);
  if (found === undefined) throw invalid("url", `?${name}`, [...choices.keys()].join(", "), JSON.stringify(text));
  return found;
}

/** A name in SQL. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
