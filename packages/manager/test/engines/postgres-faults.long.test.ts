/** PostgreSQL behind a network that fails: nothing happens twice, nothing hangs, watchers miss nothing. */

import { type AsyncSharedContextManager, type Change, isContextError, managerOver } from "shared-context-manager";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Engine } from "../../src/engine.ts";
import type * as postgres from "../../src/engines/postgres.ts";
import { refusalOf } from "../support.ts";
import { findServer } from "./postgres-server.ts";
import { type Proxy, startProxy } from "./proxy.ts";
import { moduleOf } from "./support.ts";

const { openPostgres } = await moduleOf<typeof postgres>("engines/postgres");

const found = await findServer("postgres-faults.long.test.ts");
/** By its text the first time, and by its name afterwards. */
const COMMIT = /(commit|replaceOne)(\.| \*)/;
const NOTIFY = /pg_notify/;
/** No command takes longer than a try at connecting and one at each statement that it is made of. */
const TIMEOUTS = { connectMs: 1_000, queryMs: 1_000 };
const OPTIONS = { historyLimit: 64, changeLogLimit: 10_000 };
const INCREMENT = [{ op: "increment", path: "/n", value: 1 }] as const;

describe.skipIf(found === undefined)("postgres on a bad network", { timeout: 30_000 }, () => {
  if (found === undefined) return;
  const server = found;
  let proxy: Proxy;
  let store = "";
  const opened: { close(): Promise<void> }[] = [];

  const openEngine = async (port?: number): Promise<Engine> => {
    const url = new URL(server.url(store, port === undefined ? {} : { port }));
    const engine = await openPostgres(url.href.replace(/\?.*/, ""), url.searchParams, OPTIONS, TIMEOUTS);
    opened.push(engine);
    return engine;
  };
  const openManager = async (port?: number): Promise<AsyncSharedContextManager> => managerOver(await openEngine(port));
  const valueOf = async (manager: AsyncSharedContextManager): Promise<number> =>
    Number((await manager.get("a"))?.data["n"]);

  beforeEach(async () => {
    proxy = await startProxy(server);
    store = `faults-${Math.random().toString(36).slice(2)}`;
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
    await proxy.close();
  });
  afterAll(() => server.close());

  it("a commit whose reply is lost has happened, once", async () => {
    const manager = await openManager(proxy.port);
    await manager.create("a", { n: 0 });
    const lost = proxy.cutAfter(COMMIT);
    await manager.agent("ann").patch("a", INCREMENT);
    await lost;
    expect(await valueOf(manager)).toBe(1);
    expect((await manager.history("a")).map(({ version }) => version)).toEqual(["1", "2"]);
  });

  it("a commit that was cut off before it reached the server happens once, on another connection", async () => {
    const manager = await openManager(proxy.port);
    await manager.create("a", { n: 0 });
    const lost = proxy.cutBefore(COMMIT);
    await manager.agent("ann").patch("a", INCREMENT);
    await lost;
    expect(await valueOf(manager)).toBe(1);
  });

  it("mutant: an engine that sends again after a cut applies twice, and the checks above see it", async () => {
    const engine = await openEngine(proxy.port);
    const resending: Engine = {
      supports: engine.supports,
      load: (ids, counts) => engine.load(ids, counts),
      commit: async (transactions) => {
        const outcomes = await engine.commit(transactions);
        return outcomes.some(({ kind }) => kind === "indeterminate") ? engine.commit(transactions) : outcomes;
      },
      list: (options) => engine.list(options),
      changes: (options) => engine.changes(options),
      history: (id) => engine.history(id),
      onWake: (listener) => engine.onWake(listener),
      close: () => engine.close(),
    };
    const manager = await managerOver(resending);
    await manager.create("a", { n: 0 });
    const lost = proxy.cutAfter(COMMIT);
    await manager.agent("ann").patch("a", INCREMENT);
    await lost;
    expect(await valueOf(manager)).toBe(2);
  });

  it("an engine says indeterminate of a commit that was not answered, and the log tells", async () => {
    const engine = await openEngine(proxy.port);
    const change = { kind: "updated", contextId: "a", agentId: null, note: null, entry: null } as const;
    const commit = (opId: string) => engine.commit([{ opId, writes: [], changes: [change] }]);
    const after = proxy.cutAfter(COMMIT);
    expect(await commit("landed")).toMatchObject([{ kind: "indeterminate" }]);
    await after;
    const before = proxy.cutBefore(COMMIT);
    expect(await commit("lost")).toMatchObject([{ kind: "indeterminate" }]);
    await before;
    const { changes } = await engine.changes({ after: 0, limit: 10 });
    expect(changes.map(({ opId }) => opId)).toEqual(["landed"]);
  });

  it("a commit that reaches the server after it was looked for in the log does not happen any more", async () => {
    const manager = await openManager(proxy.port);
    await manager.create("a", { n: 0 });
    const kept = proxy.keepBack(COMMIT);
    // Was cut off, was looked for, was not there, and was made again.
    await manager.agent("ann").patch("a", INCREMENT);
    await (
      await kept
    )();
    expect(await valueOf(manager)).toBe(1);
    // Also when what it expects is there again.
    const engine = await openEngine(proxy.port);
    const change = { kind: "updated", contextId: "a", agentId: null, note: null, entry: null } as const;
    const late = proxy.keepBack(COMMIT);
    const outcomes = await engine.commit([{ opId: "late", writes: [], changes: [change] }]);
    expect(outcomes).toMatchObject([{ kind: "indeterminate" }]);
    await engine.changes({ after: 0, limit: 10 });
    await (
      await late
    )();
    const { changes } = await engine.changes({ after: 0, limit: 10 });
    expect(changes.map(({ opId }) => opId)).not.toContain("late");
  });

  it("counts every increment once while connections are cut all the time", async () => {
    const direct = await openManager();
    await direct.create("a", { n: 0 });
    const managers = [await openManager(proxy.port), await openManager(proxy.port)];
    const outcomes = { done: 0, unknown: 0, refused: 0 };
    const endMs = performance.now() + 3_000;
    let pauseMs = 40;
    let seen = 0;
    let cutting: ReturnType<typeof setTimeout> | undefined;
    const cut = (): void => {
      proxy.cut();
      // On a busy machine it may take longer to connect.
      pauseMs = outcomes.done > seen ? 40 : pauseMs * 1.5;
      seen = outcomes.done;
      cutting = setTimeout(cut, pauseMs);
    };
    cut();
    await Promise.all(
      managers.flatMap((manager, client) =>
        Array.from({ length: 4 }, async (_, task) => {
          const agent = manager.agent(`agent-${client}-${task}`);
          while (performance.now() < endMs) {
            try {
              await agent.patch("a", INCREMENT);
              outcomes.done += 1;
            } catch (error) {
              if (isContextError(error, "INDETERMINATE")) outcomes.unknown += 1;
              else if (isContextError(error, "UNAVAILABLE")) outcomes.refused += 1;
              else throw error;
            }
          }
        }),
      ),
    );
    clearTimeout(cutting);
    const value = await valueOf(direct);
    expect(outcomes.done).toBeGreaterThan(0);
    expect(value, JSON.stringify(outcomes)).toBeGreaterThanOrEqual(outcomes.done);
    expect(value, JSON.stringify(outcomes)).toBeLessThanOrEqual(outcomes.done + outcomes.unknown);
  });

  it("a command on connections that have gone silent ends, and the next one finds a new connection", async () => {
    const manager = await openManager(proxy.port);
    await manager.create("a", { n: 0 });
    const startMs = performance.now();
    proxy.freeze();
    const outcomes = await Promise.allSettled([manager.get("a"), manager.agent("ann").patch("a", INCREMENT)]);
    expect(performance.now() - startMs).toBeLessThan(8_000);
    const done = outcomes[1]?.status === "fulfilled" ? 1 : 0;
    expect(await valueOf(manager)).toBe(done);
  });

  it("a command while nobody answers is UNAVAILABLE before long, and works again afterwards", async () => {
    const manager = await openManager(proxy.port);
    await manager.create("a", { n: 0 });
    proxy.refuse(true);
    const startMs = performance.now();
    const commands = [manager.get("a"), manager.agent("ann").patch("a", INCREMENT), manager.size()];
    await Promise.all(commands.map((command) => refusalOf("UNAVAILABLE", command)));
    expect(performance.now() - startMs).toBeLessThan(5_000);
    proxy.refuse(false);
    await manager.agent("ann").patch("a", INCREMENT);
    expect(await valueOf(manager)).toBe(1);
  });

  it("closes in finite time over connections that have gone silent", async () => {
    const manager = await openManager(proxy.port);
    await manager.create("a", { n: 0 });
    const watching = manager.watch().next();
    await watching;
    proxy.freeze();
    const startMs = performance.now();
    await manager.close();
    expect(performance.now() - startMs).toBeLessThan(5_000);
  });

  it.each<[string, () => void | Promise<void>]>([
    ["cut", () => proxy.cut()],
    ["silent", () => proxy.freeze()],
    ["ended by the server", () => terminate()],
  ])("a watcher goes on without gap or duplicate when its connections are %s", async (_how, fail) => {
    const writer = await openManager();
    const { revision: start = 0 } = await writer.create("a", { n: 0 });
    const watcher = await openManager(proxy.port);
    const seen: Change[] = [];
    const watching = (async () => {
      for await (const change of watcher.watch("a", { after: start })) {
        seen.push(change);
        if (change.context?.version === "31") return;
      }
    })();
    for (let step = 1; step <= 30; step++) {
      if (step % 10 === 0) await fail();
      await patchUntilDone(writer);
      await pause(10);
    }
    await watching;
    expect(seen.map(({ context }) => Number(context?.version))).toEqual(Array.from({ length: 30 }, (_, n) => n + 2));
  });

  it("a lease outlives its connection, as long as it is renewed in time", async () => {
    const holder = await openManager(proxy.port);
    await holder.create("a", { n: 0 });
    const lease = await holder.agent("ann").acquire("a", { ttlMs: 1_500 });
    for (let round = 0; round < 4; round++) {
      await terminate();
      await pause(500);
    }
    await lease.patch("a", INCREMENT);
    const other = await openManager();
    expect(await other.get("a")).toMatchObject({ lockedBy: "ann", data: { n: 1 } });
    await lease.release();
  });

  it("a holder that was cut off for too long has lost its lease", async () => {
    const holder = await openManager(proxy.port);
    await holder.create("a", { n: 0 });
    const lease = await holder.agent("ann").acquire("a", { ttlMs: 300 });
    proxy.refuse(true);
    const other = await openManager();
    const next = await other.agent("bob").acquire("a", { ttlMs: 30_000 });
    proxy.refuse(false);
    await refusalOf("LEASE_LOST", lease.patch("a", INCREMENT));
    expect(await valueOf(other)).toBe(0);
    await next.release();
  });

  it("a change whose notification was lost is found by looking", async () => {
    const listener = await openEngine();
    let wakes = 0;
    const stop = listener.onWake(() => (wakes += 1));
    await pause(300);
    const engine = await openEngine(proxy.port);
    const lost = proxy.cutBefore(NOTIFY);
    wakes = 0;
    await engine.commit([{ opId: "quiet", writes: [], changes: [] }]);
    await lost;
    await expect.poll(() => wakes, { timeout: 5_000 }).toBeGreaterThan(0);
    stop();
  });

  it("notifications arrive before anybody would have looked", async () => {
    const listener = await openEngine();
    const engine = await openEngine();
    const latencies: number[] = [];
    let onWake = (): void => undefined;
    const stop = listener.onWake(() => onWake());
    await pause(500); // it hears its own, and looks less often from then on
    for (let round = 0; round < 12; round++) {
      const startMs = performance.now();
      const woken = new Promise<void>((resolve) => {
        onWake = resolve;
      });
      await engine.commit([{ opId: `${round}`, writes: [], changes: [] }]);
      await woken;
      latencies.push(performance.now() - startMs);
    }
    stop();
    latencies.sort((one, other) => one - other);
    expect(latencies[5]).toBeLessThan(200);
  });

  /** Ends all connections of this store's schema but the one that does so. */
  async function terminate(): Promise<void> {
    await server.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND (query LIKE '%' || $1 || '%' OR query LIKE 'LISTEN "shared_context_%')`,
      [server.schema],
    );
  }

  async function patchUntilDone(manager: AsyncSharedContextManager): Promise<void> {
    for (;;) {
      try {
        await manager.agent("writer").patch("a", INCREMENT);
        return;
      } catch (error) {
        if (!isContextError(error, "UNAVAILABLE")) throw error;
      }
    }
  }
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
