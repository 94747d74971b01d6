/** What people paste from the page of MCP works as it stands there. */

import { readFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { Client, StreamableHTTPClientTransport, type Transport } from "@modelcontextprotocol/client";
import { StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { openManager } from "shared-context-manager";
import { hashOf, serve, tokensOf } from "shared-context-server";
import { describe, expect, it } from "vitest";
import { commandLineOf, main } from "../src/cli/main.ts";
import { commandLine } from "./command-line.ts";
import { hasSqlite } from "./runtime.ts";

const { folder, newStore, run } = commandLine();

const page = readFileSync(new URL("../../../docs/mcp.md", import.meta.url), "utf8");
const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  name: string;
  bin: Record<string, string>;
};

interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface Address {
  readonly type: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

function blocks(language: string): string[] {
  return Array.from(page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms")), ([, text = ""]) => text);
}

const [program, address] = blocks("json").map(
  (text) => (JSON.parse(text) as { mcpServers: Record<string, unknown> }).mcpServers["shared-context"],
) as [Program, Address];

/** The tools that a client gets to see. */
async function toolsOver(transport: Transport): Promise<string[]> {
  const client = new Client({ name: "test", version: "1.0.0" });
  await client.connect(transport);
  const { tools } = await client.listTools();
  await client.close();
  return tools.map(({ name }) => name);
}

describe("the settings on the page of MCP", () => {
  it.runIf(hasSqlite)("start the program that serves on standard input and output", async () => {
    const [yes, name, ...args] = program.args;
    expect([program.command, yes, name]).toEqual(["npx", "-y", manifest.name]);
    // What npx runs is what has the name of the package.
    expect(Object.keys(manifest.bin)).toContain(manifest.name);
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const env = { ...program.env, SHARED_CONTEXT_STORE: newStore() };
    expect(Object.keys(program.env)).toEqual(["SHARED_CONTEXT_STORE"]);
    expect(program.env["SHARED_CONTEXT_STORE"]).toMatch(/^sqlite:/);
    const argv = commandLineOf(["node", `/bin/${name}`, ...args]);
    const { signal } = new AbortController();
    const ended = main(argv, { stdin, stdout, stderr, env, cwd: folder, signal });
    expect(await toolsOver(new StdioServerTransport(stdout, stdin))).toContain("context_write");
    stdin.end();
    expect(await ended).toBe(0);
  });

  it("say the same in TOML", () => {
    const [text = ""] = blocks("toml");
    const valueOf = (key: string): string => new RegExp(`^${key} = (.*)$`, "m").exec(text)?.[1] ?? "";
    expect(text).toContain("[mcp_servers.shared-context]");
    expect(JSON.parse(valueOf("command"))).toBe(program.command);
    expect(JSON.parse(valueOf("args"))).toEqual(program.args);
    const pairs = Object.entries(program.env).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
    expect(valueOf("env")).toBe(`{ ${pairs.join(", ")} }`);
  });

  it("reach a server that runs, and are what serve prints", async () => {
    const token = "a-secret-for-tests";
    await using manager = await openManager("memory:");
    const tokens = tokensOf([{ name: "ann", agentId: "ann", rights: "write", hash: hashOf(token) }]);
    await using server = await serve({ manager, tokens, port: 0, graceMs: 100 });
    const url = new URL(new URL(address.url).pathname, server.url);
    const headers = { Authorization: address.headers["Authorization"]?.replace("TOKEN", token) ?? "" };
    const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers } });
    expect(await toolsOver(transport)).toContain("context_write");

    const stop = new AbortController();
    const serving = run("memory:", ["serve", "--port", "0", "--token", token], {
      signal: stop.signal,
      onData: (text) => void (text.includes("token") && setImmediate(() => stop.abort())),
    });
    const { stderr } = await serving;
    const [, snippet = ""] = /^mcp {4}.*?\n(\{.*?^\})$/ms.exec(stderr) ?? [];
    const printed = (JSON.parse(snippet) as { mcpServers: Record<string, Address> }).mcpServers["shared-context"];
    expect(printed).toEqual({
      ...address,
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/mcp$/),
      headers: { Authorization: `Bearer ${token}` },
    });
  });
});
