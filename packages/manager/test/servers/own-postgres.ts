/** A PostgreSQL of the test's own, from the binaries that are installed. */

import { execFile } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { scratch } from "../engines/support.ts";
import {
  freePort,
  handOver,
  type OwnServer,
  programNamed,
  ServerProcess,
  skipped,
  UNPRIVILEGED,
} from "./own-server.ts";

export interface OwnPostgres extends OwnServer {
  /** @param parts - what is another than by default: host, port, user, password, and parameters. */
  url(namespace: string, parts?: UrlParts): string;
  query(text: string): Promise<Record<string, unknown>[]>;
}

interface UrlParts {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly parameters?: Readonly<Record<string, string>>;
}

interface PostgresOptions {
  /** Where it listens besides. */
  readonly host?: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** The lines of `pg_hba.conf`; by default everybody who can connect may. */
  readonly access?: readonly string[];
  /** Adds to its directory, before it is started. */
  readonly prepare?: (directory: string) => void | Promise<void>;
}

const DEBIAN = "/usr/lib/postgresql";
const EVERYBODY = ["host all all all trust"];

/** Started, and as durable as it is by default; `undefined` after a line that says why there is none. */
export async function ownPostgres(suite: string, options: PostgresOptions = {}): Promise<OwnPostgres | undefined> {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((one, other) => Number(other) - Number(one)) : [];
  const folders = versions.map((version) => join(DEBIAN, version, "bin"));
  const [initdb, postgres] = [programNamed("initdb", folders), programNamed("postgres", folders)];
  if (initdb === undefined || postgres === undefined) return skipped(suite, "PostgreSQL's own binaries are not here");

  const place = scratch();
  const directory = place.file(".");
  const data = place.file("data");
  handOver(directory);
  const port = await freePort();
  const urlOf = (namespace: string, parts: UrlParts = {}): string => {
    const { host = "127.0.0.1", user = "postgres", password, parameters } = parts;
    const url = new URL(`postgres://${user}@${host}:${parts.port ?? port}/postgres`);
    if (password !== undefined) url.password = password;
    url.search = new URLSearchParams({ namespace, ...parameters }).toString();
    return url.href;
  };
  const query = async (text: string): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", connectionTimeoutMillis: 5_000 });
    client.on("error", () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<Record<string, unknown>>(text);
      return rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  const settings = {
    port: String(port),
    listen_addresses: ["127.0.0.1", ...(options.host === undefined ? [] : [options.host])].join(","),
    unix_socket_directories: "",
    shared_buffers: "16MB",
    ...options.settings,
  };
  const server = new ServerProcess({
    file: postgres,
    args: ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    directory,
    stopSignal: "SIGINT",
    ask: () => query("SELECT 1"),
  });
  try {
    const first = ["-D", data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
    await promisify(execFile)(initdb, first, { cwd: directory, ...UNPRIVILEGED });
    writeFileSync(join(data, "pg_hba.conf"), (options.access ?? EVERYBODY).map((line) => `${line}\n`).join(""));
    await options.prepare?.(directory);
    await server.start();
  } catch (error) {
    await server.remove();
    throw error;
  }
  return {
    port,
    url: urlOf,
    query,
    start: () => server.start(),
    kill: () => server.kill(),
    stop: () => server.stop(),
    remove: () => server.remove(),
  };
}
