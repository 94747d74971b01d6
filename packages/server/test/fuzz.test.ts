/** Whatever is sent to whatever route: a described answer, the store as the model says, and a process that lives. */

import fc from "fast-check";
import { serve } from "shared-context-server";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { ROUTES } from "../src/routes.ts";
import { type Api, openApi, type Reply, type Sent } from "./support.ts";

const CASES = Number(process.env["FUZZ_CASES"] ?? 200);
const SEED = process.env["FC_SEED"] === undefined ? {} : { seed: Number(process.env["FC_SEED"]) };

const ids = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom("a", "b", "c/d", "ü") },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
);
const data = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.dictionary(fc.constantFrom("n", "x", "list", "__proto__"), fc.jsonValue({ maxDepth: 2 })),
  },
  { weight: 1, arbitrary: fc.jsonValue() },
);
const matches = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom("*", "current", "current", '"1.1"', '"2.1"') },
  { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom('"', "1", ".", "W", "/", "*", ",", " ", "x") }) },
);
const tokens = fc.oneof(
  fc.constantFrom("held", "1", "0", "-1", "99"),
  fc.string({ unit: fc.constantFrom("1", "x", " ") }),
);
const operations = fc.array(
  fc.record(
    {
      op: fc.constantFrom("set", "remove", "append", "increment", "test", "move"),
      path: fc.constantFrom("/n", "/x/y", "/list", "", "/list/0", "x", "/__proto__"),
      value: fc.jsonValue({ maxDepth: 1 }),
    },
    { requiredKeys: ["op", "path"] },
  ),
  { maxLength: 3 },
);

interface Case {
  readonly route: (typeof ROUTES)[number];
  readonly method: string;
  readonly id: string;
  readonly match: string | undefined;
  readonly token: string | undefined;
  readonly agent: string | undefined;
  readonly key: string | undefined;
  readonly query: Record<string, string>;
  /** For each operation a body that fits it; sent unless `misfit`. */
  readonly fitting: Readonly<Record<string, unknown>>;
  readonly misfit: boolean;
  readonly body: unknown;
  readonly type: string | undefined;
}

const OPERATIONS = "application/vnd.shared-context.operations+json";
const types = fc.constantFrom("application/json", "application/merge-patch+json", OPERATIONS, "text/plain");
const steps = fc.array(
  fc.record(
    {
      do: fc.constantFrom("get", "create", "update", "patch", "delete", "check", "jump"),
      context_id: ids,
      if_match: fc.constantFrom("*", "1.1", "x"),
      lock_token: fc.constantFrom(1, 99, "x"),
      data,
      patch: fc.oneof(data, operations),
    },
    { requiredKeys: ["do", "context_id"] },
  ),
  { maxLength: 4 },
);
const bodies = fc.oneof(
  data,
  operations,
  fc.record({ context_id: ids, data }),
  fc.record({ steps }),
  fc.record({ ttl_ms: fc.constantFrom(1, 60_000, null, -1, "x") }),
  fc.record({ context_ids: fc.oneof(fc.array(ids, { maxLength: 3 }), fc.jsonValue()) }),
  fc.record({ version: fc.constantFrom("1", "2", "x", 1) }),
  fc.string(),
);
const optional = <Value>(arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(arbitrary, { nil: undefined });

const goodData = fc.dictionary(fc.constantFrom("n", "x", "list"), fc.jsonValue({ maxDepth: 2 }));
const goodIds = fc.constantFrom("a", "b", "c/d", "ü");
const goodOperations = fc.array(
  fc.constantFrom(
    { op: "set", path: "/n", value: 1 },
    { op: "increment", path: "/n" },
    { op: "set", path: "/list", value: [] },
    { op: "append", path: "/list", value: 1 },
    { op: "test", path: "/n", value: 1 },
    { op: "remove", path: "/x" },
  ),
);
const goodSteps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constantFrom("get"), context_id: goodIds }),
    fc.record({
      do: fc.constantFrom("update", "create"),
      context_id: goodIds,
      if_match: fc.constant("*"),
      data: goodData,
    }),
    fc.record({ do: fc.constant("patch"), context_id: goodIds, if_match: fc.constant("*"), patch: goodOperations }),
    fc.record({ do: fc.constantFrom("delete", "check"), context_id: goodIds, if_match: fc.constant("*") }),
  ),
  { minLength: 1, maxLength: 2 },
);
const several = fc.array(goodIds, { minLength: 1, maxLength: 2 });
const fitting: fc.Arbitrary<Record<string, unknown>> = fc.record({
  createContext: fc.record({ context_id: goodIds, data: goodData }),
  updateContext: goodData,
  patchContext: fc.oneof(goodData, goodOperations),
  transact: fc.record({ steps: goodSteps }),
  takeLock: fc.constantFrom({}, { ttl_ms: 1 }, { ttl_ms: 60_000 }, { ttl_ms: null }),
  renewLock: fc.constantFrom({}, { ttl_ms: 1 }),
  takeLocks: fc.record({ context_ids: several, ttl_ms: fc.constantFrom(1, 60_000, null) }),
  renewLocks: fc.record({ context_ids: several }),
  releaseLocks: fc.record({ context_ids: several }),
  restoreVersion: fc.record({ version: fc.constantFrom("1", "2", "3") }),
});

const cases: fc.Arbitrary<Case> = fc.record({
  route: fc.constantFrom(...ROUTES.filter(({ operationId }) => operationId !== "watchChanges")),
  method: fc.oneof(
    { weight: 9, arbitrary: fc.constant("") },
    { weight: 1, arbitrary: fc.constantFrom("PUT", "DELETE", "HEAD") },
  ),
  id: ids,
  match: fc.oneof({ weight: 9, arbitrary: matches }, { weight: 1, arbitrary: fc.constant(undefined) }),
  token: fc.oneof(
    { weight: 7, arbitrary: fc.constant(undefined) },
    { weight: 2, arbitrary: fc.constant("held") },
    { weight: 1, arbitrary: tokens },
  ),
  agent: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom("ann", "ann", "bob", undefined) },
    { weight: 1, arbitrary: fc.constant("%ff") },
  ),
  key: fc.oneof(
    { weight: 20, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom("k1", "k2") },
  ),
  query: fc.dictionary(
    fc.constantFrom("note", "limit", "prefix", "path", "equals", "unlocked", "force", "count", "x"),
    fc.string(),
    { maxKeys: 1 },
  ),
  body: bodies,
  type: optional(types),
  misfit: fc.integer({ min: 0, max: 4 }).map((dice) => dice === 0),
  fitting,
});

/** What the store must hold, told by the answers alone. */
type Model = Map<string, { readonly etag: string; readonly data: unknown }>;

function sentFor(found: Case, model: Model, held: string): { method: string; path: string; sent: Sent } {
  const { route, id, match, token, agent, key, misfit } = found;
  const body = misfit ? found.body : found.fitting[route.operationId];
  const headers: Record<string, string> = {};
  const put = (name: string, value: string | undefined): void => {
    if (value !== undefined) headers[name] = value;
  };
  put("if-match", match === "current" ? (model.get(id)?.etag ?? '"9.9"') : match);
  put("lock-token", token === "held" ? held : token);
  put("x-agent-id", agent);
  put("idempotency-key", key);
  const query = new URLSearchParams(misfit ? found.query : {});
  if (route.operationId === "waitForContext") query.set("timeout_ms", "0");
  const isWrite = route.method !== "GET" && route.method !== "DELETE";
  const expected = Object.keys(route.body?.content ?? {});
  const type = Array.isArray(body) ? expected.at(-1) : expected[0];
  const path = route.path.replace("{id}", encoded(id));
  const sent: Sent = isWrite
    ? { headers, body, type: (misfit ? found.type : undefined) ?? type ?? "application/json" }
    : { headers };
  return {
    method: found.method === "" || isWrite ? route.method : found.method,
    path: `${path}?${query.toString()}`,
    sent,
  };
}

/** Half of a surrogate pair has no UTF-8: then it is sent as it is, and must be refused. */
function encoded(id: string): string {
  return /\p{Surrogate}/u.test(id) ? "%ED%A0%80" : encodeURIComponent(id);
}

const CREATION = {
  route: ROUTES.find(({ operationId }) => operationId === "createContext") ?? expect.fail(),
  id: "",
};

/** Only an answer that says so may have changed anything. */
async function follow(
  api: Api,
  model: Model,
  { route, id }: Pick<Case, "route" | "id">,
  method: string,
  reply: Reply,
): Promise<void> {
  expect(reply.status).toBeLessThan(500 + (reply.body?.code === "LIMIT" ? 8 : 0));
  if (reply.headers.has("idempotency-replayed") || reply.status >= 300) return;
  const written = ["createContext", "updateContext", "patchContext", "restoreVersion"].includes(route.operationId);
  if (method === "DELETE" && route.path === "/v1/contexts") model.clear();
  else if (method === "DELETE" && route.path === "/v1/contexts/{id}") model.delete(id);
  else if (written && method !== "HEAD") {
    model.set(reply.body.context_id, { etag: reply.headers.get("etag") ?? "", data: reply.body.data });
  } else if (route.operationId === "transact") {
    // The last word on each context that it names is what is there.
    for (const context of reply.body.results)
      if (context?.context_id !== undefined) await reread(api, model, context.context_id);
    for (const known of model.keys()) await reread(api, model, known);
  }
}

async function reread(api: Api, model: Model, id: string): Promise<void> {
  const context = await api.manager.get(id);
  if (context === undefined) model.delete(id);
  else model.set(id, { etag: `"${context.incarnation}.${context.version}"`, data: context.data });
}

describe("any request", () => {
  it(
    `is answered as described, and the store is what the answers say (${CASES} requests)`,
    { timeout: 600_000 },
    async () => {
      const perRun = 20;
      await fc.assert(
        fc.asyncProperty(fc.array(cases, { minLength: perRun, maxLength: perRun }), async (list) => {
          await using api = await openApi({ limits: { maxBodyBytes: 2_000 } }, { maxContexts: 6 });
          const model: Model = new Map();
          for (const id of ["a", "b"]) {
            const body = { context_id: id, data: { n: 0, list: [] } };
            await follow(api, model, CREATION, "POST", await api.send("POST", "/v1/contexts", { body }));
          }
          let held = "1";
          for (const found of list) {
            const { method, path, sent } = sentFor(found, model, held);
            const reply = await api.send(method, path, sent);
            held = reply.headers.get("lock-token") ?? held;
            await follow(api, model, found, method, reply);
          }
          const stored = new Map<string, unknown>();
          for await (const { contextId, incarnation, version, data: content } of api.manager) {
            stored.set(contextId, { etag: `"${incarnation}.${version}"`, data: content });
          }
          expect(Object.fromEntries(stored)).toEqual(Object.fromEntries(model));
          expect(api.failures).toEqual([]);
        }),
        { numRuns: Math.ceil(CASES / perRun), ...SEED },
      );
    },
  );
});

describe("any bytes", () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        "GET ",
        "PUT ",
        "/v1/contexts/a",
        " HTTP/1.1",
        "\r\n",
        "\r\n\r\n",
        "Host: localhost",
        "Content-Length: 5",
      ),
      fc.constantFrom(
        "Transfer-Encoding: chunked",
        "If-Match: *",
        "Content-Type: application/json",
        "{}",
        "0",
        "\n",
        "\0",
      ),
      fc.string({ unit: "binary-ascii" }),
    ),
    { minLength: 1, maxLength: 16 },
  );

  it("leave the server alive and the store as it was", { timeout: 600_000 }, async () => {
    await using api = await openApi();
    await api.manager.create("a", { n: 1 });
    await using server = await serve({ manager: api.manager, port: 0, graceMs: 100 });
    await fc.assert(
      fc.asyncProperty(pieces, async (parts) => {
        await sendBytes(server.port, parts.join(""));
      }),
      { numRuns: Math.ceil(CASES / 4), ...SEED },
    );
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    expect(await api.manager.listContexts()).toEqual(["a"]);
  });
});

function sendBytes(port: number, text: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.end(text, "latin1"));
    socket.setTimeout(100, () => socket.destroy());
    socket.on("data", () => undefined);
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
  });
}
