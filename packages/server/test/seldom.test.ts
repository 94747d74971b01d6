/** What comes seldom: races inside one request, limits of what is kept, storages and clients that fail. */

import { mkdtempSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type AsyncSharedContextManager, ContextError, openManager } from "shared-context-manager";
import { createHandler, readTokens, serve } from "shared-context-server";
import { describe, expect, it } from "vitest";
import { changeStream } from "../src/change-stream.ts";
import { Idempotency } from "../src/idempotency.ts";
import { LockWaits } from "../src/lock-waits.ts";
import { releaseLock, renewLock, takeLock } from "../src/locks.ts";
import { RateLimit } from "../src/rate.ts";
import type { Call } from "../src/route.ts";
import { committed } from "../src/writes.ts";
import { folder } from "./command-line.ts";
import { openApi } from "./support.ts";

/** A call of ann on the plan; `before` happens in the middle of it, before the agent locks or unlocks. */
function callOn(manager: AsyncSharedContextManager, before: () => Promise<unknown>): Call {
  const agent = manager.agent("ann");
  const interrupted = {
    lock: async (id: string, options: object) => {
      await before();
      return agent.lock(id, options);
    },
    unlock: async (id: string) => {
      await before();
      return agent.unlock(id);
    },
  };
  const services = { lockWaits: new LockWaits() };
  const parts = { manager, services, contextId: "plan", agentId: "ann", agent: () => interrupted };
  return { ...parts, signal: AbortSignal.abort() } as unknown as Call;
}

describe("a lock that goes while it is renewed or released", () => {
  async function withLock(run: (manager: AsyncSharedContextManager, token: number) => Promise<void>): Promise<void> {
    await using manager = await openManager("memory:");
    await manager.create("plan", {});
    await manager.lock("plan", "ann", { ttlMs: 5_000 });
    await run(manager, (await manager.get("plan"))?.lock?.token ?? expect.fail("no lock"));
  }
  const broken = (manager: AsyncSharedContextManager) => () => manager.forceUnlock("plan", { reason: "test" });
  const taken = (manager: AsyncSharedContextManager) => async () => {
    await broken(manager)();
    await manager.lock("plan", "bob");
  };

  it("to another is LEASE_LOST", async () => {
    await withLock(async (manager, token) => {
      const renewal = renewLock(callOn(manager, taken(manager)), token, 5_000);
      await expect(renewal).rejects.toMatchObject({ code: "LEASE_LOST", details: { owner: "bob" } });
    });
    await withLock(async (manager, token) => {
      const release = releaseLock(callOn(manager, taken(manager)), token);
      await expect(release).rejects.toMatchObject({ code: "LEASE_LOST", details: { owner: "bob" } });
      expect((await manager.get("plan"))?.lockedBy).toBe("bob");
    });
  });

  it("to nobody is LEASE_LOST too, and no new lock is left behind", async () => {
    await withLock(async (manager, token) => {
      const renewal = renewLock(callOn(manager, broken(manager)), token, 5_000);
      await expect(renewal).rejects.toMatchObject({ code: "LEASE_LOST", details: { owner: "ann" } });
      expect((await manager.get("plan"))?.lockedBy).toBeNull();
    });
  });
});

describe("whoever waits for a lock", () => {
  it("is told when others wait in the process of the server and it is free", async () => {
    await using manager = await openManager("memory:");
    await manager.create("plan", {});
    const call = { ...callOn(manager, () => Promise.resolve()), agent: () => ({ lock: () => Promise.resolve(false) }) };
    const taking = takeLock(call as unknown as Call, { ttlMs: 100, timeoutMs: 0 });
    await expect(taking).rejects.toMatchObject({ code: "TIMEOUT", details: { holder: null } });
  });

  it("stops when the caller goes", async () => {
    await using manager = await openManager("memory:");
    await manager.create("plan", {});
    await manager.lock("plan", "bob");
    const taking = takeLock(
      callOn(manager, () => Promise.resolve()),
      { ttlMs: 100, timeoutMs: 60_000 },
    );
    await expect(taking).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("what a transaction has written", () => {
  it("is found in the history when somebody has written since, and shown as it was when it is kept no longer", async () => {
    await using manager = await openManager("memory:", { historyLimit: 1 });
    const first = await manager.create("plan", { step: 1 });
    const second = await manager.update("plan", { step: 2 }, first);
    await manager.update("plan", { step: 3 }, second);
    expect((await committed(manager, second)).data).toEqual({ step: 2 });
    expect(await committed(manager, first)).toBe(first);
    await manager.delete("plan");
    expect(await committed(manager, first)).toBe(first);
  });
});

describe("an Idempotency-Key", () => {
  it("also replays an answer without a body", async () => {
    await using api = await openApi();
    await api.manager.create("plan", {});
    const headers = { "if-match": "*", "idempotency-key": "1" };
    expect((await api.send("DELETE", "/v1/contexts/plan", { headers })).status).toBe(204);
    const replayed = await api.send("DELETE", "/v1/contexts/plan", { headers });
    expect([replayed.status, replayed.headers.get("idempotency-replayed")]).toEqual([204, "true"]);
  });

  it("that comes twice at once is tried twice when the first is refused", async () => {
    await using api = await openApi();
    await api.manager.create("plan", {});
    const sent = { body: { context_id: "plan", data: {} }, headers: { "idempotency-key": "1" } };
    const answers = await Promise.all([api.send("POST", "/v1/contexts", sent), api.send("POST", "/v1/contexts", sent)]);
    expect(answers.map(({ status }) => status)).toEqual([409, 409]);
  });

  it("is forgotten, the oldest first, when the answers grow too large", async () => {
    const idempotency = new Idempotency();
    let runs = 0;
    const once = async (key: string): Promise<void> => {
      const text = "x".repeat(12 * 1024 ** 2);
      await idempotency.once("ann", key, [key], () => {
        runs += 1;
        return Promise.resolve(new Response(text));
      });
    };
    for (const key of ["1", "2", "2", "3", "3", "1"]) await once(key);
    expect(runs).toBe(4);
  });
});

describe("requests", () => {
  it("that are refused say what came, and never much of it", async () => {
    await using api = await openApi();
    await api.manager.create("plan", {});
    const long = { "if-match": "x".repeat(61) };
    expect((await api.send("PUT", "/v1/contexts/plan", { body: {}, headers: long })).body.detail).toContain(
      "received 61 characters",
    );
    const list = { body: [1], headers: { "if-match": "*" } };
    expect((await api.send("PUT", "/v1/contexts/plan", list)).body.detail).toContain("received an array");
    const untyped = { body: "{}", headers: { "if-match": "*", "content-type": "" } };
    expect((await api.send("PUT", "/v1/contexts/plan", untyped)).body.detail).toContain("received none");
    expect((await api.send("OPTIONS", "/nothing")).headers.get("allow")).toBe("OPTIONS");
  });

  it("are counted for many callers without keeping them all", () => {
    const rate = new RateLimit(1);
    for (let caller = 0; caller <= 10_000; caller++) rate.take(String(caller));
    expect(() => [rate.take("10000"), rate.take("10000")]).toThrow("more than 1 requests a second");
    expect(() => [rate.take("0"), rate.take("0")]).not.toThrow();
  });

  it("need no options but a manager", async () => {
    await using manager = await openManager("memory:");
    const handler = createHandler({ manager });
    expect((await handler(new Request("http://localhost/readyz"))).status).toBe(200);
    await manager.close();
    expect((await handler(new Request("http://localhost/readyz"))).status).toBe(503);
  });
});

describe("an event stream", () => {
  it("tells that the storage fails, and ends", async () => {
    const fails = (): never => {
      throw new ContextError("UNAVAILABLE", { reason: "no answer" });
    };
    const options = { filter: undefined, place: undefined, coalesce: false, heartbeatMs: 1_000 };
    let ends = 0;
    const onEnd = (): void => void (ends += 1);
    const broken = { stats: fails } as unknown as AsyncSharedContextManager;
    const stream = changeStream(broken, { ...options, signal: new AbortController().signal, onEnd });
    const text = await new Response(stream).text();
    expect(text).toContain('event: problem\ndata: {"type":"/openapi.json#/x-error-codes/UNAVAILABLE"');
    expect([text.includes("id:"), ends]).toEqual([false, 1]);
  });

  it("is cut off when its reader does not read", { timeout: 20_000 }, async () => {
    await using manager = await openManager("memory:");
    await using server = await serve({ manager, port: 0, graceMs: 100, writeTimeoutMs: 50 });
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write("GET /v1/changes HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.pause();
    await expect.poll(async () => (await manager.stats()).watchers).toBe(1);
    for (let index = 0; index < 200; index++) await manager.create(`c${index}`, { text: "x".repeat(100_000) });
    await expect.poll(async () => (await manager.stats()).watchers, { timeout: 5_000 }).toBe(0);
    socket.destroy();
  });
});

describe("a tokens file", () => {
  const hash = "0".repeat(64);
  it.each([
    ["that is not there", undefined, "ENOENT"],
    ["with a token that is none", [null], "token 1: expected a name"],
    ["with an agent that is none", [{ name: "ci", hash, agentId: 1 }], "expected agentId"],
    ["with rights that are none", [{ name: "ci", hash, agentId: null, rights: "all" }], "expected rights"],
  ])("%s is refused", (_what, content, reason) => {
    const path = join(mkdtempSync(join(folder, "tokens-")), "tokens.json");
    if (content !== undefined) writeFileSync(path, JSON.stringify(content));
    expect(() => readTokens(path)).toThrow(reason);
  });
});
