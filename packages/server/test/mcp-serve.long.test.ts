/** MCP as people start it: at `/mcp` of a server on a port, and as `shared-context mcp`, seen by the official client. */

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { type AsyncSharedContextManager, openManager } from "shared-context-manager";
import { hashOf, serve, type ServeOptions, type Server, type TokenRecord, tokensOf } from "shared-context-server";
import { afterEach, describe, expect, it, vi } from "vitest";
import { commandLine } from "./command-line.ts";
import { canRunSources, hasSqlite } from "./runtime.ts";

const { folder, newStore, run } = commandLine();

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function later<One extends { close(): unknown }>(one: One): One {
  cleanUps.push(() => one.close());
  return one;
}

type Era = "legacy" | "auto";

function client(mode: Era): Client {
  return later(new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode } }));
}

async function call(connected: Client, name: string, input: Record<string, unknown>): Promise<Record<string, unknown>> {
  return (await connected.callTool({ name, arguments: input })).structuredContent as Record<string, unknown>;
}

const record = (name: string, rights: TokenRecord["rights"], agentId: string | null = null): TokenRecord => ({
  name,
  agentId,
  rights,
  hash: hashOf(`token-of-${name}`),
});
const tokens = tokensOf([record("admin", "admin"), record("ann", "write", "ann"), record("guest", "read")]);

async function start(
  options: Partial<ServeOptions> = {},
): Promise<{ manager: AsyncSharedContextManager; server: Server }> {
  const manager = later(await openManager("memory:"));
  const server = later(await serve({ port: 0, graceMs: 500, tokens, ...options, manager }));
  return { manager, server };
}

async function connect(
  { url }: Server,
  name: string,
  mode: Era,
  headers: Record<string, string> = {},
): Promise<Client> {
  const connected = client(mode);
  const requestInit = { headers: { authorization: `Bearer token-of-${name}`, ...headers } };
  await connected.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit }));
  return connected;
}

describe.each<Era>(["legacy", "auto"])("/mcp of a server, versions negotiated: %s", (mode) => {
  it("acts as the agent of the token, or as the one that X-Agent-Id names", async () => {
    const { manager, server } = await start();
    const ann = await connect(server, "ann", mode);
    await call(ann, "context_create", { id: "plan", data: { step: 1 } });
    expect((await manager.get("plan"))?.updatedBy).toBe("ann");
    const bob = await connect(server, "admin", mode, { "x-agent-id": "b%C3%B6b" });
    const { version: base_version } = await call(bob, "context_read", { id: "plan" });
    await call(bob, "context_write", { id: "plan", base_version, merge_patch: { step: 2 } });
    expect(await manager.get("plan")).toMatchObject({ updatedBy: "böb", data: { step: 2 } });
  });

  it("gives a token that may only read only what reads", async () => {
    const { server } = await start();
    const guest = await connect(server, "guest", mode);
    const { tools } = await guest.listTools();
    expect(tools.every(({ annotations }) => annotations?.readOnlyHint === true)).toBe(true);
    await expect(call(guest, "context_create", { id: "plan", data: {} })).rejects.toThrow("context_create");
  });

  it("refuses whoever has no token", async () => {
    const { server } = await start();
    await expect(connect(server, "nobody", mode)).rejects.toThrow(/401|Unauthorized/i);
  });
});

describe("/mcp of a server", () => {
  const initialize = {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } },
  };
  const post = async (
    { url }: Server,
    headers: Record<string, string> = {},
    body: unknown = initialize,
  ): Promise<Response> =>
    fetch(`${url}/mcp`, {
      method: "POST",
      headers: {
        authorization: "Bearer token-of-admin",
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...headers,
      },
      body: JSON.stringify(body),
    });

  it("refuses the pages of others, other hosts, and who asks too often", async () => {
    const { server } = await start({ requestsPerSecond: 2, origins: ["https://friend.example"] });
    const refused = await post(server, { origin: "https://evil.example" });
    expect([refused.status, await refused.json()]).toMatchObject([403, { code: "FORBIDDEN" }]);
    const anonymous = await post(server, { authorization: "" });
    expect([anonymous.status, anonymous.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    const friend = await post(server, { origin: "https://friend.example" });
    expect([friend.status, friend.headers.get("access-control-allow-origin")]).toEqual([200, "https://friend.example"]);
    const statuses = await Promise.all(Array.from({ length: 6 }, async () => (await post(server)).status));
    expect(statuses).toContain(429);
  });

  it("tells a browser of a friend what it takes, and others nothing", async () => {
    const { server } = await start({ origins: ["https://friend.example"] });
    const ask = async (origin: string): Promise<Response> =>
      fetch(`${server.url}/mcp`, { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } });
    const friend = await ask("https://friend.example");
    expect(friend.headers.get("access-control-allow-methods")).toBe("GET, POST, DELETE");
    expect(friend.headers.get("access-control-allow-headers")).toContain("mcp-protocol-version");
    expect((await ask("https://evil.example")).status).toBe(403);
  });

  it("takes no larger body than the rest of the server, and tells its metrics apart", async () => {
    const { server } = await start({ limits: { maxBodyBytes: 1_000 } });
    expect((await post(server, {}, { ...initialize, padding: "x".repeat(2_000) })).status).toBe(413);
    expect((await post(server)).status).toBe(200);
    const authorization = "Bearer token-of-admin";
    const metrics = await (await fetch(`${server.url}/metrics`, { headers: { authorization } })).text();
    expect(metrics).toContain('shared_context_http_requests_total{operation="mcp",status="200"} 1');
  });

  it("tells of changes, and ends what listens when the server stops", async () => {
    const { manager, server } = await start({ graceMs: 3_600_000 });
    await manager.create("plan", { step: 1 });
    const connected = await connect(server, "ann", "auto");
    const updates: string[] = [];
    connected.setNotificationHandler("notifications/resources/updated", ({ params }) => void updates.push(params.uri));
    await connected.listen({ resourceSubscriptions: ["context://plan"] });
    await manager.agent("bob").patch("plan", { step: 2 });
    await vi.waitFor(() => expect(updates).toEqual(["context://plan"]), 5_000);
    await server.close(); // not after an hour: nothing is left that it would wait for
    expect((await manager.get("plan"))?.version).toBe("2");
  });
});

describe("shared-context mcp", () => {
  const line = (message: object): string => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`;
  const initialize = line({
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } },
  });

  it("speaks the protocol on its streams, and nothing else, until its input ends or it is stopped", async () => {
    const stop = new AbortController();
    const onData = (): void => stop.abort();
    const told = await run("memory:", ["mcp"], { stdin: initialize, open: true, onData, signal: stop.signal });
    expect(told).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(told.stdout)).toMatchObject({ id: 1, result: { serverInfo: { name: "shared-context" } } });
    expect(await run("memory:", ["mcp"])).toEqual({ code: 0, stdout: "", stderr: "" });
    const nonsense = await run("memory:", ["mcp"], { stdin: '{"hello":1}\n' });
    expect(nonsense).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining("INTERNAL") });
  });

  const built = fileURLToPath(new URL("../dist/bin.js", import.meta.url));
  const sources = ["--import", new URL("sources.mjs", import.meta.url).href];
  const isBuilt = existsSync(built) && process.env["SHARED_CONTEXT_TARGET"] === "dist";
  if (!isBuilt)
    process.stderr.write("SHARED_CONTEXT_TARGET is not dist: shared-context mcp is not started from the build\n");
  const ways: [name: string, args: string[], canRun: boolean][] = [
    ["the build", [built], isBuilt],
    ["the sources", [...sources, fileURLToPath(new URL("../src/bin.ts", import.meta.url))], canRunSources],
  ];
  describe.each(ways)("as a process, from %s", (_name, program, canRun) => {
    it.runIf(hasSqlite && canRun).each<Era>(["legacy", "auto"])(
      "needs no flags, acts as an agent of its own, and shares the store, %s",
      { timeout: 30_000 },
      async (mode) => {
        const store = newStore();
        const { PATH = "", HOME = "" } = process.env;
        const env = { PATH, HOME, SHARED_CONTEXT_STORE: store };
        const [one, other] = [client(mode), client(mode)];
        for (const connected of [one, other]) {
          const args = [...program, "mcp"];
          await connected.connect(
            new StdioClientTransport({ command: process.execPath, args, env, cwd: folder, stderr: "pipe" }),
          );
        }
        const { version: base_version } = await call(one, "context_create", { id: "plan", data: { step: 1 } });
        await call(one, "context_claim", { id: "plan" });
        const write = { id: "plan", base_version, merge_patch: { step: 2 } };
        expect(await call(other, "context_write", write)).toMatchObject({ isError: true, code: "LOCKED" });
        expect(await call(one, "context_write", { ...write, release: true })).toMatchObject({ released: true });
        const { data, updated_by: by } = await call(other, "context_read", { id: "plan" });
        expect([data, by]).toEqual([{ step: 2 }, expect.stringMatching(/^mcp-[0-9a-f]{8}$/)]);
        expect((await run(store, ["get", "plan"])).stdout).toContain('"step": 2');
      },
    );
  });
});
