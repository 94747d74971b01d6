import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { commandLine, type Given, type Outcome } from "./command-line.ts";
import { hasSqlite } from "./runtime.ts";

const { folder, newStore, run } = commandLine();

interface Serving {
  readonly url: string;
  readonly token: string | null;
  readonly mcp: string;
  stop(): Promise<Outcome>;
}

async function serving(store: string, args: string[] = [], given: Given = {}): Promise<Serving> {
  const stop = new AbortController();
  let outcome: Promise<Outcome> | undefined;
  const line = await new Promise<string>((resolve, reject) => {
    outcome = run(store, ["serve", "--port", "0", "--json", ...args], {
      ...given,
      signal: stop.signal,
      onData: (text) => text.endsWith("\n") && resolve(text),
    });
    outcome.then(({ stderr }) => reject(new Error(stderr)), reject);
  });
  const { url, token, mcp } = JSON.parse(line) as Serving;
  return {
    url,
    token,
    mcp,
    stop: async () => {
      stop.abort();
      return (await outcome) ?? expect.fail();
    },
  };
}

describe.runIf(hasSqlite)("serve", () => {
  it("makes a token, serves, and ends with 0", async () => {
    const store = newStore();
    const server = await serving(store);
    expect(server.mcp).toBe(`${server.url}/mcp`);
    const env = { SHARED_CONTEXT_TOKEN: server.token ?? "" };
    expect((await run(server.url, ["create", "plan", "{}", "--as", "ünal"], { env })).stderr).toContain("by ünal");
    expect((await run(server.url, ["ls"], { env: {} })).code).toBe(7);
    expect((await run(server.url, ["ls", "--token", server.token ?? ""])).stdout).toContain("plan");
    expect(await server.stop()).toMatchObject({ code: 0, stderr: "" });
  });

  it("takes a token that is given, and those of a file with their rights", async () => {
    const path = join(folder, "known.json");
    const added = await run("", ["token", "add", "ci", "--rights", "read", "--tokens", path]);
    const server = await serving(newStore(), ["--tokens", path]);
    expect(server.token).toBeNull();
    const env = { SHARED_CONTEXT_TOKEN: added.stdout.trim() };
    expect((await run(server.url, ["create", "plan", "{}"], { env })).code).toBe(7);
    expect((await run(server.url, ["ls"], { env })).code).toBe(0);
    await server.stop();
    const given = await serving(newStore(), ["--token", "sixteen-letters-", "--rate", "100", "--max-body", "100"]);
    expect(given.token).toBe("sixteen-letters-");
    const large = [
      "create",
      "plan",
      JSON.stringify({ text: "x".repeat(100) }),
      "--token",
      "sixteen-letters-",
      "--json",
    ];
    expect(JSON.parse((await run(given.url, large)).stderr)).toMatchObject({ code: "BODY_TOO_LARGE" });
    await given.stop();
  });

  it("tells people the URL, the token, a first request and how to stop", async () => {
    const stop = new AbortController();
    const told = await run(newStore(), ["serve", "--port", "0"], { signal: stop.signal, onData: () => stop.abort() });
    expect(told).toMatchObject({ code: 0, stdout: expect.stringMatching(/^url {4}.*http:\/\/127\.0\.0\.1:\d+/) });
    expect(told.stderr).toContain("curl -H");
    expect(told.stderr).toContain("Ctrl-C");
    const found = (pattern: RegExp): string => pattern.exec(told.stdout)?.[1] ?? expect.fail(told.stdout);
    const [url, token] = [found(/(http[\w:/.]+)/), found(/^token {2}(\S+)$/m)];
    const [snippet = ""] = /^\{$.*^\}$/ms.exec(told.stderr) ?? [];
    expect(JSON.parse(snippet)).toEqual({
      mcpServers: {
        "shared-context": { type: "http", url: `${url}/mcp`, headers: { Authorization: `Bearer ${token}` } },
      },
    });
  });

  it("shows its store without the password", async () => {
    const stop = new AbortController();
    const store = "memory://:p@ss@127.0.0.1:7399/a@b";
    const told = await run(store, ["serve", "--port", "0"], { signal: stop.signal, onData: () => stop.abort() });
    expect(told.stderr).toContain("store  memory://***@127.0.0.1:7399/a@b\n");
  });

  it("opens itself to others with a token that somebody has chosen, wherever it was named", async () => {
    const path = join(folder, "admin.json");
    await run("", ["token", "add", "admin", "--rights", "admin", "--tokens", path]);
    await (await serving("memory:", ["--host", "0.0.0.0", "--tokens", path])).stop();
    const env = { SHARED_CONTEXT_TOKEN: "sixteen-letters-" };
    const server = await serving("memory:", ["--host", "0.0.0.0"], { env });
    expect(server.token).toBe("sixteen-letters-");
    await server.stop();
  });

  it("asks for what it could use", async () => {
    const refused = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await run("memory:", ["serve", "--port", "0", ...args]);
      expect([args, code]).toEqual([args, 2]);
      return stderr;
    };
    expect(await refused("--token", "with space and more")).toContain("without spaces");
    expect(await refused("--rate", "0")).toContain("--rate: expected a whole number from 1");
    for (const origin of ["foo", "https://example.com/", "https://example.com:443", "null"]) {
      expect(await refused("--allow-origin", origin)).toContain("origins such as https://example.com");
    }
    for (const host of ["http://x", "example.com:80", "a b"]) {
      expect(await refused("--allow-host", host)).toContain("names of hosts such as contexts.example.com");
    }
    const args = [
      "--allow-host",
      "Contexts.example.com,[::2]",
      "--allow-origin",
      "https://a.example,app-extension://id",
    ];
    await (await serving("memory:", args)).stop();
  });

  it("says what to do when the port is taken, or the address is not of this machine", async () => {
    const server = await serving("memory:");
    const taken = await run("memory:", ["serve", "--port", new URL(server.url).port]);
    expect(taken).toMatchObject({ code: 2, stderr: expect.stringMatching(/^USAGE: --port \d+: something listens on/) });
    await server.stop();
    const elsewhere = ["serve", "--port", "0", "--host", "192.0.2.1", "--token", "sixteen-letters-"];
    expect(await run("memory:", elsewhere)).toMatchObject({ code: 2, stderr: expect.stringContaining("192.0.2.1") });
  });

  it("serves the file of the nearest folder upwards, else one of this folder", async () => {
    const [upper] = [mkdtempSync(join(folder, "upper-"))];
    const inner = join(upper, "inner");
    mkdirSync(inner);
    expect((await run("", ["ls"], { cwd: inner })).code).toBe(0);
    expect(existsSync(join(inner, ".shared-context", "contexts.db"))).toBe(true);
    await run("", ["create", "plan", "{}"], { cwd: inner });
    const below = join(inner, "below");
    mkdirSync(below);
    expect((await run("", ["ls"], { cwd: below })).stdout).toContain("plan");
    expect(existsSync(join(below, ".shared-context"))).toBe(false);
    expect((await run("", ["token", "add", "ci"], { cwd: below })).code).toBe(0);
    expect((await run("", ["token", "ls"], { cwd: inner })).stdout).toContain("ci");
    const server = await serving("", [], { cwd: below });
    expect(server.token).toBeNull();
    await server.stop();
  });
});

describe.runIf(hasSqlite)("messages", () => {
  it("show on a terminal how far an import has come", async () => {
    const lines = Array.from({ length: 20 }, (_, index) => JSON.stringify({ context_id: `c${index}`, data: {} }));
    const store = newStore();
    const imported = await run(store, ["import"], { stdin: lines.join("\n"), isTTY: true });
    expect(imported.stderr).toContain(`[${"#".repeat(24)}] 20 of 20 imported\n`);
    const file = join(folder, "lines.jsonl");
    writeFileSync(file, lines.map((line) => line.replace(':"c', ':"d')).join("\n\n"));
    expect((await run(store, ["import", file], { isTTY: false })).stderr).toBe("20 imported, 0 were there already\n");
  });

  it("tell what else answers at the URL of a server", async () => {
    const { createServer } = await import("node:http");
    const other = createServer((_request, response) => response.writeHead(404).end("not here"));
    await new Promise<void>((resolve) => {
      other.listen(0, "127.0.0.1", resolve);
    });
    const address = other.address();
    const port = typeof address === "object" ? address?.port : undefined;
    expect(await run(`http://127.0.0.1:${port}`, ["get", "plan"])).toMatchObject({
      code: 8,
      stderr: expect.stringContaining("no server of this kind: it answered 404"),
    });
    other.close();
  });
});
