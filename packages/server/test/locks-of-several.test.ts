/** Locks of several contexts by one token; locks that never lapse; since when they are held. */

import { describe, expect, it } from "vitest";
import { type Api, openApi, type Sent } from "./support.ts";

const BOTH = ["a", "b"];

function as(agentId: string, body: object, token?: number): Sent {
  return { body, headers: { "x-agent-id": agentId, ...(token !== undefined && { "lock-token": String(token) }) } };
}

async function withBoth(run: (api: Api) => Promise<void>, sessionTtlMs = Infinity): Promise<void> {
  await using api = await openApi({ sessionTtlMs });
  for (const id of BOTH) await api.manager.create(id, {});
  await run(api);
}

async function ownersOf({ manager }: Api): Promise<(string | null | undefined)[]> {
  return [(await manager.get("a"))?.lockedBy, (await manager.get("b"))?.lockedBy];
}

describe("the locks of several contexts", () => {
  it("are taken by one token, renewed and released by it", async () => {
    await withBoth(async (api) => {
      const taken = await api.send("POST", "/v1/locks", as("ann", { context_ids: ["b", "a", "b"], ttl_ms: 5_000 }));
      expect(taken.body).toMatchObject({ lock_token: 3, contexts: [{ context_id: "b" }, { context_id: "a" }] });
      expect(taken.headers.get("lock-token")).toBe("3");
      const renewed = await api.send("PATCH", "/v1/locks", as("ann", { context_ids: BOTH, ttl_ms: null }, 3));
      expect(renewed.body.contexts).toMatchObject([{ lock_token: 3, locked_by: "ann" }, { lock_token: 3 }]);
      expect(renewed.body.contexts[0]).not.toHaveProperty("lock_expires_at");
      expect((await api.send("POST", "/v1/locks/release", as("ann", { context_ids: BOTH }, 3))).status).toBe(204);
      expect(await ownersOf(api)).toEqual([null, null]);
      const again = await api.send("POST", "/v1/locks/release", as("ann", { context_ids: BOTH }, 3));
      expect(again).toMatchObject({ status: 412, body: { code: "LEASE_LOST" } });
    });
  });

  it("are all taken or none", async () => {
    await withBoth(async (api) => {
      await api.manager.lock("b", "bob");
      const locked = { status: 423, body: { code: "LOCKED", details: { context_id: "b", owner: "bob" } } };
      expect(await api.send("POST", "/v1/locks", as("ann", { context_ids: BOTH }))).toMatchObject(locked);
      expect(await ownersOf(api)).toEqual([null, "bob"]);
      const missing = await api.send("POST", "/v1/locks", as("ann", { context_ids: ["a", "none"] }));
      expect(missing).toMatchObject({ status: 404, body: { details: { context_id: "none" } } });
      expect(await ownersOf(api)).toEqual([null, "bob"]);
    });
  });

  it("are waited for as long as the caller says, and by their holder not at all", async () => {
    await withBoth(async (api) => {
      await api.manager.lock("b", "bob");
      const waiting = api.send("POST", "/v1/locks", as("ann", { context_ids: BOTH, timeout_ms: 5_000 }));
      await expect.poll(async () => (await api.manager.stats()).watchers).toBe(1);
      await api.manager.unlock("b", "bob");
      expect((await waiting).status).toBe(200);
      const own = await api.send("POST", "/v1/locks", as("ann", { context_ids: ["a"], timeout_ms: 10 }));
      expect(own).toMatchObject({ status: 423, body: { details: { owner: "ann" } } });
    });
  });

  it("serve no agent but the one that holds them", async () => {
    await withBoth(async (api) => {
      await api.send("POST", "/v1/locks", as("ann", { context_ids: BOTH }));
      const lost = { status: 412, body: { code: "LEASE_LOST", details: { token: 3, owner: "ann" } } };
      expect(await api.send("PATCH", "/v1/locks", as("bob", { context_ids: BOTH }, 3))).toMatchObject(lost);
      expect(await api.send("POST", "/v1/locks/release", as("bob", { context_ids: BOTH }, 3))).toMatchObject(lost);
      const steps = [{ do: "patch", context_id: "a", if_match: "*", lock_token: 3, patch: {} }];
      expect(await api.send("POST", "/v1/transactions", as("bob", { steps }))).toMatchObject(lost);
      expect(await ownersOf(api)).toEqual(["ann", "ann"]);
    });
  });

  it("are free again when the session of their agent is over", async () => {
    await withBoth(async (api) => {
      await api.send("POST", "/v1/locks", as("ann", { context_ids: BOTH, ttl_ms: null }));
      await expect.poll(() => ownersOf(api), { timeout: 2_000 }).toEqual([null, null]);
    }, 40);
  });

  it.each([{}, { context_ids: [] }, { context_ids: [1] }, { context_ids: "a" }, { context_ids: BOTH, x: 1 }])(
    "of %j are refused",
    async (body) => {
      await withBoth(async (api) => {
        expect((await api.send("POST", "/v1/locks", as("ann", body))).status).toBe(400);
        expect((await api.send("PATCH", "/v1/locks", as("ann", body, 3))).status).toBe(400);
        expect((await api.send("POST", "/v1/locks/release", as("ann", body, 3))).status).toBe(400);
      });
    },
  );
});

describe("a lock", () => {
  it("without expiry stays as it is when its owner takes it again, and says since when", async () => {
    await withBoth(async (api) => {
      const send = (body: object): ReturnType<Api["send"]> => api.send("POST", "/v1/contexts/a/lock", as("ann", body));
      const first = await send({ ttl_ms: null });
      const { locked_at: since, lock_token: token } = first.body;
      expect(Math.abs(Date.now() - Date.parse(since))).toBeLessThan(10_000);
      const bob = { body: {}, headers: { "x-agent-id": "bob" } };
      const { details } = (await api.send("POST", "/v1/contexts/a/lock", bob)).body;
      const lines = (await api.send("GET", "/v1/contexts/a/blame")).body;
      const times = JSON.stringify([first.body, details, lines, (await api.send("GET", "/v1/stats")).body]);
      expect(times.match(/\d\d:\d\d\.\d+[^"]*/g)?.filter((time) => !time.endsWith("+00:00"))).toEqual([]);
      expect(details.since).toBe(since);
      expect(first.body).not.toHaveProperty("lock_expires_at");
      expect((await send({ ttl_ms: 5_000 })).body).toMatchObject({ locked_at: since, lock_token: token });
      const { body } = await send({ ttl_ms: null });
      expect(body).toMatchObject({ locked_at: since, lock_token: token, lock_expires_at: expect.any(String) });
      const listed = (await api.send("GET", "/v1/contexts")).body.contexts;
      expect(listed).toMatchObject([{ locked_at: since }, { locked_by: null }]);
      expect(listed[1]).not.toHaveProperty("locked_at");
    });
  });
});
