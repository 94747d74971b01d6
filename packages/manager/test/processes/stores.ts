/** The stores that several processes can share and that are here: a file, and the servers that answer. */

import { isBuiltin } from "node:module";
import { findServer as findPostgres } from "../engines/postgres-server.ts";
import { findServer as findRedis } from "../engines/redis-server.ts";
import { scratch, type Scratch } from "../engines/support.ts";
import { endAll } from "./children.ts";

export interface TestStore {
  readonly name: string;
  /** For what the processes write besides. */
  readonly directory: Scratch;
  url(namespace: string): string;
  remove(): Promise<void>;
}

interface Server {
  url(namespace: string): string;
  close(): Promise<void>;
}

export function sqliteStore(suite: string, synchronous = "normal"): TestStore | undefined {
  if (!isBuiltin("node:sqlite")) {
    console.info(`${suite}: skipped: this Node has no node:sqlite`);
    return undefined;
  }
  const directory = scratch();
  const path = directory.file("store.db");
  const parameters = (namespace: string): string => new URLSearchParams({ namespace, synchronous }).toString();
  return storeOn("sqlite", directory, {
    url: (namespace) => `sqlite:${path}?${parameters(namespace)}`,
    close: () => Promise.resolve(),
  });
}

/** All of them; the others are named in a printed line each, or are an error with `REQUIRE_ENGINES=1`. */
export async function storesFor(suite: string): Promise<TestStore[]> {
  const sqlite = sqliteStore(suite);
  if (sqlite === undefined) return [];
  const stores = [sqlite];
  const postgres = await findPostgres(suite);
  if (postgres !== undefined) stores.push(storeOn("postgres", scratch(), postgres));
  const redis = await findRedis(suite);
  if (redis !== undefined) {
    const url = (namespace: string): string => `${redis.url}?namespace=${redis.namespace(namespace)}`;
    stores.push(storeOn("redis", scratch(), { url, close: () => redis.close() }));
  }
  return stores;
}

function storeOn(name: string, directory: Scratch, server: Server): TestStore {
  return {
    name,
    directory,
    url: (namespace) => server.url(namespace),
    async remove() {
      await endAll();
      await server.close();
      directory.remove();
    },
  };
}
