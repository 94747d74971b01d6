/** A PgBouncer of the test's own, which gives every transaction whichever connection to the server is free. */

import { writeFileSync } from "node:fs";
import pg from "pg";
import { scratch } from "../engines/support.ts";
import { freePort, handOver, programNamed, ServerProcess, skipped } from "./own-server.ts";

export interface OwnPgBouncer {
  readonly port: number;
  remove(): Promise<void>;
}

/** @param connections - to the server, for all clients together. */
export async function ownPgBouncer(
  suite: string,
  server: { readonly port: number },
  connections: number,
): Promise<OwnPgBouncer | undefined> {
  const file = programNamed("pgbouncer");
  if (file === undefined) return skipped(suite, "PgBouncer is not installed");

  const place = scratch();
  handOver(place.file("."));
  const port = await freePort();
  const settings = {
    listen_addr: "127.0.0.1",
    listen_port: port,
    unix_socket_dir: "",
    auth_type: "any",
    pool_mode: "transaction",
    default_pool_size: connections,
    max_client_conn: 1_000,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  const database = `* = host=127.0.0.1 port=${server.port} user=postgres`;
  writeFileSync(place.file("pgbouncer.ini"), `[databases]\n${database}\n[pgbouncer]\n${lines.join("")}`);
  const proxy = new ServerProcess({
    file,
    args: ["-q", place.file("pgbouncer.ini")],
    directory: place.file("."),
    stopSignal: "SIGTERM",
    ask: async () => {
      const client = clientAt(port);
      await client.connect();
      await client.end();
    },
  });
  try {
    await proxy.start();
  } catch (error) {
    await proxy.remove();
    throw error;
  }
  return { port, remove: () => proxy.remove() };
}

export function clientAt(port: number): pg.Client {
  const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", connectionTimeoutMillis: 5_000 });
  client.on("error", () => undefined);
  return client;
}
