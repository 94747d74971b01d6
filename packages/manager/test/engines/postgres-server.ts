/** Which PostgreSQL the tests run on, and what they leave there: nothing. */

import pg from "pg";

const DEFAULT_URL = "postgres://postgres@127.0.0.1:5432/postgres";
const ANSWER_WITHIN_MS = 1_000;

export interface TestServer {
  readonly host: string;
  readonly port: number;
  /** The schema of this run, which goes with it. */
  readonly schema: string;
  /** A URL for `openManager`, by default straight to the server. */
  url(namespace: string, options?: UrlOptions): string;
  /** For connections of the test itself. */
  readonly directUrl: string;
  query(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** Drops the schema and disconnects. */
  close(): Promise<void>;
}

export interface UrlOptions {
  /** Of a proxy in front of the server. */
  readonly port?: number;
  readonly schema?: string;
  readonly pool?: number;
}

/** The server of `DATABASE_URL`, or the local one; without either a line that says so, or an error where it is required. */
export async function findServer(suite: string): Promise<TestServer | undefined> {
  const named = process.env["DATABASE_URL"];
  const failures: string[] = [];
  for (const url of named === undefined ? [DEFAULT_URL] : [named, DEFAULT_URL]) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: ANSWER_WITHIN_MS });
    client.on("error", () => undefined);
    try {
      await client.connect();
      return serverAt(url, client);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  const line = `${suite}: skipped: no PostgreSQL answers at DATABASE_URL or locally (${failures.join("; ")})`;
  if (process.env["REQUIRE_ENGINES"] === "1") throw new Error(line);
  console.info(line);
  return undefined;
}

function serverAt(directUrl: string, client: pg.Client): TestServer {
  const base = new URL(directUrl);
  base.search = "";
  const schema = `test_${process.pid}_${Math.random().toString(36).slice(2)}`;
  const others = new Set<string>();
  return {
    host: base.hostname,
    port: Number(base.port || 5432),
    schema,
    directUrl,
    url(namespace, { port, schema: other = schema, pool } = {}) {
      others.add(other);
      const url = new URL(base);
      if (port !== undefined) url.port = String(port);
      url.search = new URLSearchParams({ namespace, schema: other, ...(pool && { pool: String(pool) }) }).toString();
      return url.href;
    },
    async query(text, values = []) {
      const { rows } = await client.query<Record<string, unknown>>(text, values);
      return rows;
    },
    async close() {
      await client.query("SET client_min_messages = warning");
      for (const name of [schema, ...others]) {
        await client.query(`DROP SCHEMA IF EXISTS ${client.escapeIdentifier(name)} CASCADE`);
      }
      await client.end();
    },
  };
}
