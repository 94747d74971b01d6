/** Connections that are slow, cut or half-open: nothing is applied twice, nothing hangs, and watchers miss nothing. */

import { type AsyncSharedContextManager, type Change, isContextError } from "shared-context-manager";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Transaction } from "../../src/engine.ts";
import type * as RedisModule from "../../src/engines/redis.ts";
import type { RedisDriver } from "../../src/engines/redis/driver.ts";
import type * as OpenModule from "../../src/open.ts";
import { type Proxy, startProxy } from "./proxy.ts";
import { Clients, RESENDING } from "./redis-drivers.ts";
import { findServer } from "./redis-server.ts";
import { moduleOf } from "./support.ts";

const { openRedis } = await moduleOf<typeof RedisModule>("engines/redis");
const { managerOver } = await moduleOf<typeof OpenModule>("open");

const found = await findServer("redis-faults.long.test.ts");
const SCRIPT = /EVAL/;
const TIMEOUT_MS = 1_000;
/** A timeout and a connection after it; what takes longer hangs. */
const SOON_MS = 3 * TIMEOUT_MS;
/** How often the log is looked at. */
const LOOK_MS = 250;

describe.skipIf(found === undefined)("redis behind a bad network", () => {
  if (found === undefined) return;
  const server = found;
  let proxy: Proxy;
  let namespace: string;
  let stores = 0;
  const opened: { close(): Promise<void> }[] = [];

  beforeEach(async () => {
    proxy = await startProxy(server);
    namespace = server.namespace(`faults-${++stores}`);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close().catch(() => undefined)));
    await proxy.close();
  });
  afterAll(() => server.close());

  type Manager = AsyncSharedContextManager;
  const engineAt = async (host: string, port: number, driver?: RedisDriver): ReturnType<typeof openRedis> => {
    const parameters = new URLSearchParams({ namespace, timeoutMs: String(TIMEOUT_MS) });
    const engine = await openRedis("redis", `//${host}:${port}`, parameters, LIMITS, driver);
    opened.push(engine);
    return engine;
  };
  const opening = async (host: string, port: number, driver?: RedisDriver): Promise<Manager> => {
    const manager = await managerOver(await engineAt(host, port, driver));
    opened.push(manager);
    return manager;
  };
  /** Through the proxy, and past it. */
  const affected = (): Promise<Manager> => opening("127.0.0.1", proxy.port);
  const unaffected = (driver?: RedisDriver): Promise<Manager> => opening(server.host, server.port, driver);
  const engine = (): ReturnType<typeof openRedis> => engineAt("127.0.0.1", proxy.port);

  it("a write whose request was lost is done once", async () => {
    const manager = await affected();
    await manager.create("a", { count: 0 });
    const cut = proxy.cutBefore(SCRIPT);
    const written = manager.agent("ann").patch("a", INCREMENT);
    await cut;
    expect((await within(written)).data).toEqual({ count: 1 });
    expect((await manager.get("a"))?.data).toEqual({ count: 1 });
  });

  it("a write whose reply was lost is done once, and its result is the true one", async () => {
    const manager = await affected();
    await manager.create("a", { count: 0 });
    const cut = proxy.cutAfter(SCRIPT);
    const written = manager.agent("ann").patch("a", INCREMENT);
    await cut;
    const told = await within(written);
    expect(told).toMatchObject({ version: "2", data: { count: 1 }, revision: 2, incarnation: 1 });
    expect(await manager.get("a")).toMatchObject({ version: "2", data: { count: 1 }, revision: 2, incarnation: 1 });
  });

  it("a lease whose grant lost its reply is held by its true token", async () => {
    const manager = await affected();
    await manager.create("a", { count: 0 });
    const cut = proxy.cutAfter(SCRIPT);
    const acquired = manager.agent("ann").acquire("a");
    await cut;
    const lease = await within(acquired);
    expect(lease.token).toBe((await manager.get("a"))?.lock?.token);
    expect((await lease.patch("a", INCREMENT)).data).toEqual({ count: 1 });
    await lease.release();
  });

  it("a commit whose reply was lost is indeterminate to the engine, and in the log", async () => {
    const one = await engine();
    const cut = proxy.cutAfter(SCRIPT);
    const committed = one.commit([transaction("lost")]);
    await cut;
    expect(await within(committed)).toMatchObject([{ kind: "indeterminate" }]);
    const { changes } = await within(one.changes({ after: 0, limit: 10 }));
    expect(changes.map(({ opId }) => opId)).toEqual(["lost"]);
  });

  it("a commit that comes late, after it was given up, does not land", async () => {
    const one = await engine();
    const kept = proxy.keepBack(SCRIPT);
    const committed = one.commit([transaction("late")]);
    const forward = await kept;
    expect(await within(committed)).toMatchObject([{ kind: "indeterminate" }]);
    expect((await within(one.changes({ after: 0, limit: 10 }))).changes).toEqual([]);
    await forward();
    expect(await one.changes({ after: 0, limit: 10 })).toMatchObject({ changes: [], head: 0 });
    expect(await one.commit([transaction("next")])).toMatchObject([{ kind: "ok", revision: 1 }]);
  });

  it("increments under random cuts are all done, each once", { timeout: 60_000 }, async () => {
    const managers = [await affected(), await affected(), await unaffected()];
    await managers[2]?.create("a", { count: 0 });
    let acknowledged = 0;
    let unknown = 0;
    const over = new AbortController();
    const cutting = (async () => {
      for (let round = 0; !over.signal.aborted; round++) {
        await pause(20 + 30 * Math.random());
        if (round % 3 === 0) proxy.cut();
        else void (round % 3 === 1 ? proxy.cutAfter(SCRIPT) : proxy.cutBefore(SCRIPT));
        proxy.delayMs = round % 4;
      }
    })();
    await Promise.all(
      managers.map(async (manager, index) => {
        for (let n = 0; n < 150; n++) {
          try {
            await within(manager.agent(`agent-${index}`).patch("a", INCREMENT), 20 * TIMEOUT_MS);
            acknowledged += 1;
          } catch (error) {
            if (isContextError(error, "INDETERMINATE")) unknown += 1;
            else if (!isContextError(error, "UNAVAILABLE")) throw error;
          }
        }
      }),
    );
    over.abort();
    await cutting;
    const count = Number((await managers[2]?.get("a"))?.data["count"]);
    expect(count).toBeGreaterThanOrEqual(acknowledged);
    expect(count).toBeLessThanOrEqual(acknowledged + unknown);
    expect(acknowledged).toBeGreaterThan(300);
  });

  it("of two commits under way that are given up, one that comes late does not land", async () => {
    const one = await engine();
    const kept = proxy.keepBack(/late/);
    const first = one.commit([transaction("early")]);
    await one.sent?.();
    const second = one.commit([transaction("late")]);
    const forward = await kept;
    expect(await within(second)).toMatchObject([{ kind: "indeterminate" }]);
    const [told] = await within(first);
    const before = await within(one.changes({ after: 0, limit: 10 }));
    await forward();
    expect(await one.changes({ after: 0, limit: 10 })).toEqual(before);
    const ids = before.changes.map(({ opId }) => opId);
    expect(ids).not.toContain("late");
    // What was answered is true; what was not, the log tells.
    if (told?.kind === "ok") expect(ids).toEqual(["early"]);
    expect(await one.commit([transaction("next")])).toMatchObject([{ kind: "ok", revision: ids.length + 1 }]);
  });

  it("increments of many contexts, two commits under way, are all done under random cuts, each once", async () => {
    const manager = await affected();
    const witness = await unaffected();
    const ids = Array.from({ length: 48 }, (_, index) => `context-${index}`);
    await Promise.all(ids.map((id) => witness.create(id, { count: 0 })));
    const heard = new Map(ids.map((id) => [id, 0]));
    manager.subscribe(undefined, ({ contextId }) => {
      if (contextId !== null) heard.set(contextId, (heard.get(contextId) ?? 0) + 1);
    });
    const over = new AbortController();
    const cutting = (async () => {
      for (let round = 0; !over.signal.aborted; round++) {
        await pause(5 + 10 * Math.random());
        if (round % 3 === 0) proxy.cut();
        else void (round % 3 === 1 ? proxy.cutAfter(SCRIPT) : proxy.cutBefore(SCRIPT));
      }
    })();
    const tallies = await Promise.all(
      ids.map(async (id) => {
        const tally = { acknowledged: 0, unknown: 0 };
        for (let n = 0; n < 40; n++) {
          try {
            await within(manager.agent(id).patch(id, INCREMENT), 20 * TIMEOUT_MS);
            tally.acknowledged += 1;
          } catch (error) {
            if (isContextError(error, "INDETERMINATE")) tally.unknown += 1;
            else if (!isContextError(error, "UNAVAILABLE")) throw error;
          }
        }
        return tally;
      }),
    );
    over.abort();
    await cutting;
    for (const [at, { acknowledged, unknown }] of tallies.entries()) {
      const count = Number((await witness.get(ids[at] ?? ""))?.data["count"]);
      expect(count).toBeGreaterThanOrEqual(acknowledged);
      expect(count).toBeLessThanOrEqual(acknowledged + unknown);
      await expect.poll(() => heard.get(ids[at] ?? ""), { timeout: SOON_MS }).toBe(count);
    }
    expect(tallies.reduce((sum, { acknowledged }) => sum + acknowledged, 0)).toBeGreaterThan(1_000);
  }, 60_000);

  it("what is asked of a half-open connection ends in time, and the next one works", async () => {
    const manager = await affected();
    await manager.create("a", { count: 0 });
    proxy.freeze();
    // Reading is asked again; writing has its outcome looked up.
    expect((await within(manager.get("a")))?.data).toEqual({ count: 0 });
    proxy.freeze();
    expect((await within(manager.agent("ann").patch("a", INCREMENT))).data).toEqual({ count: 1 });
    expect((await (await unaffected()).get("a"))?.data).toEqual({ count: 1 });
  });

  it("while nothing answers, calls are UNAVAILABLE in time; after that all is well", async () => {
    const manager = await affected();
    await manager.create("a", {});
    proxy.refuse(true);
    await expect(within(manager.get("a"))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(within(manager.update("a", { step: 1 }, "1"))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    const attempts = proxy.connections;
    proxy.refuse(false);
    expect(await within(manager.update("a", { step: 1 }, "1"))).toMatchObject({ version: "2" });
    expect(proxy.connections - attempts).toBe(1);
  });

  it("close does not wait for what will never come", async () => {
    const manager = await affected();
    proxy.refuse(true);
    const asked = manager.get("a").catch((error: unknown) => error);
    await within(manager.close());
    expect(await within(asked)).toMatchObject({ code: expect.stringMatching(/UNAVAILABLE|CLOSED/) as string });
  });

  describe("watchers", () => {
    /** Everything that a watcher sees, up to the change that says it is over. */
    const watching = async (manager: Manager): Promise<{ readonly seen: Promise<Change[]> }> => {
      const seen = (async () => {
        const changes: Change[] = [];
        for await (const change of manager.watch({ prefix: "" }, { after: 0 })) {
          changes.push(change);
          if (change.contextId === "over") break;
        }
        return changes;
      })();
      await pause(50);
      return { seen };
    };
    const upTo = (writes: number): number[] => Array.from({ length: writes }, (_, index) => index + 1);
    const revisionsOf = async (seen: Promise<Change[]>): Promise<number[]> =>
      (await within(seen)).map(({ revision }) => revision);

    it("go on without gap or duplicate over cuts", async () => {
      const watcher = await affected();
      const writer = await unaffected();
      const { seen } = await watching(watcher);
      for (let n = 1; n < 200; n++) {
        await writer.create(`id-${n}`, {});
        if (n % 20 === 0) proxy.cut();
      }
      await writer.create("over", {});
      expect(await revisionsOf(seen)).toEqual(upTo(200));
    });

    it("go on after a half-open connection", async () => {
      const watcher = await affected();
      const writer = await unaffected();
      const { seen } = await watching(watcher);
      await writer.create("before", {});
      proxy.freeze();
      await writer.create("meanwhile", {});
      await writer.create("over", {});
      expect(await revisionsOf(seen)).toEqual(upTo(3));
    });

    it("go on after CLIENT KILL", async () => {
      const clients = new Clients();
      const watcher = await unaffected(clients.driver());
      const writer = await unaffected(clients.driver());
      const { seen } = await watching(watcher);
      for (let n = 1; n < 50; n++) {
        await writer.create(`id-${n}`, {});
        if (n % 10 === 0) await clients.kill(server);
      }
      await writer.create("over", {});
      expect(await revisionsOf(seen)).toEqual(upTo(50));
    });

    it("hear of changes although nothing is announced", async () => {
      const watcher = await unaffected(new Clients().driver({ hears: false }));
      const writer = await unaffected();
      const { seen } = await watching(watcher);
      await writer.create("a", {});
      await pause(2 * TIMEOUT_MS); // long idle
      await writer.create("over", {});
      expect(await revisionsOf(seen)).toEqual(upTo(2));
    });

    it("mutant: would hear of nothing then, if a message were the only wake-up", async () => {
      const watcher = await unaffected(new Clients().driver({ hears: false }));
      const writer = await unaffected();
      const looking = vi.spyOn(globalThis, "setInterval").mockReturnValue(undefined as never);
      const { seen } = await watching(watcher);
      expect(looking).toHaveBeenCalled();
      looking.mockRestore();
      await writer.create("over", {});
      const silence = pause(4 * LOOK_MS).then(() => "silence");
      expect(await Promise.race([seen, silence])).toBe("silence");
      await watcher.close();
      await seen.catch(() => undefined);
    });
  });

  it("a lease outlives CLIENT KILL, and is lost only to whoever takes it over", async () => {
    const clients = new Clients();
    const manager = await unaffected(clients.driver());
    await manager.create("a", { count: 0 });
    const lease = await manager.agent("ann").acquire("a", { ttlMs: 600 });
    for (let n = 0; n < 4; n++) {
      await clients.kill(server);
      await pause(250); // the renewals go through
    }
    expect((await within(lease.patch("a", INCREMENT))).data).toEqual({ count: 1 });
    expect(lease.signal.aborted).toBe(false);
    await lease.release();
  });

  it("whoever is cut off past the end of its lease does not write when it comes back", async () => {
    const holder = await affected();
    await holder.create("a", { count: 0 });
    const lease = await holder.agent("ann").acquire("a", { ttlMs: 300 });
    proxy.refuse(true);
    const other = await unaffected();
    await other.agent("bob").withLock("a", (held) => held.patch("a", INCREMENT));
    proxy.refuse(false);
    await expect(within(lease.patch("a", INCREMENT))).rejects.toMatchObject({ code: "LEASE_LOST" });
    expect((await other.get("a"))?.data).toEqual({ count: 1 });
  });

  it("mutant: a driver that resends after a cut applies twice, and the checks above see it", async () => {
    const manager = await opening("127.0.0.1", proxy.port, RESENDING);
    await manager.create("a", { count: 0 });
    const cut = proxy.cutAfter(SCRIPT);
    const written = manager.agent("ann").patch("a", INCREMENT);
    await cut;
    await within(written);
    expect((await manager.get("a"))?.data).toEqual({ count: 2 });
  });
});

const LIMITS = { historyLimit: 64, changeLogLimit: 10_000 };
const INCREMENT = [{ op: "increment", path: "/count", value: 1 }] as const;

function transaction(opId: string): Transaction {
  const change = { kind: "deleted", contextId: "a", agentId: null, note: null, entry: null } as const;
  return { opId, writes: [{ id: "a", expect: 0, next: undefined, keeps: false }], changes: [change] };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** What hangs is an error of its own. */
async function within<Result>(promise: Promise<Result>, limitMs: number = SOON_MS): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing within ${limitMs} ms`)), limitMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
