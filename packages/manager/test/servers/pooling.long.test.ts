/**
 * PostgreSQL behind PgBouncer in its mode `transaction`: each transaction gets another connection to the server, so
 * whatever outlives one is lost, or found by somebody else.
 */

import { openManager } from "shared-context-manager";
import { engineSuite, runWith } from "shared-context-manager/testing";
import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/engine.ts";
import type * as postgres from "../../src/engines/postgres.ts";
import { type Proxy, startProxy } from "../engines/proxy.ts";
import { moduleOf } from "../engines/support.ts";
import { clientAt, ownPgBouncer } from "./own-pgbouncer.ts";
import { ownPostgres } from "./own-postgres.ts";

const { openPostgres } = await moduleOf<typeof postgres>("engines/postgres");

const SUITE = "pooling.long.test.ts";
const TIMEOUT_MS = 60_000;
/** Fewer than a manager has: they are shared all the time. */
const CONNECTIONS = 3;

const database = await ownPostgres(SUITE);
const pooler = database && (await ownPgBouncer(SUITE, database, CONNECTIONS));
/** So narrow that every client meets what the one before it has left. */
const narrow = database && pooler && (await ownPgBouncer(SUITE, database, 1));
afterAll(async () => {
  for (const each of [narrow, pooler, database]) await each?.remove();
});

describe.skipIf(narrow === undefined)("postgres behind PgBouncer", { timeout: TIMEOUT_MS }, () => {
  if (database === undefined || pooler === undefined || narrow === undefined) return;
  const proxies = new Map<Engine, Proxy>();
  afterAll(() => Promise.all([...proxies.values()].map((proxy) => proxy.close())));

  runWith(
    engineSuite({
      name: "postgres behind PgBouncer: the kit",
      async open(store, options) {
        const proxy = await startProxy({ host: "127.0.0.1", port: pooler.port });
        const url = new URL(database.url(store, { port: proxy.port }));
        const engine = await openPostgres(url.href.replace(/\?.*/, ""), url.searchParams, options);
        proxies.set(engine, proxy);
        return engine;
      },
      disconnect: (engine) => proxies.get(engine)?.cut(),
      crash: (engine) => proxies.get(engine)?.close(),
    }),
    { describe, it },
  );

  it("is where what belongs to a session gets lost, or found by others", async () => {
    const [one, other] = [clientAt(narrow.port), clientAt(narrow.port)];
    await Promise.all([one.connect(), other.connect()]);
    await one.query("SET lock_timeout = 1234");
    expect((await other.query("SHOW lock_timeout")).rows).toEqual([{ lock_timeout: "1234ms" }]);
    await one.query({ name: "mutant", text: "SELECT 1" });
    await expect(other.query({ name: "mutant", text: "SELECT 2" })).rejects.toThrow(/already exists/);
    await one.query("LISTEN mutant");
    expect((await other.query("SELECT pg_listening_channels()")).rows).toHaveLength(1);
    await other.query("RESET lock_timeout; DEALLOCATE ALL; UNLISTEN *");
    await Promise.all([one.end(), other.end()]);
  });

  it("tells watchers and waiters of changes, and leaves nothing on connections that others use", async () => {
    const url = database.url("traces", { port: narrow.port });
    await using writer = await openManager(url);
    await using watcher = await openManager(url);
    const seen = watcher.watch("a", { after: 0 });
    await writer.create("a", { n: 0 });
    const lease = await writer.agent("ann").acquire("a", { ttlMs: 30_000 });
    const next = watcher.agent("bob").acquire("a", { timeoutMs: TIMEOUT_MS });
    await lease.update("a", { n: 1 }, "1");
    await lease.release();
    const { token } = await next;
    const kinds: string[] = [];
    for await (const { kind, revision } of seen) {
      kinds.push(kind);
      if (revision === token) break;
    }
    expect(kinds).toEqual(["created", "locked", "updated", "unlocked", "locked"]);

    const client = clientAt(narrow.port);
    await client.connect();
    const { rows } = await client.query<Record<string, unknown>>(`SELECT
      (SELECT count(*)::integer FROM pg_prepared_statements) AS statements,
      (SELECT count(*)::integer FROM pg_listening_channels()) AS channels,
      (SELECT count(*)::integer FROM pg_locks WHERE locktype = 'advisory') AS locks,
      (SELECT count(*)::integer FROM pg_settings WHERE source = 'session') AS settings,
      (SELECT count(*)::integer FROM pg_class WHERE relpersistence = 't') AS tables`);
    await client.end();
    expect(rows).toEqual([{ statements: 0, channels: 0, locks: 0, settings: 0, tables: 0 }]);
  });
});
