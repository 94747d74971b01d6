/** MCP over the standard input and output of real processes that share one store. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterEach, describe, expect, it, vi } from "vitest";

const runsTypeScript = (process.features as { typescript?: unknown }).typescript === "strip";
const sources = (path: string): string => new URL(`../../${path}`, import.meta.url).href;

/** The processes run on the sources, as these tests do. */
const HOOK = `
  import { registerHooks } from "node:module";
  const sources = {
    "shared-context-manager": ${JSON.stringify(sources("manager/src/index.ts"))},
    "shared-context-manager/tools": ${JSON.stringify(sources("manager/src/tools.ts"))},
  };
  registerHooks({ resolve: (name, context, next) => next(sources[name] ?? name, context) });
`;
const PROGRAM = `
  const { openManager } = await import("shared-context-manager");
  const { runStdio } = await import(${JSON.stringify(sources("server/src/mcp/index.ts"))});
  const [url, agentId] = process.argv.slice(1);
  runStdio(await openManager(url), { agentId, onError: (error) => console.error(error) });
`;

const folder = mkdtempSync(join(tmpdir(), "mcp-"));
const clients: Client[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  rmSync(folder, { recursive: true, force: true });
});

async function start(agentId: string, mode: "legacy" | "auto"): Promise<Client> {
  const hook = `data:text/javascript,${encodeURIComponent(HOOK)}`;
  const options = ["--disable-warning=ExperimentalWarning", "--import", hook, "--input-type=module", "--eval", PROGRAM];
  const args = [...options, "--", `sqlite:${join(folder, "contexts.db")}`, agentId];
  const client = new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode } });
  clients.push(client);
  await client.connect(new StdioClientTransport({ command: process.execPath, args, cwd: import.meta.dirname }));
  return client;
}

async function call(client: Client, name: string, input: Record<string, unknown>): Promise<Record<string, unknown>> {
  return (await client.callTool({ name, arguments: input })).structuredContent as Record<string, unknown>;
}

describe.runIf(runsTypeScript)("two MCP servers on one SQLite file", () => {
  it(
    "merge each other's writes, see each other's claims, and tell of each other's changes",
    { timeout: 30_000 },
    async () => {
      const ann = await start("ann", "auto");
      const bob = await start("bob", "legacy");
      const { version: base_version } = await call(ann, "context_create", {
        id: "plan",
        data: { step: 1, title: "x" },
      });
      const updates: string[] = [];
      bob.setNotificationHandler("notifications/resources/updated", ({ params }) => void updates.push(params.uri));
      await bob.subscribeResource({ uri: "context://plan" });

      expect(await call(ann, "context_claim", { id: "plan" })).toMatchObject({ claimed: true });
      const write = { id: "plan", base_version, merge_patch: { title: "y" } };
      expect(await call(bob, "context_write", write)).toMatchObject({ isError: true, locked_by: "ann" });
      const waiting = call(bob, "context_wait", { id: "plan", unlocked: true });
      await call(ann, "context_write", { id: "plan", base_version, merge_patch: { step: 2 }, release: true });
      expect(await waiting).toMatchObject({ done: true });
      expect(await call(bob, "context_write", write)).toMatchObject({ merged: true });
      expect(await call(ann, "context_read", { id: "plan" })).toMatchObject({
        data: { step: 2, title: "y" },
        updated_by: "bob",
      });
      await vi.waitFor(() => expect(updates).toContain("context://plan"), 5_000);
    },
  );
});
