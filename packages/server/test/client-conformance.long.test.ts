/** A client of a server passes the kit of managers, whatever the server is over. */

import { findServer as findPostgres } from "../../manager/test/engines/postgres-server.ts";
import { findServer as findRedis } from "../../manager/test/engines/redis-server.ts";
import { scratch } from "../../manager/test/engines/support.ts";
import { declareClients } from "./client-kit.ts";
import { hasSqlite } from "./runtime.ts";

declareClients({ name: "memory:", url: () => "memory:", remove: () => undefined });

const directory = scratch();
declareClients({
  name: "sqlite:",
  isThere: hasSqlite,
  url: (store) => `sqlite:${directory.file(`${store}.db`)}?synchronous=normal`,
  remove: () => directory.remove(),
});

const postgres = await findPostgres("client-conformance.long.test.ts");
if (postgres !== undefined) {
  declareClients({
    name: "postgres:",
    url: (store) => postgres.url(store, { pool: 4 }),
    remove: () => postgres.close(),
  });
}

const redis = await findRedis("client-conformance.long.test.ts");
if (redis !== undefined) {
  const url = (store: string): string => `${redis.url}?namespace=${redis.namespace(store)}`;
  declareClients({ name: "redis:", url, remove: () => redis.close() });
}
