/** PostgreSQL passes the kit, and what is PostgreSQL's own holds. */

import { inspect } from "node:util";
import { managerOver, openManager } from "shared-context-manager";
import { engineSuite, runWith } from "shared-context-manager/testing";
import { afterAll, describe, expect, it, vi } from "vitest";
import type { Engine, EngineOptions } from "../../src/engine.ts";
import type * as postgres from "../../src/engines/postgres.ts";
import type * as driver from "../../src/engines/postgres/driver.ts";
import type * as tables from "../../src/engines/postgres/migrations/0001-initial.ts";
import { refusalOf } from "../support.ts";
import { findServer, type UrlOptions } from "./postgres-server.ts";
import { type Proxy, startProxy } from "./proxy.ts";
import { moduleOf, testedVersion } from "./support.ts";

const { openPostgres } = await moduleOf<typeof postgres>("engines/postgres");
const { initial } = await moduleOf<typeof tables>("engines/postgres/migrations/0001-initial");

const OPTIONS: EngineOptions = { historyLimit: 64, changeLogLimit: 10_000 };

const found = await findServer("postgres.test.ts");

describe.skipIf(found === undefined)("postgres", () => {
  if (found === undefined) return;
  const server = found;
  const proxies = new Map<Engine, Proxy>();
  afterAll(async () => {
    await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
    await server.close();
  });

  runWith(
    engineSuite({
      name: "postgres: the kit",
      async open(store, options) {
        const proxy = await startProxy(server);
        const url = new URL(server.url(store, { port: proxy.port }));
        const engine = await openPostgres(url.href.replace(/\?.*/, ""), url.searchParams, options);
        proxies.set(engine, proxy);
        return engine;
      },
      disconnect: (engine) => proxies.get(engine)?.cut(),
      crash: (engine) => proxies.get(engine)?.close(),
    }),
    { describe, it },
  );

  const open = (store: string, options: EngineOptions = OPTIONS, urlOptions: UrlOptions = {}): Promise<Engine> => {
    const url = new URL(server.url(store, urlOptions));
    return openPostgres(url.href.replace(/\?.*/, ""), url.searchParams, options);
  };

  describe("what is stored", () => {
    it("comes back as it was, in the order of its properties and whatever looks like a placeholder", async () => {
      const data = {
        z: 1,
        a: 2,
        "10": "numbers come first",
        numbers: [-1, -0.5, 1e21, 1.5e-7, 9007199254740991, 0.1, 1.0],
        text: 'NULL {} "," %1$s %% %I \\ \u0000 \u2028 \u{1f600} $1 -1',
        revision: -1,
        nested: { revision: -1, incarnation: -1, lock: { token: -1 }, data: {} },
        '"revision":-1,"incarnation":-1': '"token":-1',
      };
      const id = '%1$s "revision":-1 \\ {NULL,"}';
      await using manager = await openManager(server.url("text"));
      const agent = manager.agent('%2$s","token":-1');
      await agent.create(id, data, { note: '"revision":-1 %1$s %' });
      const lease = await agent.acquire(id);
      await lease.patch(id, [{ op: "increment", path: "/z", value: 1 }], "1", { note: "100%" });
      await using other = await openManager(server.url("text"));
      const context = await other.get(id);
      expect(JSON.stringify(context?.data)).toBe(JSON.stringify({ ...data, z: 2 }));
      expect(context).toMatchObject({ revision: 3, incarnation: 1, lock: { token: 2, owner: '%2$s","token":-1' } });
      const [first] = await other.history(id);
      expect(first).toMatchObject({ data, note: '"revision":-1 %1$s %' });
      const { value } = await other.watch(id, { after: 2 }).next();
      expect(value).toMatchObject({ kind: "updated", note: "100%", revision: 3, context: { data: { ...data, z: 2 } } });
    });

    it("is apart for each namespace and each schema, whatever they are called", async () => {
      const schemas = [`${server.schema} "$&' @.`, `${server.schema}_b`];
      const urls = schemas.flatMap((schema) => ["a", "", "'\"%1$s"].map((name) => server.url(name, { schema })));
      const managers = await Promise.all(urls.map((url) => openManager(url)));
      await Promise.all(managers.map((manager, index) => manager.create("a", { index })));
      const datas = await Promise.all(managers.map(async (manager) => (await manager.get("a"))?.data));
      expect(datas).toEqual(urls.map((_, index) => ({ index })));
      await Promise.all(managers.map((manager) => manager.close()));
    });

    it("keeps as many versions as it should, and not many more of them", async () => {
      const engine = await open("versions", { historyLimit: 3, changeLogLimit: 10 });
      await using manager = await managerOver(engine);
      const agent = manager.agent("ann");
      await agent.create("a", { n: 0 });
      for (let n = 1; n <= 100; n++) await agent.update("a", { n }, String(n));
      expect((await manager.history("a")).map(({ version }) => version)).toEqual(["98", "99", "100", "101"]);
      const [row] = await server.query(`SELECT count(*)::integer AS n FROM "${server.schema}".versions v
        JOIN "${server.schema}".namespaces n USING (ns) WHERE n.name = 'versions'`);
      expect(row?.["n"]).toBeLessThan(90);
    });

    it("counts contexts through creations, deletions and clears of one commit", async () => {
      await using manager = await openManager(server.url("count"), { maxContexts: 3 });
      await Promise.all(["a", "b", "c"].map((id) => manager.create(id, {})));
      await Promise.all([manager.delete("a"), manager.delete("b")]);
      await manager.create("d", {});
      await manager.clear();
      await Promise.all(["a", "b", "c"].map((id) => manager.create(id, {})));
      const { details } = await refusalOf("LIMIT", manager.create("d", {}));
      expect(details.contexts).toBe(3);
    });
  });

  describe("the tables", () => {
    it("are made once by whoever comes first", async () => {
      const schema = `${server.schema}_many`;
      const managers = await Promise.all(
        Array.from({ length: 8 }, () => openManager(server.url("many", { schema, pool: 1 }))),
      );
      await Promise.all(managers.map((manager, index) => manager.create(`id-${index}`, {})));
      expect(await managers[0]?.listContexts()).toHaveLength(8);
      await Promise.all(managers.map((manager) => manager.close()));
    });

    it("of a newer version are UNSUPPORTED", async () => {
      const schema = `${server.schema}_newer`;
      await (await openManager(server.url("", { schema }))).close();
      await server.query(`UPDATE "${schema}".layout SET migrations = 99`);
      const { details } = await refusalOf("UNSUPPORTED", openManager(server.url("", { schema })));
      expect(details).toMatchObject({ expected: expect.stringContaining("layout 99") as string });
    });

    it("of an older version are brought to this one with all they hold", async () => {
      const schema = `${server.schema}_older`;
      const entry = (version: string, revision: number): string =>
        JSON.stringify({
          version,
          data: { n: version, text: '"\\n%' },
          lock: null,
          createdAtMs: 1,
          updatedAtMs: 2,
          updatedBy: "ann",
          note: null,
          revision,
          incarnation: 1,
        });
      const change = (kind: string, text: string | undefined): string =>
        `{"kind":"${kind}","contextId":"a","agentId":"ann","note":null${text === undefined ? "" : `,"entry":${text}`}}`;
      const log = [
        [1, "one", `[${change("created", entry("1", 1))}]`],
        [2, 'tw"o', `[${change("updated", entry("2", 2))},${change("locked", undefined)}]`],
        [4, "four", `[${change("updated", entry("3", 4))}]`],
      ];
      await server.query(`CREATE SCHEMA "${schema}"; ${initial(`"${schema}"`)}
        CREATE TABLE "${schema}".layout (migrations integer NOT NULL); INSERT INTO "${schema}".layout VALUES (2);
        INSERT INTO "${schema}".namespaces (name, head, contexts) VALUES ('', 4, 1)`);
      await server.query(
        `WITH c AS (INSERT INTO "${schema}".contexts (ns, id, revision, entry) VALUES (1, 'a', 4, $1)),
          v AS (INSERT INTO "${schema}".versions VALUES (1, 'a', 2, $2), (1, 'a', 1, $3))
        INSERT INTO "${schema}".log SELECT 1, * FROM unnest($4::bigint[], $5::text[], $6::text[])`,
        [entry("3", 4), entry("2", 2), entry("1", 1), ...[0, 1, 2].map((column) => log.map((row) => row[column]))],
      );
      await using manager = await openManager(server.url("", { schema }));
      const agent = manager.agent("ann");
      await agent.update("a", { n: "4" }, "3");
      expect((await manager.history("a")).map(({ version, data }) => [version, data])).toEqual([
        ["1", { n: "1", text: '"\\n%' }],
        ["2", { n: "2", text: '"\\n%' }],
        ["3", { n: "3", text: '"\\n%' }],
        ["4", { n: "4" }],
      ]);
      const told: unknown[] = [];
      for await (const { revision, kind, context } of manager.watch("a", { after: 0 })) {
        told.push([revision, kind, context?.version]);
        if (revision === 5) break;
      }
      expect(told).toEqual([
        [1, "created", "1"],
        [2, "updated", "2"],
        [2, "locked", undefined],
        [4, "updated", "3"],
        [5, "updated", "4"],
      ]);
    });

    it("need no more than the right to use a schema that is there", async () => {
      const schema = `${server.schema}_granted`;
      const role = `${server.schema}_role`;
      await server.query(`CREATE ROLE "${role}" LOGIN PASSWORD 'secret'; CREATE SCHEMA "${schema}" AUTHORIZATION "${role}";
        ALTER ROLE "${role}" SET default_transaction_isolation = 'serializable'`);
      try {
        const url = new URL(server.url("", { schema }));
        url.username = role;
        url.password = "secret";
        // Also where everything is serializable by default: what fails for that reason is done again.
        const managers = await Promise.all([openManager(url.href), openManager(url.href)]);
        await managers[0]?.create("a", { n: 0 });
        const increment = [{ op: "increment", path: "/n", value: 1 }] as const;
        for (let round = 0; round < 10; round++) {
          await Promise.all(managers.map((manager) => manager.agent("ann").patch("a", increment)));
        }
        expect((await managers[1]?.get("a"))?.data).toEqual({ n: 20 });
        await Promise.all(managers.map((manager) => manager.close()));
      } finally {
        await server.query(`DROP SCHEMA "${schema}" CASCADE; DROP ROLE "${role}"`);
      }
    });
  });

  describe("a URL", () => {
    it.each([
      ["postgres://user:s3cret@:99999/", "postgres://user:password@host"],
      ["postgres://user:s3c%ret@host/", "%25"],
      ["postgres://user:s3cret@host/db?pool=0", "1 to 1000"],
      ["postgres://user:s3cret@host/db?pool=many", "1 to 1000"],
      ["postgres://user:s3cret@host/db?schema=", "1 to 63 bytes"],
      ["postgres://user:s3cret@host/db?schema=pg_catalog", "pg_"],
      ["postgres://user:s3cret@host/db?sslmode=prefer", "verify-full"],
      ["postgres://user:s3cret@host/db?ssl=yes", "true, 1, false, 0"],
      ["postgresql://user:s3cret@host/db?password=s3cret", "namespace"],
    ])("%s is INVALID, and its password in no message", async (url, part) => {
      const error = await refusalOf("INVALID", openManager(url));
      expect(error.message).toContain(part);
      expect(String(error.stack)).not.toContain("s3c");
    });

    it("that leads nowhere is UNAVAILABLE, and says where, without the password", async () => {
      const proxy = await startProxy(server);
      await proxy.close();
      const error = await refusalOf("UNAVAILABLE", openManager(`postgres://user:s3cret@127.0.0.1:${proxy.port}/db`));
      expect(error.message).toContain(`127.0.0.1:${proxy.port}/db`);
      expect(inspect(error, { depth: 9 })).not.toContain("s3cret");
    });

    it("of a server that takes no TLS, with TLS asked for, is UNAVAILABLE and not plain", async () => {
      const [row] = await server.query("SHOW ssl");
      if (row?.["ssl"] === "on") return;
      const error = await refusalOf("UNAVAILABLE", openManager(`${server.url("tls")}&sslmode=require`));
      expect(error.message).toContain("SSL");
    });
  });

  it("works over a single connection", async () => {
    await using manager = await openManager(server.url("single", { pool: 1 }));
    await Promise.all(Array.from({ length: 50 }, (_, n) => manager.create(`id-${n}`, { n })));
    expect(await manager.size()).toBe(50);
  });

  it("leaves nothing behind on its pooled connections but statements named for their text: no channel", async () => {
    const schema = `${server.schema}_pooled`;
    await using manager = await openManager(server.url("pooled", { schema, pool: 1 }));
    await manager.create("a", {});
    await manager.watch().next();
    // A trigger is how one looks into a session of another.
    await server.query(`CREATE FUNCTION "${schema}".probe() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        NEW.name = (SELECT count(*) FROM pg_prepared_statements WHERE name NOT LIKE 'shared_context.%') || ' ' || (SELECT count(*) FROM pg_listening_channels());
        RETURN NEW;
      END $$;
      CREATE TRIGGER probe BEFORE UPDATE ON "${schema}".namespaces FOR EACH ROW EXECUTE FUNCTION "${schema}".probe()`);
    await manager.update("a", { n: 1 }, "1");
    expect(await server.query(`SELECT name FROM "${schema}".namespaces`)).toEqual([{ name: "0 0" }]);
  });

  it("without its driver is MISSING_DEPENDENCY, with the command that installs it", async () => {
    vi.doMock("pg", () => {
      throw new Error("Cannot find package 'pg'");
    });
    try {
      const { loadDriver } = await moduleOf<typeof driver>("engines/postgres/driver");
      const error = await refusalOf("MISSING_DEPENDENCY", loadDriver());
      const [major, minor] = testedVersion("pg");
      expect(error.message).toContain(`npm install pg@^${major}.${minor}`);
    } finally {
      vi.doUnmock("pg");
    }
  });
});
