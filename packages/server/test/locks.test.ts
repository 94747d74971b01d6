import { describe, expect, it } from "vitest";
import { type Api, openApi, type Reply, type Sent } from "./support.ts";

const LOCK = "/v1/contexts/plan/lock";

function as(agentId: string, sent: Sent = {}, token?: string | null): Sent {
  const headers: Record<string, string> = { ...sent.headers, "x-agent-id": agentId };
  if (token != null) headers["lock-token"] = token;
  return { ...sent, headers };
}

async function withPlan(run: (api: Api) => Promise<void>): Promise<void> {
  await using api = await openApi();
  await api.manager.create("plan", { step: 1 });
  await run(api);
}

function tokenOf({ headers }: Reply): string {
  return headers.get("lock-token") ?? expect.fail("no Lock-Token");
}

describe("the lock of a context", () => {
  it("is taken with a token and an expiry, and again by its owner with the same token", async () => {
    await withPlan(async (api) => {
      const taken = await api.send("POST", LOCK, as("ann", { body: { ttl_ms: 5_000 } }));
      expect(taken).toMatchObject({ status: 200, body: { locked_by: "ann", lock_token: 2 } });
      expect(tokenOf(taken)).toBe("2");
      expect(Date.parse(taken.body.lock_expires_at) - Date.now()).toBeLessThanOrEqual(5_000);
      expect(tokenOf(await api.send("POST", LOCK, as("ann")))).toBe("2");
    });
  });

  it("is 423 for others, with owner and expiry, and stops their writes", async () => {
    await withPlan(async (api) => {
      await api.send("POST", LOCK, as("ann"));
      const locked = {
        status: 423,
        body: { code: "LOCKED", details: { owner: "ann", expires_at: expect.any(String) } },
      };
      expect(await api.send("POST", LOCK, as("bob"))).toMatchObject(locked);
      const write = as("bob", { body: { step: 2 }, headers: { "if-match": "*" } });
      expect(await api.send("PUT", "/v1/contexts/plan", write)).toMatchObject(locked);
      expect(await api.send("DELETE", "/v1/contexts/plan", as("bob", { headers: { "if-match": "*" } }))).toMatchObject(
        locked,
      );
      const stale = as("bob", { body: { step: 2 }, headers: { "if-match": '"1.9"' } });
      expect(await api.send("PUT", "/v1/contexts/plan", stale)).toMatchObject(locked);
    });
  });

  it("is borne by the writes of its owner, who loses them with it", async () => {
    await withPlan(async (api) => {
      const token = tokenOf(await api.send("POST", LOCK, as("ann")));
      const write = (match: string): Sent => as("ann", { body: { step: 2 }, headers: { "if-match": match } }, token);
      expect(await api.send("PUT", "/v1/contexts/plan", write('"1.1"'))).toMatchObject({
        status: 200,
        body: { version: "2", lock_token: 2 },
      });
      const type = "application/merge-patch+json";
      expect((await api.send("PATCH", "/v1/contexts/plan", { ...write("*"), type })).status).toBe(200);
      await api.manager.forceUnlock("plan", { reason: "test" });
      expect(await api.send("PUT", "/v1/contexts/plan", write("*"))).toMatchObject({
        status: 412,
        body: { code: "LEASE_LOST", details: { context_id: "plan", token: 2, owner: null } },
      });
      await api.send("POST", LOCK, as("bob"));
      const lost = await api.send("DELETE", "/v1/contexts/plan", write("*"));
      expect(lost).toMatchObject({ status: 412, body: { code: "LEASE_LOST", details: { owner: "bob" } } });
    });
  });

  it("does not serve another agent that has its token", async () => {
    await withPlan(async (api) => {
      const token = tokenOf(await api.send("POST", LOCK, as("ann")));
      const write = as("bob", { body: {}, headers: { "if-match": "*" } }, token);
      expect(await api.send("PUT", "/v1/contexts/plan", write)).toMatchObject({
        status: 412,
        body: { code: "LEASE_LOST" },
      });
      expect((await api.send("DELETE", LOCK, as("bob", {}, token))).status).toBe(412);
      expect((await api.send("PATCH", LOCK, as("bob", {}, token))).status).toBe(412);
    });
  });

  it("is renewed by the caller and by nobody else: it lapses", async () => {
    await withPlan(async (api) => {
      const taken = await api.send("POST", LOCK, as("ann", { body: { ttl_ms: 40 } }));
      const renewed = await api.send("PATCH", LOCK, as("ann", { body: { ttl_ms: 60 } }, tokenOf(taken)));
      expect(renewed).toMatchObject({ status: 200, body: { lock_token: 2 } });
      expect(Date.parse(renewed.body.lock_expires_at)).toBeGreaterThan(Date.parse(taken.body.lock_expires_at));
      const next = await api.send("POST", LOCK, as("bob", { body: { timeout_ms: 5_000 } }));
      expect(next).toMatchObject({ status: 200, body: { locked_by: "bob" } });
      expect((await api.send("PATCH", LOCK, as("ann", {}, tokenOf(taken)))).body.code).toBe("LEASE_LOST");
    });
  });

  it("is released by its token, once", async () => {
    await withPlan(async (api) => {
      const token = tokenOf(await api.send("POST", LOCK, as("ann")));
      expect((await api.send("DELETE", LOCK, as("ann"))).status).toBe(428);
      expect((await api.send("PATCH", LOCK, as("ann"))).status).toBe(428);
      expect((await api.send("DELETE", LOCK, as("ann", {}, "x"))).status).toBe(400);
      expect((await api.send("DELETE", LOCK, as("ann", {}, "1"))).status).toBe(412);
      expect((await api.send("DELETE", LOCK, as("ann", {}, token))).status).toBe(204);
      expect((await api.send("DELETE", LOCK, as("ann", {}, token))).status).toBe(412);
      expect((await api.manager.get("plan"))?.lock).toBeUndefined();
    });
  });

  it("is waited for as long as the caller says", async () => {
    await withPlan(async (api) => {
      const token = tokenOf(await api.send("POST", LOCK, as("ann")));
      expect(await api.send("POST", LOCK, as("bob", { body: { timeout_ms: 20 } }))).toMatchObject({ status: 423 });
      const waiting = api.send("POST", LOCK, as("bob", { body: { timeout_ms: 5_000 } }));
      await api.send("DELETE", LOCK, as("ann", {}, token));
      expect(await waiting).toMatchObject({ status: 200, body: { locked_by: "bob" } });
    });
  });

  it("is broken by an admin who says why", async () => {
    await withPlan(async (api) => {
      await api.send("POST", LOCK, as("ann"));
      expect((await api.send("DELETE", `${LOCK}?force=true`)).status).toBe(400);
      expect((await api.send("DELETE", `${LOCK}?force=true&reason=stuck`, as("root"))).status).toBe(204);
      expect((await api.manager.get("plan"))?.lock).toBeUndefined();
    });
  });

  it("needs a context, and times that are times", async () => {
    await withPlan(async (api) => {
      for (const method of ["POST", "PATCH", "DELETE"]) {
        expect((await api.send(method, "/v1/contexts/none/lock", as("ann", {}, "1"))).status).toBe(404);
      }
      expect((await api.send("DELETE", "/v1/contexts/none/lock?force=true&reason=x")).status).toBe(404);
      for (const body of [{ ttl_ms: 0 }, { ttl_ms: "1" }, { timeout_ms: -1 }, { ttl_ms: 1e12 }, { wait: 1 }, []]) {
        expect((await api.send("POST", LOCK, as("ann", { body }))).status).toBe(400);
      }
    });
  });
});

describe("an agent that goes silent", () => {
  it("is closed after its session, and what it held is free", async () => {
    await using api = await openApi({ sessionTtlMs: 40 });
    await api.manager.create("plan", {});
    await api.send("POST", LOCK, as("ann", { body: { ttl_ms: 600_000 } }));
    const waited = await api.send("GET", "/v1/contexts/plan/wait?unlocked=true&timeout_ms=5000", as("bob"));
    expect(waited).toMatchObject({ status: 200, body: { locked_by: null } });
  });

  it("stays while it asks for something", async () => {
    await using api = await openApi({ sessionTtlMs: 60 });
    await api.manager.create("plan", {});
    await api.send("POST", LOCK, as("ann", { body: { ttl_ms: 600_000 } }));
    const waited = await api.send("GET", "/v1/contexts/plan/wait?unlocked=true&timeout_ms=150", as("ann"));
    expect(waited.status).toBe(408);
  });
});
