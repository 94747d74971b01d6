/** Redis passes the kit, and what is Redis's own holds. */

import { type AddressInfo, createServer } from "node:net";
import { createClient } from "redis";
import { openManager } from "shared-context-manager";
import { engineSuite, runWith } from "shared-context-manager/testing";
import { afterAll, describe, expect, it, vi } from "vitest";
import type { Engine } from "../../src/engine.ts";
import type * as KeysModule from "../../src/engines/redis/keys.ts";
import type * as RedisModule from "../../src/engines/redis.ts";
import type { Entry } from "../../src/entry.ts";
import {
  commitOne as commitBy,
  creates,
  deletes,
  entryOf as newEntry,
  nextOf,
  replaces,
  transactionOf,
} from "../../src/testing/entries.ts";
import { type Proxy, startProxy } from "./proxy.ts";
import { findServer } from "./redis-server.ts";
import { moduleOf, testedVersion } from "./support.ts";

const { openRedis } = await moduleOf<typeof RedisModule>("engines/redis");
const { keysOf } = await moduleOf<typeof KeysModule>("engines/redis/keys");

const found = await findServer("redis.test.ts");

describe.skipIf(found === undefined)("redis", () => {
  if (found === undefined) return;
  const server = found;
  const OPTIONS = { historyLimit: 64, changeLogLimit: 10_000 };
  const proxies = new Map<Engine, Proxy>();
  afterAll(async () => {
    await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
    await server.close();
  });

  const open = (store: string, options = OPTIONS): Promise<Engine> =>
    openRedis(
      "redis",
      `//${server.host}:${server.port}`,
      new URLSearchParams({ namespace: server.namespace(store) }),
      options,
    );

  runWith(
    engineSuite({
      name: "redis: the kit",
      async open(store, options) {
        const proxy = await startProxy(server);
        const parameters = new URLSearchParams({ namespace: server.namespace(store) });
        const engine = await openRedis("redis", `//127.0.0.1:${proxy.port}`, parameters, options);
        proxies.set(engine, proxy);
        return engine;
      },
      disconnect: (engine) => proxies.get(engine)?.cut(),
      crash: async (engine) => proxies.get(engine)?.close(),
    }),
    { describe, it },
  );

  describe("what is stored", () => {
    const urlOf = (store: string): string => `${server.url}?namespace=${server.namespace(store)}`;

    it("comes back as it was, whatever looks like a number to be filled in", async () => {
      const data = {
        empty: { list: [], object: {} },
        numbers: [-1, -0.5, 1e21, 1.5e-7, 9007199254740991, 0.1],
        text: "-1 -2 0\n-1 -1 -1 \\n %1 %-1 \u2028 \u{1f600}",
        "-1 -1 -1": { revision: -1, incarnation: -1, lock: { token: -1 } },
      };
      await using manager = await openManager(urlOf("text"));
      const agent = manager.agent("-1");
      await agent.create("-1 -1 0\n", data, { note: "-1\n-1" });
      await agent.update("-1 -1 0\n", { ...data, again: true }, "1");
      await using other = await openManager(urlOf("text"));
      const context = await other.get("-1 -1 0\n");
      expect(context).toMatchObject({ data: { ...data, again: true }, revision: 2, incarnation: 1, updatedBy: "-1" });
      const [first] = await other.history("-1 -1 0\n");
      expect(first).toMatchObject({ data, note: "-1\n-1", revision: 1 });
      const engine = await open("text");
      const [change] = (await engine.changes({ after: 0, limit: 1 })).changes;
      await engine.close();
      expect(change).toMatchObject({ revision: 1, note: "-1\n-1", entry: { data, revision: 1, incarnation: 1 } });
    });

    it("is apart for each namespace, whatever it is called", async () => {
      const names = ["a", "a}", "a}:entries", "{a", "a:versions:", "%7D", ""];
      const managers = await Promise.all(
        names.map((name) => openManager(`${server.url}?namespace=${encodeURIComponent(server.namespace(name))}`)),
      );
      await Promise.all(managers.map((manager, index) => manager.create("}:entries", { index })));
      const datas = await Promise.all(managers.map(async (manager) => (await manager.get("}:entries"))?.data));
      expect(datas).toEqual(names.map((_, index) => ({ index })));
      await Promise.all(managers.map((manager) => manager.close()));
    });

    it("is apart for each database, and so is what is announced: a revision of one says nothing of another", async () => {
      const names = server.namespace("database");
      const [first, second] = [keysOf(names, 0), keysOf(names, 1)];
      const listener = createClient({ url: server.url });
      const cleaner = createClient({ url: server.url, database: 1 });
      await Promise.all([listener.connect(), cleaner.connect()]);
      const heard: string[] = [];
      const hear = (message: string, channel: string): unknown => heard.push(`${channel} ${message}`);
      await listener.subscribe([first.wake, second.wake], hear);
      for (const [database, commits] of [
        [1, 2],
        [0, 1],
      ] as const) {
        const path = `//${server.host}:${server.port}/${database}`;
        const engine = await openRedis("redis", path, new URLSearchParams({ namespace: names }), OPTIONS);
        for (let n = 0; n < commits; n++) await engine.commit([transactionOf(creates(newEntry(`id-${n}`)))]);
        await engine.close();
      }
      await vi.waitFor(() => expect(heard.at(-1)).toBe(`${first.wake} 1`));
      expect(heard).toEqual([`${second.wake} 1`, `${second.wake} 2`, `${first.wake} 1`]);
      await cleaner.unlink([second.entries, second.order, second.log, second.versions]);
      listener.destroy();
      cleaner.destroy();
    });

    it("has one hash tag in every key, so that a cluster keeps it together", () => {
      const { wake, ...keys } = keysOf("any}{thing");
      for (const key of [wake, ...Object.values(keys)]) expect(key).toMatch(/^\{scm:any%7D%7Bthing\}:/);
    });

    it("is gone after clear, versions too", async () => {
      await using manager = await openManager(urlOf("clear"));
      const ids = Array.from({ length: 30 }, (_, index) => `id-${index}`);
      for (const id of ids) {
        await manager.create(id, {});
        await manager.update(id, { step: 1 }, "1");
      }
      await manager.clear();
      const { versions, order } = keysOf(server.namespace("clear"));
      expect(await server.send("EXISTS", order, versions)).toBe(0);
      expect(await manager.size()).toBe(0);
    });
  });

  it("takes more contexts in one transaction than a function of Lua has results", async () => {
    const engine = await open("large");
    const entries = Array.from({ length: 7_500 }, (_, index) => newEntry(`id-${index}`));
    const [outcome] = await engine.commit([transactionOf(...entries.map(creates))]);
    expect(outcome).toEqual({ kind: "ok", revision: 1 });
    const updates = entries.map((entry) => replaces(nextOf(entry), 1));
    expect(await engine.commit([transactionOf(...updates)])).toEqual([{ kind: "ok", revision: 2 }]);
    const { changes } = await engine.changes({ after: 1, limit: 1 });
    expect(changes.map(({ entry }) => entry?.version)).toEqual(entries.map(() => "2"));
    expect((await engine.load(["id-7499"], true)).contexts).toBe(entries.length);
    expect((await engine.history("id-7499")).map(({ revision }) => revision)).toEqual([1]);
    await engine.close();
  });

  it("commits on what it has not read itself, and versions are counted as if it had", async () => {
    const limits = { historyLimit: 4, changeLogLimit: 10_000 };
    const engines = [await open("unread", limits), await open("unread", limits)];
    let entry = newEntry("a");
    const revisions = [await commitBy(engines[0]!, creates(entry), creates(newEntry("b")))];
    for (let step = 0; step < 60; step++) {
      entry = nextOf({ ...entry, revision: revisions.at(-1)! }, { incarnation: 1 });
      // By turns, so that each knows of a text that is the other's by now; and each twice.
      revisions.push(await commitBy(engines[(step >> 1) % 2]!, replaces(entry, revisions.at(-1)!)));
    }
    for (const engine of engines) {
      expect((await engine.history("a")).map(({ revision }) => revision)).toEqual(revisions.slice(-5, -1));
      expect((await engine.load(["a"])).entries[0]).toMatchObject({ version: "61", revision: 61 });
    }
    const { versions } = keysOf(server.namespace("unread"));
    expect(await server.send("HLEN", versions)).toBeLessThanOrEqual(limits.historyLimit + 16);
    // Created again, it begins anew: nothing is left of what was.
    await commitBy(engines[0]!, deletes("a", 61));
    expect(await server.send("HLEN", versions)).toBe(0);
    await commitBy(engines[1]!, creates(newEntry("a")));
    expect(await engines[0]!.history("a")).toEqual([]);
    const { entries } = await engines[0]!.list({ prefix: "", after: undefined, limit: 10 });
    expect(entries.map(({ contextId }) => contextId)).toEqual(["b", "a"]);
    await Promise.all(engines.map((engine) => engine.close()));
  });

  it("reads what earlier versions wrote into the log", async () => {
    const engine = await open("padded");
    await engine.commit([transactionOf(creates(newEntry("a")))]);
    const { entries, log } = keysOf(server.namespace("padded"));
    const change = JSON.stringify(["updated", "a", null, null, 1]);
    const text = JSON.stringify(["2", { step: 2 }, 5, 5, null, null, -1, 1]);
    await server.send("XADD", log, "2-0", "first", "2", `["op-2",${change}]`, text);
    await server.send("XADD", log, "3-0", "first", "3", '["op-3",["deleted","a",null,null,0]]', "");
    await server.send("HSET", entries, "", "2 3 1 1");
    const { changes } = await engine.changes({ after: 1, limit: 10 });
    expect(changes.map(({ opId, kind, entry }) => [opId, kind, entry?.revision])).toEqual([
      ["op-2", "updated", 2],
      ["op-3", "deleted", undefined],
    ]);
    await engine.close();
  });

  it("refuses a store of an earlier layout, and leaves it as it is", async () => {
    const { entries } = keysOf(server.namespace("earlier"));
    await server.send("HSET", entries, "", "1 1 1");
    const engine = await open("earlier");
    await expect(engine.load([])).rejects.toMatchObject({ code: "UNSUPPORTED" });
    const commit = engine.commit([transactionOf(creates(newEntry("a")))]);
    await expect(commit).rejects.toMatchObject({ code: "CORRUPT" });
    expect(await server.send("HGETALL", entries)).toEqual({ "": "1 1 1" });
    await engine.close();
  });

  describe("a store that somebody has taken something from", () => {
    const broken = async (store: string, key: "entries" | "order" | "log"): Promise<Engine> => {
      const manager = await openManager(`${server.url}?namespace=${server.namespace(store)}`);
      await manager.create("a", {});
      await manager.create("b", {});
      await manager.close();
      await server.send("UNLINK", keysOf(server.namespace(store))[key]);
      return open(store);
    };
    const write = { id: "c", expect: 0, next: null, keeps: null };

    it("without its log is CORRUPT for readers of the log and for writers", async () => {
      const engine = await broken("no-log", "log");
      await expect(engine.changes({ after: 0, limit: 10 })).rejects.toMatchObject({ code: "CORRUPT" });
      const commit = engine.commit([{ opId: "x", writes: [write], changes: [] }]);
      await expect(commit).rejects.toMatchObject({ code: "CORRUPT" });
      await engine.close();
    });

    it("without its contexts is CORRUPT for writers", async () => {
      const engine = await broken("no-entries", "entries");
      const commit = engine.commit([{ opId: "x", writes: [write], changes: [] }]);
      await expect(commit).rejects.toMatchObject({ code: "CORRUPT" });
      await engine.close();
    });

    it("without its order is CORRUPT for those who list", async () => {
      const engine = await broken("no-order", "order");
      await expect(engine.list({ prefix: "", after: undefined, limit: 10 })).rejects.toMatchObject({ code: "CORRUPT" });
      await engine.close();
    });

    it("that went back behind an open manager is CORRUPT for it, and good for a new one", async () => {
      const url = `${server.url}?namespace=${server.namespace("back")}`;
      const manager = await openManager(url);
      await manager.create("a", {});
      await server.send(
        "UNLINK",
        ...["entries", "order", "log"].map((key) => keysOf(server.namespace("back"))[key as "log"]),
      );
      await expect(manager.get("a")).rejects.toMatchObject({ code: "CORRUPT" });
      await expect(manager.create("b", {})).rejects.toMatchObject({ code: "CORRUPT" });
      await manager.close();
      await using anew = await openManager(url);
      expect(await anew.get("a")).toBeUndefined();
    });
  });

  it("the log is trimmed, and says exactly from where on it is whole", async () => {
    const engine = await open("trimmed", { historyLimit: 0, changeLogLimit: 50 });
    const change = { kind: "updated", contextId: "a", agentId: null, note: null, entry: null } as const;
    for (let round = 0; round < 10; round++) {
      await engine.commit(
        Array.from({ length: 100 }, (_, n) => ({ opId: `${round}-${n}`, writes: [], changes: [change] })),
      );
    }
    const { changes, head, oldest } = await engine.changes({ after: 0, limit: 2_000 });
    expect(head).toBe(1_000);
    expect(oldest).toBeGreaterThan(1);
    expect(oldest).toBeLessThanOrEqual(951);
    expect(changes.map(({ revision }) => revision)).toEqual(
      Array.from({ length: 1_001 - oldest }, (_, n) => oldest + n),
    );
    await engine.close();
  });

  it("a server that has forgotten the script is given it again", async () => {
    const engine = await open("forgotten");
    await engine.commit([{ opId: "one", writes: [], changes: [] }]);
    await server.send("SCRIPT", "FLUSH");
    expect(await engine.commit([{ opId: "two", writes: [], changes: [] }])).toEqual([{ kind: "ok", revision: 2 }]);
    await engine.close();
  });

  it("a prefix is looked for past any number of others, in the order of creation", async () => {
    const engine = await open("prefix");
    const ids = Array.from({ length: 2_500 }, (_, n) => (n % 500 === 7 ? `wanted-${n}` : `other-${n}`));
    await engine.commit(
      ids.map((id) => ({ opId: id, writes: [{ id, expect: 0, next: entryOf(id), keeps: null }], changes: [] })),
    );
    const first = await engine.list({ prefix: "wanted-", after: undefined, limit: 3 });
    const rest = await engine.list({ prefix: "wanted-", after: first.next, limit: 3 });
    const found = [...first.entries, ...rest.entries].map(({ contextId }) => contextId);
    expect(found).toEqual(ids.filter((id) => id.startsWith("wanted-")));
    expect([first.head, rest.next]).toEqual([2_500, undefined]);
    await engine.close();
  });

  it("a change after many renewals is not passed over", async () => {
    const engine = await open("renewals");
    const change = { kind: "updated", contextId: "a", agentId: null, note: null, entry: null } as const;
    await engine.commit(Array.from({ length: 20 }, (_, n) => ({ opId: `${n}`, writes: [], changes: [] })));
    await engine.commit([{ opId: "last", writes: [], changes: [change] }]);
    const { changes } = await engine.changes({ after: 0, limit: 5 });
    expect(changes.map(({ opId }) => opId)).toEqual(["last"]);
    await engine.close();
  });

  describe("a URL", () => {
    it("of valkey: opens the same store", async () => {
      const url = server.url.replace(/^redis/, "valkey");
      await using manager = await openManager(`${url}?namespace=${server.namespace("valkey")}`);
      expect(await manager.create("a", {})).toMatchObject({ version: "1", revision: 1 });
    });

    it.each([
      ["redis:secret", "one without //"],
      ["redis://", "without a host"],
      ["redis:///1", "without a host"],
      ["redis://host/one", "no number"],
      ["redis://u:sec%ret@host", "cannot be read"],
      ["redis://u:secret@host:port", "cannot be read"],
      ["redis://u:secret@host?timeoutMs=0", "milliseconds"],
      ["redis://u:secret@host?password=secret", "namespace"],
    ])("%s is INVALID, and its password in no message", async (url, part) => {
      const error: unknown = await openManager(url).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "INVALID" });
      expect(String(error)).toContain(part);
      expect(String((error as Error).stack)).not.toMatch(/u:sec/);
    });

    it("without the driver is MISSING_DEPENDENCY, with what to install", async () => {
      vi.doMock("redis", () => {
        throw new Error("Cannot find package");
      });
      const error: unknown = await openManager(server.url).catch((reason: unknown) => reason);
      vi.doUnmock("redis");
      expect(error).toMatchObject({ code: "MISSING_DEPENDENCY", details: { dependency: "redis" } });
      const [major, minor] = testedVersion("redis");
      expect(String(error)).toContain(`npm install redis@^${major}.${minor}`);
    });

    it("that leads nowhere is UNAVAILABLE, and its password in no message", async () => {
      const proxy = await startProxy(server);
      await proxy.close();
      const error: unknown = await openManager(`redis://user:secret@127.0.0.1:${proxy.port}`).catch(
        (reason: unknown) => reason,
      );
      expect(error).toMatchObject({ code: "UNAVAILABLE" });
      expect(JSON.stringify([String(error), error, (error as Error).cause])).not.toContain("secret");
    });

    it("of a server that takes the connection and says nothing is UNAVAILABLE in time", async () => {
      const silent = createServer(() => undefined);
      await new Promise<void>((resolve) => {
        silent.listen(0, "127.0.0.1", resolve);
      });
      const { port } = silent.address() as AddressInfo;
      const opening = openManager(`redis://127.0.0.1:${port}?timeoutMs=200`);
      await expect(opening).rejects.toMatchObject({ code: "UNAVAILABLE" });
      silent.close();
    });

    it("with a wrong password is UNAVAILABLE, and the password in no message", async () => {
      const error: unknown = await openManager(`redis://nobody:secret@${server.host}:${server.port}`).catch(
        (reason: unknown) => reason,
      );
      expect(error).toMatchObject({ code: "UNAVAILABLE" });
      expect(String(error)).toContain("WRONGPASS");
      expect(JSON.stringify([String(error), error, (error as Error).cause])).not.toContain("secret");
    });
  });
});

function entryOf(contextId: string): Entry {
  const texts = { contextId, version: "1", updatedBy: null, note: null };
  const numbers = { createdAtMs: 0, updatedAtMs: 0, revision: -1, incarnation: -1 };
  return { ...texts, ...numbers, data: {}, exposed: false, lock: null, chains: undefined };
}
