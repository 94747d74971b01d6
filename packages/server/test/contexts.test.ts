import { describe, expect, it } from "vitest";
import { etagIn, openApi } from "./support.ts";

const OPERATIONS = "application/vnd.shared-context.operations+json";
const MERGE = "application/merge-patch+json";

describe("POST /v1/contexts", () => {
  it("creates a context, and says where it is and what its ETag is", async () => {
    await using api = await openApi();
    const made = await api.send("POST", "/v1/contexts?note=go", {
      body: { context_id: "a/b", data: { step: 1 } },
      headers: { "x-agent-id": "ann" },
    });
    expect(made.status).toBe(201);
    expect(made.headers.get("location")).toBe("/v1/contexts/a%2Fb");
    expect(made.headers.get("etag")).toBe('"1.1"');
    expect(made.body).toMatchObject({
      context_id: "a/b",
      version: "1",
      incarnation: 1,
      revision: 1,
      data: { step: 1 },
      locked_by: null,
      updated_by: "ann",
      note: "go",
    });
    expect((await api.manager.get("a/b"))?.data).toEqual({ step: 1 });
  });

  it("refuses what is there already, and what is no context", async () => {
    await using api = await openApi({}, { maxContexts: 1, maxDataBytes: 100 });
    const body = { context_id: "plan", data: {} };
    expect((await api.send("POST", "/v1/contexts", { body })).status).toBe(201);
    expect(await api.send("POST", "/v1/contexts", { body })).toMatchObject({ status: 409, body: { code: "EXISTS" } });
    const refused = async (sent: unknown): Promise<unknown> => {
      const { status, body: problem } = await api.send("POST", "/v1/contexts", { body: sent });
      return [status, problem.code, problem.details.path];
    };
    expect(await refused({ context_id: "b", data: {} })).toEqual([507, "LIMIT", undefined]);
    expect(await refused({ context_id: "b", data: { a: "x".repeat(100) } })).toEqual([413, "TOO_LARGE", undefined]);
    expect(await refused({ data: {} })).toEqual([400, "INVALID", "/context_id"]);
    expect(await refused({ context_id: "b" })).toEqual([400, "INVALID", "/data"]);
    expect(await refused({ context_id: "b", data: [] })).toEqual([400, "INVALID", "/data"]);
    expect(await refused({ context_id: "b", data: {}, extra: 1 })).toEqual([400, "INVALID", "/extra"]);
    expect(await refused({ context_id: "", data: {} })).toEqual([400, "INVALID", ""]);
    expect(await refused([])).toEqual([400, "INVALID", ""]);
    expect(await refused("{")).toEqual([400, "INVALID", ""]);
  });

  it("reads JSON only, and says so", async () => {
    await using api = await openApi();
    const sent = { body: '{"context_id":"a","data":{}}', type: "application/x-www-form-urlencoded" };
    expect(await api.send("POST", "/v1/contexts", sent)).toMatchObject({
      status: 415,
      body: { code: "UNSUPPORTED_MEDIA_TYPE", detail: expect.stringContaining("application/json") },
    });
  });
});

describe("GET /v1/contexts", () => {
  it("lists by prefix, page by page, in the order of creation", async () => {
    await using api = await openApi();
    for (const id of ["a1", "b1", "a3", "a2"]) await api.manager.create(id, { id });
    const first = await api.send("GET", "/v1/contexts?prefix=a&limit=2");
    expect(first.body.contexts.map((context: { context_id: string }) => context.context_id)).toEqual(["a1", "a3"]);
    expect(first.body.contexts[0]).toMatchObject({ version: "1", bytes: 11 });
    expect(first.body.contexts[0]).not.toHaveProperty("data");
    const [, next = ""] = /<(.*)>; rel="next"/.exec(first.headers.get("link") ?? "") ?? [];
    const second = await api.send("GET", `${next}&data=true`);
    expect(second.body).toMatchObject({ contexts: [{ context_id: "a2", data: { id: "a2" } }], next: null });
    expect(second.headers.get("link")).toBeNull();
  });

  it.each(["limit=0", "limit=x", "limit=1001", "after=-1", "data=maybe", "prefixx=a", "prefix=a&prefix=b"])(
    "refuses ?%s",
    async (query) => {
      await using api = await openApi();
      expect(await api.send("GET", `/v1/contexts?${query}`)).toMatchObject({ status: 400, body: { code: "INVALID" } });
    },
  );
});

describe("GET /v1/contexts/{id}", () => {
  it("answers 200 with an ETag, 304 on If-None-Match, 404 when there is none", async () => {
    await using api = await openApi();
    await api.manager.create("plan", { step: 1 });
    const read = await api.send("GET", "/v1/contexts/plan");
    expect(read).toMatchObject({ status: 200, body: { context_id: "plan", data: { step: 1 } } });
    const etag = etagIn(read);
    const ask = async (tag: string): Promise<number> =>
      (await api.send("GET", "/v1/contexts/plan", { headers: { "if-none-match": tag } })).status;
    expect(await ask(etag)).toBe(304);
    expect(await ask(`W/${etag}`)).toBe(304);
    expect(await ask(`"9.9", ${etag}`)).toBe(304);
    expect(await ask("*")).toBe(304);
    expect(await ask('"9.9"')).toBe(200);
    expect(await ask("nonsense")).toBe(400);
    expect((await api.send("GET", "/v1/contexts/none")).body).toMatchObject({ code: "NOT_FOUND" });
    expect(await api.send("HEAD", "/v1/contexts/plan")).toMatchObject({ status: 200, body: expect.anything() });
  });

  it.each(["a b", "a/b", "ü", "😀", "..", ".", "%2e", "a?b#c", "-", "lock", "__proto__", '"', "\u0001"])(
    "takes the id %j, percent-encoded",
    async (id) => {
      await using api = await openApi();
      const made = await api.send("POST", "/v1/contexts", { body: { context_id: id, data: {} } });
      expect(made.status).toBe(201);
      const path = made.headers.get("location") ?? "";
      const read = await api.send("GET", path);
      expect(read).toMatchObject({ status: 200, body: { context_id: id } });
      const lock = path.includes("?")
        ? path.replace("?", "lock?").replace("contexts/lock", "contexts//lock")
        : `${path}/lock`;
      expect(await api.send("POST", lock)).toMatchObject({ status: 200, body: { context_id: id } });
    },
  );

  it.each([
    "/v1/contexts/%ff",
    "/v1/contexts/%00",
    "/v1/contexts/",
    "/v1/contexts/a?context_id=b",
    `/v1/contexts/${"x".repeat(513)}`,
  ])("refuses the path %s", async (path) => {
    await using api = await openApi();
    expect(await api.send("GET", path)).toMatchObject({ status: 400, body: { code: "INVALID" } });
  });

  it.each(["?context_id=%ff", "a?note=%ff", "a?note=50%"])("refuses a query that is no UTF-8: %s", async (path) => {
    await using api = await openApi();
    await api.manager.create("a", {});
    const { status, body } = await api.send("PUT", `/v1/contexts/${path}`, { body: {}, headers: { "if-match": "*" } });
    expect([status, body]).toMatchObject([400, { details: { argument: "query", expected: "percent-encoded UTF-8" } }]);
    expect((await api.manager.get("a"))?.version).toBe("1");
  });

  it("refuses a parameter that comes twice", async () => {
    await using api = await openApi();
    const listed = await api.send("GET", "/v1/contexts?limit=1&limit=2");
    expect(listed.body).toMatchObject({ detail: 'query at "/limit": expected it once; received it several times' });
  });

  it("says that a path without an id has none", async () => {
    await using api = await openApi();
    const { body } = await api.send("GET", "/v1/contexts/");
    expect(body).toMatchObject({ details: { argument: "contextId", received: "nothing" } });
  });
});

describe("PUT /v1/contexts/{id}", () => {
  it("replaces the data at the version that was read", async () => {
    await using api = await openApi();
    const { incarnation } = await api.manager.create("plan", { step: 1 });
    const put = await api.send("PUT", "/v1/contexts/plan?note=next", {
      body: { step: 2 },
      headers: { "if-match": `"${incarnation}.1"`, "x-agent-id": "b%C3%BCro" },
    });
    expect(put).toMatchObject({
      status: 200,
      body: { version: "2", data: { step: 2 }, updated_by: "büro", note: "next" },
    });
    expect(etagIn(put)).toBe(`"${incarnation}.2"`);
  });

  it("needs If-Match, and takes several, or any with *", async () => {
    await using api = await openApi();
    await api.manager.create("plan", {});
    const put = async (match?: string): Promise<unknown> => {
      const headers = match === undefined ? {} : { "if-match": match };
      const { status, body } = await api.send("PUT", "/v1/contexts/plan", { body: {}, headers });
      return [status, body.code ?? body.version];
    };
    expect(await put()).toEqual([428, "PRECONDITION_REQUIRED"]);
    expect(await put('"9.1", "1.1"')).toEqual([200, "2"]);
    expect(await put("*")).toEqual([200, "3"]);
    expect(await put('W/"1.3"')).toEqual([400, "INVALID"]);
    expect(await put("3")).toEqual([400, "INVALID"]);
  });

  it("is 412 with the current snapshot when the version or the incarnation is another", async () => {
    await using api = await openApi();
    const first = await api.manager.create("plan", { step: 1 });
    await api.manager.update("plan", { step: 2 }, first);
    const stale = await api.send("PUT", "/v1/contexts/plan", { body: {}, headers: { "if-match": '"1.1"' } });
    expect(stale).toMatchObject({
      status: 412,
      body: {
        code: "CONFLICT",
        status: 412,
        retryable: true,
        type: "/openapi.json#/x-error-codes/CONFLICT",
        details: {
          context_id: "plan",
          expected: "1",
          version: "2",
          recreated: false,
          conflicts: [],
          current: { context_id: "plan", version: "2", data: { step: 2 } },
        },
      },
    });
    expect(etagIn(stale)).toBe('"1.2"');
    expect(stale.headers.get("content-type")).toBe("application/problem+json");
    const other = await api.send("PUT", "/v1/contexts/plan", { body: {}, headers: { "if-match": '"77.2"' } });
    expect(other.body).toMatchObject({ code: "CONFLICT", details: { expected: "2", recreated: true } });
    expect(other.body.detail).toContain("deleted and created again");
    expect(await api.send("PUT", "/v1/contexts/none", { body: {}, headers: { "if-match": '"1.1"' } })).toMatchObject({
      status: 404,
      body: { code: "NOT_FOUND" },
    });
  });

  it("creates with If-None-Match: *, and only then", async () => {
    await using api = await openApi();
    const put = async (): Promise<unknown> =>
      (await api.send("PUT", "/v1/contexts/plan", { body: { a: 1 }, headers: { "if-none-match": "*" } })).status;
    expect(await put()).toBe(201);
    expect(await put()).toBe(409);
    const tag = { body: {}, headers: { "if-none-match": '"1.1"' } };
    expect((await api.send("PUT", "/v1/contexts/plan", tag)).status).toBe(400);
  });
});

describe("PATCH /v1/contexts/{id}", () => {
  it("merges a stale merge patch with what others have changed elsewhere", async () => {
    await using api = await openApi();
    const first = await api.manager.create("plan", { a: 1, b: 1 });
    await api.manager.agent("bob").update("plan", { a: 1, b: 2 }, first);
    const headers = { "if-match": '"1.1"', "x-agent-id": "ann" };
    const patched = await api.send("PATCH", "/v1/contexts/plan", { body: { a: 9 }, type: MERGE, headers });
    expect(patched).toMatchObject({ status: 200, body: { version: "3", data: { a: 9, b: 2 } } });
  });

  it("is 412 with the conflicts by path where they overlap", async () => {
    await using api = await openApi();
    const first = await api.manager.create("plan", { a: 1 });
    await api.manager.agent("bob").update("plan", { a: 2 }, first, { note: "why not" });
    const headers = { "if-match": '"1.1"', "x-agent-id": "ann" };
    expect(await api.send("PATCH", "/v1/contexts/plan", { body: { a: 9 }, type: MERGE, headers })).toMatchObject({
      status: 412,
      body: {
        code: "CONFLICT",
        details: {
          conflicts: [{ path: "/a", base: 1, yours: 9, theirs: 2 }],
          writers: [{ agent_id: "bob", version: "2", note: "why not" }],
          current: { version: "2" },
        },
      },
    });
  });

  it("takes operations in their own media type", async () => {
    await using api = await openApi();
    await api.manager.create("plan", { n: 1, list: [] });
    const body = [
      { op: "increment", path: "/n" },
      { op: "append", path: "/list", value: "x" },
    ];
    const headers = { "if-match": "*" };
    expect(await api.send("PATCH", "/v1/contexts/plan", { body, type: OPERATIONS, headers })).toMatchObject({
      status: 200,
      body: { data: { n: 2, list: ["x"] } },
    });
    const test = [{ op: "test", path: "/n", value: 1 }];
    const { body: failed } = await api.send("PATCH", "/v1/contexts/plan", { body: test, type: OPERATIONS, headers });
    expect(failed.details.conflicts).toEqual([{ path: "/n", base: 2, yours: 1, theirs: 2 }]);
  });

  it("refuses another type, the other type's body, and what is no patch", async () => {
    await using api = await openApi();
    await api.manager.create("plan", {});
    const headers = { "if-match": "*" };
    const patch = async (body: unknown, type: string): Promise<unknown> =>
      (await api.send("PATCH", "/v1/contexts/plan", { body, type, headers })).status;
    expect(await patch({}, "application/json")).toBe(415);
    expect(await patch([], MERGE)).toBe(400);
    expect(await patch({}, OPERATIONS)).toBe(400);
    expect(await patch([{ op: "move" }], OPERATIONS)).toBe(400);
    expect((await api.send("PATCH", "/v1/contexts/plan", { body: {}, type: MERGE })).status).toBe(428);
  });
});

describe("DELETE /v1/contexts/{id}", () => {
  it("deletes what was read, and nothing newer", async () => {
    await using api = await openApi();
    await api.manager.create("plan", {});
    const remove = async (match?: string): Promise<number> => {
      const headers = match === undefined ? {} : { "if-match": match };
      return (await api.send("DELETE", "/v1/contexts/plan", { headers })).status;
    };
    expect(await remove()).toBe(428);
    expect(await remove('"1.2"')).toBe(412);
    expect(await remove('"1.1"')).toBe(204);
    expect(await remove('"1.1"')).toBe(404);
    expect(await remove("*")).toBe(404);
  });
});

describe("POST /v1/transactions", () => {
  it("does all of it under one revision", async () => {
    await using api = await openApi();
    await api.manager.create("from", { gold: 5 });
    await api.manager.create("to", { gold: 0 });
    const body = {
      steps: [
        { do: "get", context_id: "none" },
        { do: "check", context_id: "from", if_match: "1.1" },
        { do: "patch", context_id: "from", if_match: '"1.1"', patch: { gold: 4 }, note: "pay" },
        { do: "patch", context_id: "to", if_match: "*", patch: [{ op: "increment", path: "/gold" }] },
        { do: "create", context_id: "receipt", data: { gold: 1 } },
        { do: "update", context_id: "receipt", if_match: "*", data: { gold: 2 } },
        { do: "delete", context_id: "receipt", if_match: "*" },
      ],
    };
    const done = await api.send("POST", "/v1/transactions", { body, headers: { "x-agent-id": "ann" } });
    expect(done.status).toBe(200);
    expect(done.body.results[0]).toBeNull();
    expect(done.body.results.at(-1)).toBe(true);
    const [from, to] = [await api.manager.get("from"), await api.manager.get("to")];
    expect([from?.data, to?.data, from?.revision === to?.revision]).toEqual([{ gold: 4 }, { gold: 1 }, true]);
    expect([from?.updatedBy, from?.note]).toEqual(["ann", "pay"]);
  });

  it("does nothing when one step is refused", async () => {
    await using api = await openApi();
    await api.manager.create("a", {});
    const steps = (...list: unknown[]): { body: unknown } => ({ body: { steps: list } });
    const send = async (...list: unknown[]): Promise<unknown> => {
      const { status, body } = await api.send("POST", "/v1/transactions", steps(...list));
      return [status, body.code];
    };
    const write = { do: "update", context_id: "a", if_match: "*", data: { b: 1 } };
    expect(await send(write, { do: "check", context_id: "a", if_match: "1.9" })).toEqual([412, "CONFLICT"]);
    expect(await send(write, { do: "check", context_id: "b", if_match: "*" })).toEqual([404, "NOT_FOUND"]);
    expect(await send(write, { do: "delete", context_id: "b", if_match: "*" })).toEqual([404, "NOT_FOUND"]);
    expect(await send(write, { do: "create", context_id: "a", data: {} })).toEqual([409, "EXISTS"]);
    expect(await send(write, { ...write, if_match: "7.1" })).toEqual([412, "CONFLICT"]);
    expect(await send(write, { ...write, lock_token: 4 })).toEqual([412, "LEASE_LOST"]);
    expect(await send(write, { ...write, if_match: undefined })).toEqual([428, "PRECONDITION_REQUIRED"]);
    for (const bad of [
      {},
      { do: "jump" },
      { ...write, note: 1 },
      { ...write, if_match: "x" },
      { ...write, if_match: 1 },
      { ...write, lock_token: "x" },
      { ...write, data: 1 },
      { do: "patch", context_id: "a", if_match: "*", patch: 1 },
    ]) {
      expect(await send(write, bad)).toEqual([400, "INVALID"]);
    }
    expect(await send()).toEqual([400, "INVALID"]);
    expect((await api.manager.get("a"))?.version).toBe("1");
  });
});
