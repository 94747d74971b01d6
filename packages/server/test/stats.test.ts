/** `/v1/identity` and `/v1/stats`: who asks, who waits, and which conflicts there were. */

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { hashOf, serve, tokensOf, type TokenRecord } from "shared-context-server";
import { openManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { ConflictLog } from "../src/conflict-log.ts";
import { type Api, etagIn, openApi } from "./support.ts";

const PATCH_TYPE = "application/vnd.shared-context.operations+json";

function as(agentId: string, more: Record<string, string> = {}): { headers: Record<string, string> } {
  return { headers: { "x-agent-id": agentId, ...more } };
}

async function stats(api: Api): Promise<any> {
  const { status, body } = await api.send("GET", "/v1/stats");
  expect(status).toBe(200);
  return body;
}

describe("GET /v1/identity", () => {
  it("tells the name, the agent and the rights of the token, and nothing to whoever has none", async () => {
    const record: TokenRecord = { name: "ci", agentId: "ci-bot", rights: "read", hash: hashOf("secret") };
    await using api = await openApi({ tokens: tokensOf([record]) });
    const known = await api.send("GET", "/v1/identity", { headers: { authorization: "Bearer secret" } });
    expect([known.status, known.body]).toEqual([200, { name: "ci", agent_id: "ci-bot", rights: "read" }]);
    expect((await api.send("GET", "/v1/identity")).status).toBe(401);
    expect((await api.send("GET", "/v1/stats")).status).toBe(401);
  });

  it("calls whoever uses a server without tokens local, with all rights", async () => {
    await using api = await openApi();
    const { body } = await api.send("GET", "/v1/identity");
    expect(body).toEqual({ name: "local", agent_id: null, rights: "admin" });
  });
});

describe("GET /v1/stats", () => {
  it("tells who waits for a lock over HTTP and in queues of the manager, for as long as they do", async () => {
    await using api = await openApi();
    await api.manager.create("plan", {});
    const held = await api.send("POST", "/v1/contexts/plan/lock", as("ann"));
    const lock = { ...as("bob"), body: { timeout_ms: 5_000 } };
    const waiting = api.send("POST", "/v1/contexts/plan/lock", lock);
    const inside = api.manager.agent("cyd").acquire("plan");
    const queue = { context_id: "plan", waiting: 2, agents: ["cyd", "bob"] };
    await expect.poll(async () => (await stats(api)).queues).toEqual([queue]);
    const token = String(held.headers.get("lock-token"));
    await api.send("DELETE", "/v1/contexts/plan/lock", as("ann", { "lock-token": token }));
    await (await inside).release();
    expect((await waiting).status).toBe(200);
    const { queues, totals } = await stats(api);
    expect([queues, totals.lock_waits]).toEqual([[], 2]);
    const metrics = await api.send("GET", "/metrics");
    expect(metrics.body).toContain("shared_context_lock_waits_total 2\n");
  });

  it("keeps the conflicts that agents meet, by path, the newest first, and counts them for each agent", async () => {
    await using api = await openApi();
    await api.manager.create("plan", { step: 1, title: "a" });
    const first = etagIn(await api.send("GET", "/v1/contexts/plan"));
    const set = (agentId: string, path: string, value: unknown) =>
      api.send("PATCH", "/v1/contexts/plan", {
        ...as(agentId, { "if-match": first }),
        type: PATCH_TYPE,
        body: [{ op: "set", path, value }],
      });
    expect((await set("ann", "/step", 2)).status).toBe(200);
    expect((await set("bob", "/step", 3)).status).toBe(412);
    const replaced = { ...as("bob", { "if-match": first }), body: { step: 9, title: "b" } };
    expect((await api.send("PUT", "/v1/contexts/plan", replaced)).status).toBe(412);
    await expect.poll(async () => (await stats(api)).agents).toEqual([{ agent_id: "bob", conflicts: 2 }]);
    const { conflicts, totals } = await stats(api);
    expect(totals).toMatchObject({ conflicts: 2 });
    const shared = { context_id: "plan", agent_id: "bob", expected: "1", version: "2", more: 0 };
    expect(conflicts).toMatchObject([
      { ...shared, id: 2, conflicts: [{ path: "/step", base: 1, yours: 9, theirs: 2 }] },
      { ...shared, id: 1, conflicts: [{ path: "/step", base: 1, yours: 3, theirs: 2 }] },
    ]);
    expect(Date.now() - Date.parse(conflicts[0].at)).toBeLessThan(60_000);
  });

  it("tells of a replacement inside a transaction where it differs, as of one by itself", async () => {
    await using api = await openApi();
    await api.manager.agent("ann").create("plan", { step: 1, title: "a" });
    await api.manager.agent("ann").patch("plan", { step: 2 });
    const steps = [
      { do: "create", context_id: "other", data: {} },
      { do: "update", context_id: "plan", if_match: "1.1", data: { step: 9, title: "b" } },
    ];
    expect((await api.send("POST", "/v1/transactions", { ...as("bob"), body: { steps } })).status).toBe(412);
    await expect.poll(async () => (await stats(api)).conflicts).toHaveLength(1);
    const [{ conflicts }] = (await stats(api)).conflicts;
    expect(conflicts).toEqual([{ path: "/step", base: 1, yours: 9, theirs: 2 }]);
  });

  it("tells of a replacement whose base is not kept where it differs, and of nothing that is the same", async () => {
    await using api = await openApi({}, { historyLimit: 1 });
    await api.manager.agent("ann").create("plan", { a: 1, b: 1, "c/d": 1 });
    for (const a of [2, 3, 4]) await api.manager.agent("ann").patch("plan", { a });
    const body = { a: 9, b: 1 };
    const stale = { ...as("bob", { "if-match": '"1.1"' }), body };
    expect((await api.send("PUT", "/v1/contexts/plan", stale)).status).toBe(412);
    await expect.poll(async () => (await stats(api)).conflicts).toHaveLength(1);
    const [{ conflicts }] = (await stats(api)).conflicts;
    expect(conflicts).toEqual([
      { path: "/a", yours: 9, theirs: 4 },
      { path: "/c~1d", theirs: 1 },
    ]);
  });

  it("knows the conflicts of agents that come over MCP", async () => {
    await using manager = await openManager("memory:");
    await using server = await serve({ manager, port: 0, graceMs: 100 });
    const client = new Client({ name: "test", version: "1.0.0" });
    const headers = { "x-agent-id": "mia" };
    await client.connect(new StreamableHTTPClientTransport(new URL(`${server.url}/mcp`), { requestInit: { headers } }));
    const call = async (name: string, input: object): Promise<any> =>
      (await client.callTool({ name, arguments: { ...input } })).structuredContent;
    const { version } = await call("context_create", { id: "plan", data: { step: 1 } });
    await manager.agent("ann").patch("plan", { step: 2 });
    const write = { id: "plan", base_version: version, merge_patch: { step: 3 } };
    expect(await call("context_write", write)).toMatchObject({ isError: true });
    const whole = { id: "plan", base_version: version, replace_all: { step: 4 } };
    expect(await call("context_write", whole)).toMatchObject({ isError: true });
    const told = await (await fetch(`${server.url}/v1/stats`)).json();
    expect(told).toMatchObject({
      agents: [{ agent_id: "mia", conflicts: 2 }],
      conflicts: [
        { agent_id: "mia", conflicts: [{ path: "/step", base: 1, yours: 4, theirs: 2 }] },
        { agent_id: "mia", conflicts: [{ path: "/step", base: 1, yours: 3, theirs: 2 }] },
      ],
    });
    await client.close();
  });
});

describe("what is kept of conflicts", () => {
  async function conflictOf(length: number, paths: number): Promise<unknown> {
    await using manager = await openManager("memory:");
    const fields = (value: string) => Object.fromEntries(Array.from({ length: paths }, (_, at) => [`f${at}`, value]));
    const base = await manager.agent("ann").create("plan", fields("a"));
    await manager.agent("ann").update("plan", fields("b".repeat(length)), base);
    const refused = manager.agent("bob").patch("plan", fields("c"), base);
    return await refused.catch((error: unknown) => error);
  }

  it("is short, whatever was written", async () => {
    const log = new ConflictLog();
    log.note("bob", await conflictOf(1_000_000, 30));
    const [met] = log.latest;
    expect(met).toMatchObject({ more: 10, conflicts: { length: 20 } });
    expect(met?.conflicts[0]).toMatchObject({ base: "a", yours: "c", shortened: ["theirs"] });
    expect(met?.conflicts[0]?.theirs).toMatch(/^"b{499}…$/);
    expect(JSON.stringify(log.latest).length).toBeLessThan(20_000);
  });

  it("is the latest hundred and never much, and the counts go on", async () => {
    const log = new ConflictLog();
    const [small, large] = [await conflictOf(1, 1), await conflictOf(1_000, 20)];
    for (let count = 0; count < 150; count++) log.note("bob", small);
    expect([log.latest.length, log.latest[0]?.id, log.counts.get("bob")]).toEqual([100, 150, 150]);
    for (let count = 0; count < 150; count++) log.note(`agent ${count}`, large);
    expect(JSON.stringify(log.latest).length).toBeLessThan(110_000);
    for (let count = 0; count < 1_100; count++) log.note(`other ${count}`, small);
    expect([log.counts.size, log.counts.get("other 1099"), log.counts.get("bob")]).toEqual([1_000, 1, undefined]);
  });

  it("is not looked up for more than fifty in a second", () => {
    const log = new ConflictLog();
    const allowed = (nowMs: number) => Array.from({ length: 60 }, () => log.maySearch(nowMs)).filter(Boolean).length;
    expect([allowed(500), allowed(900), allowed(1_000)]).toEqual([50, 0, 50]);
  });

  it("is nothing of other refusals", () => {
    const log = new ConflictLog();
    log.note("bob", new Error("no conflict"));
    expect([log.latest, log.counts.size]).toEqual([[], 0]);
  });
});
