/** A Redis of the test's own, from the binary that is installed. */

import { createClient } from "redis";
import { scratch } from "../engines/support.ts";
import { freePort, handOver, type OwnServer, programNamed, ServerProcess, skipped } from "./own-server.ts";

export interface OwnRedis extends OwnServer {
  url(namespace: string, parts?: { readonly host?: string }): string;
}

interface RedisOptions {
  /** Where it listens besides. */
  readonly host?: string;
  readonly settings?: Readonly<Record<string, string>>;
}

const DURABLE = { appendonly: "yes", appendfsync: "always", save: "" };

/** Started, and safe against crashes; `undefined` after a line that says why there is none. */
export async function ownRedis(suite: string, { host, settings }: RedisOptions = {}): Promise<OwnRedis | undefined> {
  const file = programNamed("redis-server");
  if (file === undefined) return skipped(suite, "redis-server is not installed");

  const place = scratch();
  handOver(place.file("."));
  const port = await freePort();
  const flags = Object.entries({ ...DURABLE, ...settings }).flatMap(([name, value]) => [`--${name}`, value]);
  const server = new ServerProcess({
    file,
    args: ["--port", String(port), "--bind", "127.0.0.1", ...(host === undefined ? [] : [host]), ...flags]
      // Whoever can connect may.
      .concat(["--protected-mode", "no"]),
    directory: place.file("."),
    stopSignal: "SIGTERM",
    ask: () => ping(port),
  });
  try {
    await server.start();
  } catch (error) {
    await server.remove();
    throw error;
  }
  return {
    port,
    url: (namespace, parts) => `redis://${parts?.host ?? "127.0.0.1"}:${port}?namespace=${namespace}`,
    start: () => server.start(),
    kill: () => server.kill(),
    stop: () => server.stop(),
    remove: () => server.remove(),
  };
}

/** Rejects also while it still reads what it had. */
async function ping(port: number): Promise<void> {
  const client = createClient({ socket: { host: "127.0.0.1", port, reconnectStrategy: false } });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.ping();
  } finally {
    client.destroy();
  }
}
