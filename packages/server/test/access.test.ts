import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ERROR_CODES } from "shared-context-manager";
import { hashOf, type TokenRecord, type Tokens, tokensOf } from "shared-context-server";
import { ROUTES } from "../src/routes.ts";
import { VERSION } from "../src/version.ts";
import { openApi, requestOf } from "./support.ts";

function known(...records: Omit<TokenRecord, "hash">[]): Tokens {
  return tokensOf(
    records.map((record) => ({ ...record, hash: hashOf(`secret of ${record.name}`.replaceAll(" ", "-")) })),
  );
}

function bearer(name: string, more: Record<string, string> = {}): { headers: Record<string, string> } {
  return { headers: { authorization: `Bearer secret-of-${name}`, ...more } };
}

const TOKENS = known(
  { name: "reader", agentId: null, rights: "read" },
  { name: "writer", agentId: null, rights: "write" },
  { name: "ann", agentId: "ann", rights: "write" },
  { name: "root", agentId: null, rights: "admin" },
);

describe("tokens", () => {
  it("are asked for everywhere but where the server tells how it is", async () => {
    await using api = await openApi({ tokens: TOKENS });
    for (const { method, path, right } of ROUTES) {
      const { status, headers } = await api.send(method, path.replace("{id}", "plan"));
      expect(status, `${method} ${path}`).toBe(right === null ? 200 : 401);
      if (right !== null) expect(headers.get("www-authenticate")).toBe("Bearer");
    }
    for (const authorization of ["Bearer wrong", "Basic YTpi", "Bearer", "secret-of-root"]) {
      expect((await api.send("GET", "/v1/contexts", { headers: { authorization } })).status).toBe(401);
    }
  });

  it("allow what their rights say", async () => {
    await using api = await openApi({ tokens: TOKENS });
    const body = { context_id: "plan", data: {} };
    expect(await api.send("POST", "/v1/contexts", { body, ...bearer("reader") })).toMatchObject({
      status: 403,
      body: { code: "FORBIDDEN", details: { needed: "write", rights: "read" } },
    });
    expect((await api.send("POST", "/v1/contexts", { body, ...bearer("writer") })).status).toBe(201);
    expect((await api.send("GET", "/v1/contexts/plan", bearer("reader"))).status).toBe(200);
    const force = "/v1/contexts/plan/lock?force=true&reason=x";
    expect((await api.send("DELETE", force, bearer("writer"))).status).toBe(403);
    expect((await api.send("DELETE", force, bearer("root"))).status).toBe(204);
  });

  it("say who acts: the agent they are bound to, else the one that is named, else the name of the token", async () => {
    await using api = await openApi({ tokens: TOKENS });
    const writer = async (name: string, more: Record<string, string>): Promise<unknown> => {
      const body = { context_id: crypto.randomUUID(), data: {} };
      const { status, body: made } = await api.send("POST", "/v1/contexts", { body, ...bearer(name, more) });
      return made.updated_by ?? status;
    };
    expect(await writer("ann", {})).toBe("ann");
    expect(await writer("ann", { "x-agent-id": "ann" })).toBe("ann");
    expect(await writer("ann", { "x-agent-id": "bob" })).toBe(403);
    expect(await writer("writer", { "x-agent-id": "bob" })).toBe("bob");
    expect(await writer("writer", {})).toBe("writer");
    for (const id of ["%ff", "%00", "x".repeat(513)]) expect(await writer("writer", { "x-agent-id": id })).toBe(400);
  });

  it("are limited in how often they ask, each by itself", async () => {
    await using api = await openApi({ tokens: TOKENS, requestsPerSecond: 1 });
    const ask = async (name: string): Promise<number> => (await api.send("GET", "/v1/contexts", bearer(name))).status;
    expect([await ask("reader"), await ask("reader")]).toEqual([200, 200]);
    const limited = await api.send("GET", "/v1/contexts", bearer("reader"));
    expect(limited).toMatchObject({ status: 429, body: { code: "RATE_LIMITED", retryable: true } });
    expect(limited.headers.get("retry-after")).toBe("1");
    expect(await ask("root")).toBe(200);
  });
});

describe("hosts and origins", () => {
  const ask = async (headers: Record<string, string>, host = "localhost"): Promise<Response> => {
    await using api = await openApi({ origins: ["https://app.example"] });
    return await api.handler(new Request(`http://${host}/v1/contexts`, { headers }));
  };

  it("are checked on every route", async () => {
    await using api = await openApi();
    for (const { method, path } of ROUTES) {
      const url = path.replace("{id}", "plan");
      const elsewhere = await api.handler(new Request(`http://evil.example${url}`, { method }));
      const evil = await api.handler(requestOf(method, url, { headers: { origin: "https://evil.example" } }));
      expect([elsewhere.status, evil.status], `${method} ${path}`).toEqual([403, 403]);
      expect(evil.headers.has("access-control-allow-origin")).toBe(false);
    }
  });

  it("are those of the own machine, of its own pages, and those that are named", async () => {
    for (const host of ["localhost", "127.0.0.1:7411", "[::1]:7411"]) expect((await ask({}, host)).status).toBe(200);
    expect((await ask({ origin: "http://localhost:80" })).status).toBe(200);
    expect((await ask({ origin: "http://localhost:81" })).status).toBe(403);
    expect((await ask({ origin: "null" })).status).toBe(403);
    const named = await ask({ origin: "https://app.example" });
    expect(named.status).toBe(200);
    expect(named.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect((await ask({ origin: "https://evil.example" })).headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("are told before a browser sends the request", async () => {
    await using api = await openApi({ origins: ["https://app.example"] });
    const headers = { origin: "https://app.example" };
    const asked = await api.handler(requestOf("OPTIONS", "/v1/contexts/plan", { headers }));
    expect(asked.status).toBe(204);
    expect(asked.headers.get("access-control-allow-methods")).toBe("GET, PUT, PATCH, DELETE, HEAD");
    expect((await api.handler(requestOf("OPTIONS", "/v1/contexts/plan"))).headers.get("allow")).toContain("PUT");
  });
});

describe("what is no route", () => {
  it("is 404, and a method that a path does not take 405 with those that it does", async () => {
    await using api = await openApi();
    for (const path of ["/v1", "/v2", "/v1/contexts/a/b", "/v1/contexts/a/lock/x", "/V1/contexts", "/v1/changes/"]) {
      expect(await api.send("GET", path)).toMatchObject({ status: 404, body: { code: "NO_ROUTE" } });
    }
    const refused = await api.send("PUT", "/v1/contexts");
    expect(refused).toMatchObject({ status: 405, body: { code: "METHOD_NOT_ALLOWED" } });
    expect(refused.headers.get("allow")).toBe("GET, POST, DELETE, HEAD");
  });
});

describe("bodies", () => {
  it("are read up to a limit, and must be UTF-8", async () => {
    await using api = await openApi({ limits: { maxBodyBytes: 50 } });
    const post = async (body: RequestInit["body"] & (string | Uint8Array | ReadableStream)): Promise<unknown> => {
      const init = { method: "POST", body, duplex: "half", headers: { "content-type": "application/json" } };
      const response = await api.handler(new Request("http://localhost/v1/contexts", init));
      return [response.status, ((await response.json()) as { code: string }).code];
    };
    expect(await post("x".repeat(51))).toEqual([413, "BODY_TOO_LARGE"]);
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(20)) });
    expect(await post(endless)).toEqual([413, "BODY_TOO_LARGE"]);
    expect(await post(new Uint8Array([0xff]))).toEqual([400, "INVALID"]);
  });

  it("nested deeper than the store takes are refused with a reason", async () => {
    await using api = await openApi();
    for (const [open, close] of [
      ['{"a":', "}"],
      ["[", "]"],
    ] as const) {
      for (const depth of [500, 5_000, 100_000]) {
        const deep = `${open.repeat(depth)}1${close.repeat(depth)}`;
        const made = await api.send("POST", "/v1/contexts", {
          body: `{"context_id":"${open.length}${depth}","data":{"a":${deep}}}`,
        });
        expect([201, 400], String(depth)).toContain(made.status);
        const headers = { "if-match": "*" };
        const patch = { body: `{"a":${deep}}`, type: "application/merge-patch+json", headers };
        expect([200, 400, 404], String(depth)).toContain(
          (await api.send("PATCH", `/v1/contexts/${open.length}${depth}`, patch)).status,
        );
        expect([200, 404]).toContain((await api.send("GET", `/v1/contexts/${open.length}${depth}/blame`)).status);
      }
    }
    expect(api.failures).toEqual([]);
  });
});

describe("history, blame and restore", () => {
  it("tell the past and bring it back", async () => {
    await using api = await openApi();
    const first = await api.manager.agent("ann").create("plan", { a: 1 }, { note: "start" });
    await api.manager.agent("bob").update("plan", { a: 1, b: 2 }, first);
    const { body: history } = await api.send("GET", "/v1/contexts/plan/history");
    expect(history.versions).toMatchObject([
      { version: "1", data: { a: 1 } },
      { version: "2", updated_by: "bob" },
    ]);
    const { body: blame } = await api.send("GET", "/v1/contexts/plan/blame");
    expect(blame.lines).toMatchObject([
      { path: "/a", version: "1", agent_id: "ann", note: "start", or_earlier: false },
      { path: "/b", version: "2", agent_id: "bob", note: null },
    ]);
    const restore = async (version: unknown, match?: string, token?: string): Promise<unknown> => {
      const headers: Record<string, string> = match === undefined ? {} : { "if-match": match };
      if (token !== undefined) headers["lock-token"] = token;
      const { status, body } = await api.send("POST", "/v1/contexts/plan/restore", { body: { version }, headers });
      return [status, body.code ?? body.data];
    };
    expect(await restore("1")).toEqual([428, "PRECONDITION_REQUIRED"]);
    expect(await restore("1", '"1.1"')).toEqual([412, "CONFLICT"]);
    expect(await restore("1", '"1.2"')).toEqual([200, { a: 1 }]);
    expect(await restore("2", "*")).toEqual([200, { a: 1, b: 2 }]);
    expect(await restore("9", '"1.4"')).toEqual([404, "NOT_FOUND"]);
    expect(await restore(2, "*")).toEqual([400, "INVALID"]);
    expect(await restore("1", "*", "77")).toEqual([412, "LEASE_LOST"]);
    const { body: lock } = await api.send("POST", "/v1/contexts/plan/lock");
    expect(await restore("1", "*", String(lock.lock_token))).toEqual([200, { a: 1 }]);
    for (const part of ["history", "blame"]) {
      expect((await api.send("GET", `/v1/contexts/none/${part}`)).status).toBe(404);
    }
    const none = { body: { version: "1" }, headers: { "if-match": '"1.1"' } };
    expect((await api.send("POST", "/v1/contexts/none/restore", none)).body).toMatchObject({
      details: { context_id: "none" },
    });
  });
});

describe("/openapi.json", () => {
  it("describes every route of the table and no other, and every code", async () => {
    await using api = await openApi();
    const { body } = await api.send("GET", "/openapi.json");
    const described = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual(ROUTES.map(({ method, path }) => `${method} ${path}`).sort());
    expect(Object.keys(body["x-error-codes"])).toEqual(expect.arrayContaining(Object.keys(ERROR_CODES)));
    const references = JSON.stringify(body).matchAll(/"#\/components\/schemas\/(\w+)"/g);
    const names = Object.keys(body.components.schemas);
    for (const [, name] of references) expect(names).toContain(name);
    const ids = ROUTES.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(body.info.version).toBe(VERSION);
  });

  it("has the version of the package", () => {
    const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as object;
    expect(manifest).toMatchObject({ version: VERSION });
  });
});

describe("how the server is", () => {
  it("is told to probes and to Prometheus", async () => {
    await using api = await openApi();
    await api.manager.create("plan", {});
    await api.send("GET", "/v1/contexts/none");
    expect((await api.send("GET", "/healthz")).body).toEqual({ status: "ok" });
    expect((await api.send("GET", "/readyz")).body).toEqual({ status: "ready" });
    const { body } = await api.send("GET", "/metrics");
    expect(body).toContain("shared_context_writes_total 1\n");
    expect(body).toContain('shared_context_http_requests_total{operation="getContext",status="404"} 1\n');
    expect(body).toContain('shared_context_http_request_duration_seconds_bucket{operation="getContext",le="+Inf"} 1\n');
    for (const line of String(body).trim().split("\n"))
      expect(line).toMatch(/^(# (HELP|TYPE) .+|[a-z_]+(\{.*\})? [\d.]+)$/);
    await api.manager.close();
    expect((await api.send("GET", "/readyz")).status).toBe(503);
  });

  it("tells nothing of what has failed, but to its log", async () => {
    await using api = await openApi();
    const fails = (): Promise<never> => Promise.reject(new Error("the secret is 42"));
    const broken = new Proxy(api.manager, {
      get: (manager, name) => {
        const value: unknown = name === "get" ? fails : Reflect.get(manager, name, manager);
        return typeof value === "function" ? value.bind(manager) : value;
      },
    });
    await using other = await openApi({ manager: broken });
    const failed = await other.send("GET", "/v1/contexts/plan");
    expect(failed).toMatchObject({ status: 500, body: { code: "INTERNAL" } });
    expect(JSON.stringify(failed.body)).not.toContain("42");
    expect(String(other.failures)).toContain("42");
  });
});
