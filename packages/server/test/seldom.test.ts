/** What comes seldom: races inside one request, limits of what is kept, storages and clients that fail. */

import { mkdtempSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { ContextError, managerOver, openManager } from "shared-context-manager";
import { RemoteAgent } from "shared-context-manager/serving";
import { createHandler, readTokens, serve } from "shared-context-server";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../manager/src/clock.ts";
import { MemoryEngine } from "../../manager/src/engines/memory.ts";
import { EventStreams } from "../src/event-streams.ts";
import type { Reply } from "../src/exchange.ts";
import { Idempotency } from "../src/idempotency.ts";
import { LockWaits } from "../src/lock-waits.ts";
import { whenGranted } from "../src/locks.ts";
import { OperationLog } from "../src/operation-log.ts";
import { RateLimit } from "../src/rate.ts";
import type { Call } from "../src/route.ts";
import { committed } from "../src/step-conditions.ts";
import { commandLine } from "./command-line.ts";
import { openApi } from "./support.ts";

const { folder } = commandLine();

describe("whoever waits for a lock", () => {
  it("is told when others wait in the process of the server and it is free", async () => {
    await using api = await openApi();
    await api.manager.create("plan", {});
    const lease = await api.manager.agent("ann").acquire("plan");
    const waiting = api.manager.agent("bob").acquire("plan");
    await expect.poll(async () => (await api.manager.stats()).queues.length).toBe(1);
    // Not through the lease, which would hand it over.
    await api.manager.forceUnlock("plan", { reason: "test" });
    const [one, several] = await Promise.all([
      api.send("POST", "/v1/contexts/plan/lock", { headers: { "x-agent-id": "cyd" } }),
      api.send("POST", "/v1/locks", { headers: { "x-agent-id": "cyd" }, body: { context_ids: ["plan"] } }),
    ]);
    for (const { body } of [one, several]) expect(["TIMEOUT", "LOCKED"]).toContain(body.code);
    await (await waiting).release();
    await expect(lease.release()).rejects.toMatchObject({ code: "LEASE_LOST" });
  });

  it("stops when the caller goes", async () => {
    await using manager = await openManager("memory:");
    await manager.create("plan", {});
    await manager.lock("plan", "bob");
    const services = { lockWaits: new LockWaits() };
    const call = { manager, services, contextId: "plan", agentId: "ann", signal: AbortSignal.abort() };
    const agent = new RemoteAgent(manager, { agentId: "ann" });
    const taking = whenGranted(call as unknown as Call, 60_000, () => agent.lock("plan", 100));
    await expect(taking).rejects.toMatchObject({ name: "AbortError" });
    expect(services.lockWaits.queues([])).toEqual([]);
  });

  it("is told that the context is gone", async () => {
    await using api = await openApi();
    await api.manager.create("plan", {});
    await api.manager.lock("plan", "bob");
    const body = { ttl_ms: 100, timeout_ms: 5_000 };
    const taking = api.send("POST", "/v1/contexts/plan/lock", { headers: { "x-agent-id": "cyd" }, body });
    await expect.poll(async () => (await api.manager.stats()).watchers).toBe(1);
    await api.manager.delete("plan");
    await api.manager.create("plan", {});
    expect((await taking).body.locked_by).toBe("cyd");
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
    await using manager = await openManager("memory:");
    const idempotency = new Idempotency(new OperationLog(manager));
    let runs = 0;
    const once = async (key: string): Promise<void> => {
      const text = "x".repeat(12 * 1024 ** 2);
      const run = (): Promise<Reply> => {
        runs += 1;
        return Promise.resolve({ status: 200, headers: {}, body: text });
      };
      await idempotency.once({ who: "ann", key, request: [key], isGuarded: true, run, replay: run });
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
    expect((await api.send("PUT", "/v1/contexts/plan", list)).body.detail).toContain("received an array of 1");
    const many = { body: { steps: Array.from({ length: 101 }, () => ({ do: "get", context_id: "plan" })) } };
    expect((await api.send("POST", "/v1/transactions", many)).body.detail).toContain(
      "expected a list of 1 to 100 steps; received an array of 101",
    );
    const none = { body: { context_ids: [] }, headers: { "x-agent-id": "ann" } };
    expect((await api.send("POST", "/v1/locks", none)).body.detail).toContain("at least one; received an array of 0");
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
    const streams = new EventStreams(1, 1_000);
    const memory = new MemoryEngine(systemClock, { historyLimit: 1, changeLogLimit: 1 });
    await using broken = await managerOver(Object.assign(memory, { list: fails }));
    const stream = streams.open(broken, { filter: undefined, place: undefined, coalesce: false });
    let text = "";
    await stream.pour((chunk) => void (text += String(chunk)));
    expect(text).toContain('event: problem\ndata: {"type":"/openapi.json#/x-error-codes/UNAVAILABLE"');
    expect([text.includes("id:"), streams.size]).toEqual([false, 0]);
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
