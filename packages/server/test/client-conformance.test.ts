/** A client of a server passes the kit of managers, whatever the server is over. */

import { type AsyncSharedContextManager, openManager } from "shared-context-manager";
import { runWith, managerSuite } from "shared-context-manager/testing";
import { afterAll, afterEach, describe, it } from "vitest";
import { findServer as findPostgres } from "../../manager/test/engines/postgres-server.ts";
import { findServer as findRedis } from "../../manager/test/engines/redis-server.ts";
import { scratch } from "../../manager/test/engines/support.ts";
import { served, type Served } from "./client-support.ts";
import { hasSqlite } from "./runtime.ts";

interface Storage {
  readonly name: string;
  /** The URL of the store of this name. */
  url(store: string): string;
  remove(): Promise<void> | void;
}

/** Each store of the kit has a server of its own; its clients are of one store. */
function declare({ name, ...storage }: Storage): void {
  const sites = new Map<string, Promise<Served>>();
  const servers = new Map<AsyncSharedContextManager, Served>();
  describe(`over ${name}`, { timeout: 60_000 }, () => {
    afterEach(async () => {
      for (const site of sites.values()) await (await site).close();
      sites.clear();
    });
    afterAll(() => storage.remove());

    const suite = managerSuite({
      name: `a client of a server over ${name}`,
      async open(store, options) {
        const site = sites.get(store) ?? served(storage.url(store), {}, options);
        sites.set(store, site);
        const client = await openManager((await site).url);
        servers.set(client, await site);
        return client;
      },
      disconnect: (client) => servers.get(client)?.restart(),
    });
    runWith(suite, { describe, it });
  });
}

const directory = scratch();
declare({ name: "memory:", url: () => "memory:", remove: () => undefined });
if (hasSqlite) {
  declare({
    name: "sqlite:",
    url: (store) => `sqlite:${directory.file(`${store}.db`)}?synchronous=normal`,
    remove: () => directory.remove(),
  });
}

const postgres = await findPostgres("client-conformance.test.ts");
if (postgres !== undefined) {
  declare({ name: "postgres:", url: (store) => postgres.url(store, { pool: 4 }), remove: () => postgres.close() });
}

const redis = await findRedis("client-conformance.test.ts");
if (redis !== undefined) {
  const url = (store: string): string => `${redis.url}?namespace=${redis.namespace(store)}`;
  declare({ name: "redis:", url, remove: () => redis.close() });
}
