/** `shared-context mcp --store http://...`: stdio servers of several clients that share the store of one HTTP server. */

import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { hashOf, type TokenRecord, tokensOf } from "shared-context-server";
import { afterEach, describe, expect, it, vi } from "vitest";
import { main } from "../src/cli/main.ts";
import { served, type Served } from "./client-support.ts";
import { commandLine } from "./command-line.ts";
import { canRunSources } from "./runtime.ts";

const { folder, run } = commandLine();

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const record = (name: string, rights: TokenRecord["rights"], agentId: string | null = null): TokenRecord => ({
  name,
  agentId,
  rights,
  hash: hashOf(`token-of-${name}`),
});
const tokens = tokensOf([record("team", "write"), record("ann", "write", "ann"), record("guest", "read")]);

async function start(): Promise<Served> {
  const server = await served("memory:", { tokens });
  cleanUps.push(() => server.close());
  return server;
}

type Era = "legacy" | "auto";

function client(mode: Era): Client {
  const made = new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode } });
  cleanUps.push(() => made.close());
  return made;
}

const environment = (url: string, token: string): Record<string, string> => ({
  SHARED_CONTEXT_STORE: url,
  SHARED_CONTEXT_TOKEN: `token-of-${token}`,
});

/** A process, as a client starts it. */
async function inProcess(url: string, mode: Era): Promise<Client> {
  const { PATH = "", HOME = "" } = process.env;
  const program = fileURLToPath(new URL("../src/bin.ts", import.meta.url));
  const args = ["--import", new URL("sources.mjs", import.meta.url).href, program, "mcp"];
  const env = { PATH, HOME, ...environment(url, "team") };
  const connected = client(mode);
  await connected.connect(
    new StdioClientTransport({ command: process.execPath, args, env, cwd: folder, stderr: "pipe" }),
  );
  return connected;
}

/** The same command in this process, through two pipes. */
async function inPipes(url: string, token: string, args: string[] = []): Promise<Client> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const { signal } = new AbortController();
  const ended = main(["mcp", ...args], { stdin, stdout, stderr, env: environment(url, token), cwd: folder, signal });
  cleanUps.push(async () => {
    stdin.end();
    expect(await ended).toBe(0);
  });
  const connected = client("auto");
  await connected.connect(new StdioServerTransport(stdout, stdin));
  return connected;
}

async function call(connected: Client, name: string, input: Record<string, unknown>): Promise<Record<string, unknown>> {
  return (await connected.callTool({ name, arguments: input })).structuredContent as Record<string, unknown>;
}

describe("stdio servers on one HTTP server", () => {
  it.runIf(canRunSources)(
    "merge each other's writes, see each other's claims, and tell of everybody's changes",
    { timeout: 30_000 },
    async () => {
      const { url, store } = await start();
      const [one, other] = [await inProcess(url, "auto"), await inProcess(url, "legacy")];
      const data = { step: 1, title: "x" };
      const { version: base_version } = await call(one, "context_create", { id: "plan", data });
      const updates: [who: string, uri: string][] = [];
      for (const [who, connected] of [["one", one] as const, ["other", other] as const]) {
        connected.setNotificationHandler("notifications/resources/updated", ({ params }) => {
          updates.push([who, params.uri]);
        });
      }
      await one.listen({ resourceSubscriptions: ["context://plan"] });
      await other.subscribeResource({ uri: "context://plan" });

      expect(await call(one, "context_claim", { id: "plan" })).toMatchObject({ claimed: true });
      const write = { id: "plan", base_version, merge_patch: { title: "y" } };
      expect(await call(other, "context_write", write)).toMatchObject({ isError: true, code: "LOCKED" });
      const waiting = call(other, "context_wait", { id: "plan", unlocked: true });
      const step = { id: "plan", base_version, merge_patch: { step: 2 }, release: true };
      expect(await call(one, "context_write", step)).toMatchObject({ released: true });
      expect(await waiting).toMatchObject({ done: true });
      expect(await call(other, "context_write", write)).toMatchObject({ merged: true });
      expect(await call(one, "context_read", { id: "plan" })).toMatchObject({ data: { step: 2, title: "y" } });

      await store.agent("operator").patch("plan", { step: 3 }); // by nobody's stdio server
      const heard = (who: string): number => updates.filter(([one]) => one === who).length;
      await vi.waitFor(() => expect([heard("one"), heard("other")]).toEqual([3, 3]), 5_000);
      expect(new Set(updates.map(([, uri]) => uri))).toEqual(new Set(["context://plan"]));
      expect(await other.readResource({ uri: "context://plan" })).toMatchObject({
        contents: [{ text: expect.stringContaining('"step":3') }],
      });
    },
  );

  it("act as the agent that the token is bound to, or as whoever is named, or as one of their own", async () => {
    const { url, store } = await start();
    const clients = [
      await inPipes(url, "ann"),
      await inPipes(url, "team", ["--as", "bob"]),
      await inPipes(url, "team"),
    ];
    for (const [index, connected] of clients.entries()) {
      await call(connected, "context_create", { id: `plan-${index}`, data: {} });
    }
    const writers = await Promise.all([0, 1, 2].map(async (index) => (await store.get(`plan-${index}`))?.updatedBy));
    expect(writers).toEqual(["ann", "bob", expect.stringMatching(/^mcp-[0-9a-f]{8}$/)]);
  });

  it("say what is wrong before they serve: no server, no token, another's token", async () => {
    const { url } = await start();
    const refusals: [store: string, env: Record<string, string>, args: string[], message: string][] = [
      ["http://127.0.0.1:9", {}, [], "no server answers at http://127.0.0.1:9"],
      [url, {}, [], "expected the header Authorization"],
      [url, environment(url, "ann"), ["--as", "bob"], "this token is bound to the agent ann"],
    ];
    for (const [store, env, args, message] of refusals) {
      const refused = await run(store, ["mcp", ...args], { env });
      expect(refused).toMatchObject({ stdout: "", stderr: expect.stringContaining(message) });
      expect(refused.code).not.toBe(0);
    }
  });

  it("answer with what to do when the token may only read, and while the server is away", async () => {
    const server = await start();
    await server.store.create("plan", { step: 1 });
    const guest = await inPipes(server.url, "guest");
    const forbidden = await call(guest, "context_create", { id: "mine", data: {} });
    expect(forbidden).toMatchObject({ isError: true, next: expect.stringContaining("Report") });
    const team = await inPipes(server.url, "team");
    const { version: base_version } = await call(team, "context_read", { id: "plan" });
    await server.stop();
    for (const [name, input] of [
      ["context_read", { id: "plan" }],
      ["context_list", {}],
      ["context_create", { id: "new", data: {} }],
      ["context_write", { id: "plan", base_version, merge_patch: { step: 2 } }],
      ["context_wait", { id: "plan", since: base_version }],
      ["context_claim", { id: "plan" }],
      ["context_history", { id: "plan" }],
      ["context_release", { id: "plan" }],
    ] as const) {
      const away = await call(team, name, input);
      expect(away, name).toMatchObject({ isError: true, code: "UNAVAILABLE", next: expect.stringContaining("Wait") });
    }
    await server.restart();
    expect(await call(team, "context_read", { id: "plan" })).toMatchObject({ data: { step: 1 } });
  });
});
