/** The MCP server, seen by the official client: in memory, over stdio, and over HTTP, in both protocol eras. */

import { PassThrough } from "node:stream";
import { Client, InMemoryTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { type JsonObject, openManager, SharedContextManager } from "shared-context-manager";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createMcpHttp, createMcpServer, type McpManager, runStdio } from "../src/mcp/index.ts";

const URL_OF_SERVER = "http://localhost/mcp";
const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function later<T extends { close(): unknown }>(one: T): T {
  cleanUps.push(() => one.close());
  return one;
}

function client(mode: "legacy" | "auto"): Client {
  return later(new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode } }));
}

async function overMemory(manager: McpManager): Promise<Client> {
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  const server = later(createMcpServer(manager, { agentId: "ann" }));
  await server.connect(theirs);
  const connected = client("legacy");
  await connected.connect(ours);
  return connected;
}

/** Stdio without a process: the same lines through two pipes. */
async function overPipes(manager: McpManager, mode: "legacy" | "auto"): Promise<Client> {
  const [input, output] = [new PassThrough(), new PassThrough()];
  later(runStdio(manager, { agentId: "ann", transport: new StdioServerTransport(input, output) }));
  const connected = client(mode);
  await connected.connect(new StdioServerTransport(output, input));
  return connected;
}

async function overHttp(manager: McpManager, mode: "legacy" | "auto"): Promise<Client> {
  const http = later(createMcpHttp(manager));
  const fetch = async (url: string | URL, init?: RequestInit): Promise<Response> =>
    http.fetch(new Request(url, init), { agentId: "ann" });
  const connected = client(mode);
  await connected.connect(new StreamableHTTPClientTransport(new URL(URL_OF_SERVER), { fetch }));
  return connected;
}

async function call(connected: Client, name: string, input: JsonObject): Promise<JsonObject> {
  const { structuredContent, content, isError = false } = await connected.callTool({ name, arguments: input });
  const [first] = content as { text: string }[];
  expect(JSON.parse(first?.text ?? "")).toEqual(structuredContent);
  expect(isError).toBe((structuredContent as JsonObject)["isError"] ?? false);
  return structuredContent as JsonObject;
}

const ways: [name: string, connect: (manager: McpManager) => Promise<Client>, listens: boolean][] = [
  ["in memory", overMemory, true],
  ["stdio, protocol of 2025", (manager) => overPipes(manager, "legacy"), true],
  ["stdio, protocol of 2026", (manager) => overPipes(manager, "auto"), true],
  ["HTTP, protocol of 2025", (manager) => overHttp(manager, "legacy"), false],
  ["HTTP, protocol of 2026", (manager) => overHttp(manager, "auto"), true],
];

describe.each(ways)("MCP, %s", (_name, connect, listens) => {
  it("offers the tools with schemas and hints, and runs them in the name of its agent", async () => {
    const manager = new SharedContextManager();
    const connected = await connect(manager);
    const { tools } = await connected.listTools();
    expect(tools).toHaveLength(8);
    expect(tools.every(({ outputSchema }) => outputSchema?.["type"] === "object")).toBe(true);
    const hints = Object.fromEntries(tools.map(({ name, annotations }) => [name, annotations]));
    expect(hints["context_read"]).toMatchObject({ readOnlyHint: true, openWorldHint: false });
    expect(hints["context_write"]).toMatchObject({ readOnlyHint: false, destructiveHint: true });
    const { version } = await call(connected, "context_create", { id: "plan", data: { step: 1 } });
    const write = { id: "plan", base_version: version as string, merge_patch: { step: 2 } };
    await call(connected, "context_write", write);
    expect(manager.get("plan")).toMatchObject({ data: { step: 2 }, updatedBy: "ann" });
    manager.agent("bob").patch("plan", { step: 3 });
    const conflict = await call(connected, "context_write", write);
    expect(conflict).toMatchObject({ isError: true, code: "CONFLICT", conflicts: [{ path: "/step", theirs: 3 }] });
  });

  it("answers wrong input with a result that says what to do", async () => {
    const connected = await connect(new SharedContextManager());
    const result = await call(connected, "context_write", { id: 3 });
    expect(result).toMatchObject({ isError: true, code: "INVALID", next: expect.any(String) });
    expect(result["message"]).toContain("id: expected a string; received 3");
    await expect(connected.callTool({ name: "context_drop", arguments: {} })).rejects.toThrow("context_drop");
  });

  it("keeps a claim from one request to the next, and lets it go with the write", async () => {
    const manager = new SharedContextManager();
    manager.create("plan", { step: 1 });
    const connected = await connect(manager);
    const { version } = await call(connected, "context_claim", { id: "plan" });
    expect(manager.get("plan")?.lockedBy).toBe("ann");
    const write = { id: "plan", base_version: version as string, merge_patch: { step: 2 }, release: true };
    expect(await call(connected, "context_write", write)).toMatchObject({ released: true });
    expect(manager.get("plan")?.lockedBy).toBeNull();
  });

  it("has every context as a resource", async () => {
    const manager = new SharedContextManager();
    const id = "a plan/of 100 %";
    manager.create(id, { step: 1 });
    const connected = await connect(manager);
    const { resources } = await connected.listResources();
    expect(resources).toMatchObject([{ name: id, uri: `context://${encodeURIComponent(id)}` }]);
    const { contents } = await connected.readResource({ uri: resources[0]?.uri ?? "" });
    const [first] = contents as { text: string }[];
    expect(JSON.parse(first?.text ?? "")).toMatchObject({ id, data: { step: 1 } });
    await expect(connected.readResource({ uri: "context://none" })).rejects.toThrow(/none/);
  });

  it("promises no updates but those that it sends", async () => {
    const connected = await connect(new SharedContextManager());
    expect(connected.getServerCapabilities()).toMatchObject({
      tools: { listChanged: false },
      resources: { subscribe: listens, listChanged: listens },
    });
  });
});

describe.each(ways.filter(([, , listens]) => listens))("MCP, %s", (name, connect) => {
  it("tells of changes that others make", async () => {
    const manager = await openManager("memory:");
    later(manager);
    await manager.create("plan", { step: 1 });
    const connected = await connect(manager);
    const [updates, lists]: [string[], string[]] = [[], []];
    connected.setNotificationHandler("notifications/resources/updated", ({ params }) => void updates.push(params.uri));
    connected.setNotificationHandler("notifications/resources/list_changed", ({ method }) => void lists.push(method));
    if (name.includes("2026")) {
      later(await connected.listen({ resourceSubscriptions: ["context://plan"], resourcesListChanged: true }));
    } else await connected.subscribeResource({ uri: "context://plan" });
    await manager.agent("bob").patch("plan", { step: 2 });
    await manager.create("other", {});
    await vi.waitFor(() => expect(lists).toHaveLength(1), 5_000);
    expect(updates).toEqual(["context://plan"]);
  });
});

it("MCP, HTTP, protocol of 2025: refuses who wants to hear of changes", async () => {
  const connected = await overHttp(new SharedContextManager(), "legacy");
  await expect(connected.subscribeResource({ uri: "context://plan" })).rejects.toThrow(/not (found|support)/i);
});

it("completes ids, leaves out those that no URI can carry, and forgets what is unsubscribed", async () => {
  const manager = new SharedContextManager();
  for (const id of ["plan-a", "plan-b", "other", "", "\ud800"]) manager.create(id, {});
  const connected = await overMemory(manager);
  const { resources } = await connected.listResources();
  expect(resources.map(({ name }) => name)).toEqual(["plan-a", "plan-b", "other"]);
  const ref = { type: "ref/resource", uri: "context://{id}" } as const;
  const { completion } = await connected.complete({ ref, argument: { name: "id", value: "plan" } });
  expect(completion.values).toEqual(["plan-a", "plan-b"]);
  const updates: string[] = [];
  connected.setNotificationHandler("notifications/resources/updated", ({ params }) => void updates.push(params.uri));
  await connected.subscribeResource({ uri: "context://plan-a" });
  await connected.subscribeResource({ uri: "context://plan-b" });
  await connected.unsubscribeResource({ uri: "context://plan-a" });
  manager.agent("bob").patch("plan-a", { step: 1 });
  manager.agent("bob").patch("plan-b", { step: 1 });
  manager.lock("plan-b", "bob");
  manager.clear();
  await vi.waitFor(() => expect(updates).toEqual(["context://plan-b"]));
});

it("a caller who may only read gets only the tools that read", async () => {
  const http = later(createMcpHttp(new SharedContextManager()));
  const reader = client("auto");
  const fetch = async (url: string | URL, init?: RequestInit): Promise<Response> =>
    http.fetch(new Request(url, init), { agentId: "guest", readOnly: true });
  await reader.connect(new StreamableHTTPClientTransport(new URL(URL_OF_SERVER), { fetch }));
  const { tools } = await reader.listTools();
  expect(tools.map(({ name }) => name)).toEqual(["context_list", "context_read", "context_wait", "context_history"]);
});
