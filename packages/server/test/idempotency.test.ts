/** Repeated writes: the first answer again, from this process or from the change log. */

import {
  type AsyncSharedContextManager,
  ContextError,
  type Engine,
  managerOver,
  openManager,
} from "shared-context-manager";
import { beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../manager/src/clock.ts";
import { MemoryEngine } from "../../manager/src/engines/memory.ts";
import { type Api, etagIn, openApi, type Reply, type Sent } from "./support.ts";

const OPERATIONS = "application/vnd.shared-context.operations+json";
const PLAN = "/v1/contexts/plan";

/** An increment: done twice, it shows. */
function increment(key: string, value = 1): Sent {
  const headers = { "if-match": "*", "idempotency-key": key };
  return { body: [{ op: "increment", path: "/n", value }], type: OPERATIONS, headers };
}

function keyed(key: string, sent: Sent = {}): Sent {
  return { ...sent, headers: { ...sent.headers, "x-agent-id": "ann", "idempotency-key": key } };
}

function isReplayed({ headers }: Reply): boolean {
  return headers.get("idempotency-replayed") === "true";
}

describe("Idempotency-Key", () => {
  it("gives the first answer again, and does nothing twice", async () => {
    await using api = await openApi();
    await api.manager.create("plan", { n: 0 });
    const send = (key: string, value?: number): Promise<Reply> => api.send("PATCH", PLAN, increment(key, value));
    const [first, again] = await Promise.all([send("k"), send("k")]);
    expect(again.body).toEqual(first.body);
    expect([first, again].filter(isReplayed)).toHaveLength(1);
    expect((await api.manager.get("plan"))?.data).toEqual({ n: 1 });
    expect(await send("k", 5)).toMatchObject({ status: 422, body: { code: "KEY_REUSED" } });
    expect((await send("x".repeat(256))).status).toBe(400);
    expect((await send("l")).body.data).toEqual({ n: 2 });
  });

  it("may be used again after a refusal", async () => {
    await using api = await openApi();
    const sent = { body: {}, headers: { "if-match": "*", "idempotency-key": "k" } };
    expect((await api.send("PUT", PLAN, sent)).status).toBe(404);
    await api.manager.create("plan", { n: 0 });
    expect((await api.send("PUT", PLAN, sent)).status).toBe(200);
  });
});

describe("Idempotency-Key, with another server on the same store", () => {
  let manager: AsyncSharedContextManager;
  let before: Api;
  let after: Api;

  beforeEach(async () => {
    manager = await openManager("memory:");
    before = await openApi({ manager });
    after = await openApi({ manager });
    await manager.create("plan", { n: 0 });
    return () => manager.close();
  });

  /** The same request to one server and then to the other. */
  async function twice(method: string, path: string, sent: Sent): Promise<[Reply, Reply]> {
    const first = await before.send(method, path, sent);
    expect([first.status < 300, isReplayed(first)]).toEqual([true, false]);
    const { revision } = await manager.stats();
    const second = await after.send(method, path, sent);
    expect([second.status, isReplayed(second)]).toEqual([first.status, true]);
    expect((await manager.stats()).revision).toBe(revision);
    return [first, second];
  }

  it.each([
    ["creation", "POST", "/v1/contexts", { body: { context_id: "b", data: { n: 1 } } }],
    ["creation by PUT", "PUT", "/v1/contexts/b", { body: { n: 1 }, headers: { "if-none-match": "*" } }],
    ["replacement of what was read", "PUT", PLAN, { body: { n: 1 }, headers: { "if-match": '"1.1"' } }],
    ["replacement of whatever is there", "PUT", PLAN, { body: { n: 1 }, headers: { "if-match": "*" } }],
    ["patch", "PATCH", PLAN, increment("")],
    ["lock", "POST", `${PLAN}/lock`, {}],
    ["lock of several", "POST", "/v1/locks", { body: { context_ids: ["plan"] } }],
  ])("a %s is known by the change log, and its answer is the same", async (_what, method, path, sent: Sent) => {
    const [first, second] = await twice(method, path, keyed("k", sent));
    expect(second.body).toEqual(first.body);
    expect(second.headers.get("etag")).toBe(first.headers.get("etag"));
    expect(second.headers.get("lock-token")).toBe(first.headers.get("lock-token"));
  });

  it("a restoration is known, although another wrote since", async () => {
    await before.send("PATCH", PLAN, increment("1"));
    const sent = keyed("k", { body: { version: "1" }, headers: { "if-match": "*" } });
    const first = await before.send("POST", `${PLAN}/restore`, sent);
    await before.send("PATCH", PLAN, increment("2"));
    const second = await after.send("POST", `${PLAN}/restore`, sent);
    expect([etagIn(second), second.body.data]).toEqual([etagIn(first), { n: 0 }]);
  });

  it("a deletion, a release, a lock that was broken and the end of all contexts are 204 again", async () => {
    const { headers } = await before.send("POST", `${PLAN}/lock`, keyed("1"));
    const token = headers.get("lock-token") ?? "";
    await twice("DELETE", `${PLAN}/lock`, keyed("2", { headers: { "lock-token": token } }));
    await before.send("POST", `${PLAN}/lock`, keyed("3"));
    await twice("DELETE", `${PLAN}/lock?force=true&reason=test`, keyed("4"));
    await twice("DELETE", PLAN, keyed("5", { headers: { "if-match": '"1.1"' } }));
    await manager.create("plan", {});
    const [, again] = await twice("DELETE", "/v1/contexts", keyed("6", { headers: { "if-match": "*" } }));
    expect([again.status, again.body]).toEqual([204, ""]);
  });

  it("a transaction is known, and each context is as it has left it", async () => {
    await manager.create("gone", {});
    const steps = [
      { do: "get", context_id: "plan" },
      { do: "get", context_id: "none" },
      { do: "patch", context_id: "plan", if_match: "*", patch: [{ op: "increment", path: "/n" }] },
      { do: "create", context_id: "new", data: { n: 1 } },
      { do: "delete", context_id: "gone", if_match: "*" },
    ];
    const [first, second] = await twice("POST", "/v1/transactions", keyed("k", { body: { steps } }));
    expect(second.body.results.slice(1)).toEqual(first.body.results.slice(1));
    // What it had read before it wrote is not in the change log.
    expect(second.body.results[0]).toEqual(first.body.results[2]);
  });

  it("is that of another request all the same, or of another caller", async () => {
    await before.send("PATCH", PLAN, increment("k"));
    expect(await after.send("PATCH", PLAN, increment("k", 5))).toMatchObject({ status: 422 });
    const sent = { ...increment("k"), headers: { ...increment("k").headers, "x-agent-id": "bob" } };
    expect(await after.send("PATCH", PLAN, sent)).toMatchObject({ status: 422 });
    await manager.agent("ann").patch("plan", { n: 9 });
    expect((await after.send("PATCH", PLAN, increment("other"))).body.data).toEqual({ n: 10 });
  });

  it("a write that was refused because it has landed before is answered as it was", async () => {
    const sent = keyed("k", { body: { n: 1 }, headers: { "if-match": '"1.1"' } });
    const first = await before.send("PUT", PLAN, sent);
    await manager.agent("bob").patch("plan", { n: 2 });
    await manager.lock("plan", "bob");
    const second = await after.send("PUT", PLAN, sent);
    expect([second.status, isReplayed(second), second.body]).toEqual([200, true, first.body]);
    const other = keyed("other", { body: { n: 1 }, headers: { "if-match": '"1.1"' } });
    expect((await after.send("PUT", PLAN, other)).status).toBe(423);
  });

  it("is looked for in the whole log, and in what came after", async () => {
    for (let n = 0; n < 1_200; n++) await manager.agent("bob").patch("plan", { n });
    await before.send("PATCH", PLAN, increment("1"));
    expect(isReplayed(await after.send("PATCH", PLAN, increment("1")))).toBe(true);
    await before.send("PATCH", PLAN, increment("2"));
    expect(isReplayed(await after.send("PATCH", PLAN, increment("2")))).toBe(true);
  });
});

describe("Idempotency-Key of a write that may have landed", () => {
  /** A storage whose answers are lost after it has written; while it is mute, its log does not tell. */
  async function lossy(): Promise<{ api: Api; storage: { isMute: boolean; commits: number } }> {
    const storage = { isMute: true, commits: 0 };
    const memory = new MemoryEngine(systemClock, { historyLimit: 8, changeLogLimit: 100 });
    const engine: Engine = {
      supports: memory.supports,
      load: (ids, counts) => memory.load(ids, counts),
      async commit(transactions) {
        storage.commits += 1;
        await memory.commit(transactions);
        return transactions.map(() => ({ kind: "indeterminate", cause: new Error("cut off") }));
      },
      list: (query) => memory.list(query),
      changes: (query) =>
        storage.isMute && query.limit > 1 && storage.commits > 0
          ? Promise.reject(new ContextError("UNAVAILABLE", { reason: "cut off" }))
          : memory.changes(query),
      history: (id) => memory.history(id),
      onWake: (listener) => memory.onWake(listener),
      close: () => memory.close(),
    };
    return { api: await openApi({ manager: await managerOver(engine) }), storage };
  }

  it("is not done again: the failure is told again, until the change log tells", async () => {
    const { api, storage } = await lossy();
    await using _ = api;
    const sent = keyed("k", { body: { context_id: "plan", data: { n: 1 } } });
    const lost = { status: 504, body: { code: "INDETERMINATE" } };
    expect(await api.send("POST", "/v1/contexts", sent)).toMatchObject(lost);
    expect((await api.send("POST", "/v1/contexts", sent)).status).toBe(503);
    storage.isMute = false;
    const told = await api.send("POST", "/v1/contexts", sent);
    expect([told.status, isReplayed(told), told.body.data]).toEqual([201, true, { n: 1 }]);
    expect(storage.commits).toBe(1);
  });
});
