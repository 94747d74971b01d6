import { once } from "node:events";
import { connect } from "node:net";
import { openManager } from "shared-context-manager";
import { serve, type ServeOptions, type Server, tokensOf } from "shared-context-server";
import { describe, expect, it } from "vitest";

async function withServer(
  options: Partial<ServeOptions>,
  run: (server: Server, manager: ServeOptions["manager"]) => Promise<void>,
): Promise<void> {
  await using manager = await openManager("memory:");
  await using server = await serve({ port: 0, graceMs: 500, ...options, manager });
  await run(server, manager);
}

/** What the server answers to these bytes, until it closes the connection or has been quiet for a while. */
function raw(port: number, text: string, quietMs = 150): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text, "latin1"));
    let answer = "";
    socket.setTimeout(quietMs, () => socket.destroy());
    socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer));
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

describe("serve", () => {
  it("answers over HTTP, and tells its URL", async () => {
    await withServer({}, async ({ url, port }) => {
      expect(url).toBe(`http://127.0.0.1:${port}`);
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify({ context_id: "plan", data: { text: "ü" } });
      const made = await fetch(`${url}/v1/contexts`, { method: "POST", body, headers });
      expect([made.status, made.headers.get("etag")]).toEqual([201, '"1.1"']);
      expect(((await (await fetch(`${url}/v1/contexts/plan`)).json()) as { data: unknown }).data).toEqual({
        text: "ü",
      });
      const fresh = await fetch(`${url}/v1/contexts/plan`, { headers: { "if-none-match": '"1.1"' } });
      expect([fresh.status, await fresh.text()]).toEqual([304, ""]);
      expect((await fetch(`${url}/v1/contexts/plan`, { method: "HEAD" })).headers.get("etag")).toBe('"1.1"');
    });
  });

  it("refuses an address that others can reach, unless there are tokens", async () => {
    await using manager = await openManager("memory:");
    await expect(serve({ manager, port: 0, host: "0.0.0.0" })).rejects.toMatchObject({ code: "INVALID" });
    await using server = await serve({ manager, port: 0, host: "0.0.0.0", tokens: tokensOf([]) });
    expect((await fetch(`${server.url}/v1/contexts`)).status).toBe(401);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    await expect(serve({ manager, port: server.port, host: "0.0.0.0", tokens: tokensOf([]) })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
  });

  it("streams changes, and notices when the reader goes", async () => {
    await withServer({}, async ({ url }, manager) => {
      const gone = new AbortController();
      const response = await fetch(`${url}/v1/changes`, { signal: gone.signal });
      const reader = (response.body ?? expect.fail("no body")).getReader();
      await reader.read();
      await manager.create("plan", {});
      let text = "";
      while (!text.includes('"created"')) text += new TextDecoder().decode((await reader.read()).value);
      expect((await manager.stats()).watchers).toBe(1);
      gone.abort();
      await reader.read().catch(() => undefined);
      await expect.poll(async () => (await manager.stats()).watchers).toBe(0);
    });
  });

  it("stops gently: what waits is answered, streams end, and new requests are not taken", async () => {
    await withServer({}, async (server) => {
      const waiting = fetch(`${server.url}/v1/contexts/none/wait?timeout_ms=30000`);
      const stream = await fetch(`${server.url}/v1/changes`);
      await sleep(30);
      const closing = server.close();
      expect((await waiting).status).toBe(503);
      expect(await stream.text()).toContain("event: ready");
      await closing;
      await expect(fetch(`${server.url}/healthz`)).rejects.toThrow("fetch failed");
      await server.close();
    });
  });

  it("does not wait for ever for those that do not go", async () => {
    await withServer({ graceMs: 50 }, async (server) => {
      const socket = connect(server.port, "127.0.0.1", () =>
        socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n"),
      );
      socket.on("error", () => undefined);
      await sleep(20);
      await server.close();
      await expect.poll(() => socket.destroyed).toBe(true);
    });
  });

  it("takes so many connections and no more", async () => {
    await withServer({ maxConnections: 1 }, async ({ port }) => {
      const first = connect(port, "127.0.0.1");
      await sleep(20);
      expect(await raw(port, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")).toBe("");
      first.destroy();
    });
  });

  it("does not wait for slow clients", async () => {
    await withServer({ requestTimeoutMs: 60 }, async ({ port }) => {
      const answer = await raw(port, "POST /v1/contexts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n", 2_000);
      expect(answer).toMatch(/^HTTP\/1.1 408 /);
    });
  });
});

describe("what is no HTTP", () => {
  const GET = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
  const POST = "POST /v1/contexts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

  it.each([
    ["nonsense", "hello\r\n\r\n", 400],
    ["a TLS handshake", "\u0016\u0003\u0001\u0002\u0000\u0001\u0000", 400],
    ["no host", "GET /healthz HTTP/1.1\r\n\r\n", 400],
    ["a foreign host", "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403],
    ["a host that is none", "GET /healthz HTTP/1.1\r\nHost: a b/c\r\n\r\n", 400],
    ["a host with a user", "GET /healthz HTTP/1.1\r\nHost: localhost@evil.example\r\n\r\n", 400],
    ["a target of a proxy", "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400],
    ["OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400],
    ["TRACE", "TRACE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400],
    ["large headers", `${GET}X: ${"x".repeat(20_000)}\r\n\r\n`, 431],
    ["a header name with a space", `${GET}a b: c\r\n\r\n`, 400],
    ["two lengths", `${POST}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, 400],
    ["length and chunks", `${POST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ["a chunk that is none", `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, 400],
    ["a length that is none", `${POST}Content-Length: -1\r\n\r\n`, 400],
    ["a large body", `${POST}Content-Length: 2000000\r\n\r\n`, 413],
    ["a stray line break", "GET /v1/contexts/a\nb HTTP/1.1\r\nHost: localhost\r\n\r\n", 400],
  ])("%s is refused with a reason, and the server lives", async (_name, text, status) => {
    await withServer({}, async ({ port, url }) => {
      const answer = await raw(port, text);
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      if (status !== 400 || answer.includes("problem+json")) expect(answer).toContain('"detail":');
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
    });
  });

  /** Sends the parts one after the other as long as the connection is there, and gives what came back once it has ended. */
  async function sendAll(port: number, parts: Iterable<string>): Promise<string> {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
    socket.on("error", () => undefined);
    const closed = new Promise<void>((resolve) => {
      socket.on("close", () => resolve());
    });
    for (const part of parts) {
      if (socket.destroyed) break;
      if (!socket.write(part)) await Promise.race([closed, once(socket, "drain").catch(() => undefined)]);
    }
    await closed;
    return answer;
  }

  it.each([
    ["with its length", `Content-Length: 4000000\r\n\r\n${"x".repeat(4_000_000)}`],
    ["in chunks", `Transfer-Encoding: chunked\r\n\r\n3d0900\r\n${"x".repeat(4_000_000)}\r\n0\r\n\r\n`],
  ])("reads a large body to its end %s, so that whoever still sends gets the answer", async (_name, sent) => {
    await withServer({}, async ({ port }, manager) => {
      const accept = "Accept: application/json, text/event-stream\r\n";
      for (const head of [POST, `${POST.replace("/v1/contexts", "/mcp")}${accept}`]) {
        const next = `${GET}Connection: close\r\n\r\n`;
        const answer = await sendAll(port, [head, ...(sent.match(/[^]{1,65536}/g) ?? []), next]);
        expect([...answer.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status)).toEqual(["413", "200"]);
      }
      expect(await manager.listContexts()).toEqual([]);
    });
  });

  it("cuts off a body that does not end, and says nothing else after its refusal", async () => {
    function* endless(): Generator<string> {
      yield `${POST}Transfer-Encoding: chunked\r\n\r\n`;
      for (;;) yield `10000\r\n${"x".repeat(65_536)}\r\n`;
    }
    await withServer({ requestTimeoutMs: 300 }, async ({ port }) => {
      const answer = await sendAll(port, endless());
      expect([...answer.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status)).toEqual(["413"]);
    });
  });

  it("says how large headers may be", async () => {
    await withServer({}, async ({ port }) => {
      expect(await raw(port, `${GET}X: ${"x".repeat(20_000)}\r\n\r\n`)).toContain("at most 16 KiB are read");
    });
  });

  it("does nothing of a body that was cut off", async () => {
    await withServer({}, async ({ port }, manager) => {
      const body = '{"context_id":"a","data":{}}';
      const answer = await raw(port, `${POST}Content-Length: ${body.length + 5}\r\n\r\n${body}`, 50);
      expect(answer).toBe("");
      await sleep(10);
      expect(await manager.listContexts()).toEqual([]);
    });
  });

  it("answers pipelined requests in their order", async () => {
    await withServer({}, async ({ port }) => {
      const answer = await raw(port, `${GET}\r\nGET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      expect([...answer.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status)).toEqual(["200", "404"]);
    });
  });
});
