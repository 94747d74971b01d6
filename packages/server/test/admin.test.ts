/** What needs admin rights, callers without a name, and what a store is asked about as a whole. */

import { hashOf, tokensOf } from "shared-context-server";
import { describe, expect, it } from "vitest";
import { openApi, type Sent } from "./support.ts";

const TOKENS = tokensOf([
  { name: "writer", agentId: null, rights: "write", hash: hashOf("writer") },
  { name: "bound", agentId: "ann", rights: "write", hash: hashOf("bound") },
  { name: "root", agentId: null, rights: "admin", hash: hashOf("root") },
]);
const ANY = { "if-match": "*" };

function by(token: string, headers: Record<string, string> = {}, sent: Sent = {}): Sent {
  return { ...sent, headers: { authorization: `Bearer ${token}`, ...headers } };
}

describe("the end of all contexts", () => {
  it("is one change, whoever holds their locks, for admins who say that they mean it", async () => {
    await using api = await openApi({ tokens: TOKENS });
    for (const id of ["a", "b"]) await api.manager.create(id, {});
    await api.manager.lock("a", "bob");
    const { revision } = await api.manager.stats();
    expect(await api.send("DELETE", "/v1/contexts", by("writer", ANY))).toMatchObject({ status: 403 });
    expect(await api.send("DELETE", "/v1/contexts", by("root"))).toMatchObject({ status: 428 });
    expect(await api.send("DELETE", "/v1/contexts", by("root", { "if-match": '"1.1"' }))).toMatchObject({
      status: 400,
    });
    expect(await api.manager.size()).toBe(2);
    expect((await api.send("DELETE", "/v1/contexts", by("root", ANY))).status).toBe(204);
    const { value } = await api.manager.watch(undefined, { after: revision }).next();
    expect([value?.kind, await api.manager.size()]).toEqual(["cleared", 0]);
  });
});

describe("a deletion past the lock of another", () => {
  it("needs force and admin rights, and still the version that was read", async () => {
    await using api = await openApi({ tokens: TOKENS });
    await api.manager.create("plan", {});
    await api.manager.lock("plan", "bob");
    const path = "/v1/contexts/plan";
    expect(await api.send("DELETE", path, by("root", ANY))).toMatchObject({ status: 423 });
    expect(await api.send("DELETE", `${path}?force=true`, by("writer", ANY))).toMatchObject({
      status: 403,
      body: { details: { needed: "admin", rights: "write" } },
    });
    const stale = by("root", { "if-match": '"1.9"' });
    expect(await api.send("DELETE", `${path}?force=true`, stale)).toMatchObject({ status: 412 });
    expect((await api.send("DELETE", `${path}?force=true`, by("root", ANY))).status).toBe(204);
    expect((await api.send("DELETE", `${path}?force=true`, by("root", ANY))).status).toBe(404);
  });
});

describe("an empty X-Agent-Id", () => {
  it("is nobody, whom every lock stops, unless the token is bound to an agent", async () => {
    await using api = await openApi({ tokens: TOKENS });
    const nobody = { "x-agent-id": "" };
    const body = { context_id: "plan", data: {} };
    const { body: created } = await api.send("POST", "/v1/contexts", by("writer", nobody, { body }));
    expect(created.updated_by).toBeUndefined();
    await api.send("POST", "/v1/contexts/plan/lock", by("bound", nobody));
    expect((await api.manager.get("plan"))?.lockedBy).toBe("ann");
    const write = (token: string): Sent => by(token, { ...nobody, ...ANY }, { body: { step: 2 } });
    expect((await api.send("PUT", "/v1/contexts/plan", write("writer"))).status).toBe(423);
    expect((await api.send("PUT", "/v1/contexts/plan", write("bound"))).body.updated_by).toBe("ann");
  });

  it("holds no lock", async () => {
    await using api = await openApi();
    await api.manager.create("plan", {});
    const headers = { "x-agent-id": "", "lock-token": "1" };
    const several = { headers, body: { context_ids: ["plan"] } };
    for (const answer of [
      await api.send("POST", "/v1/contexts/plan/lock", { headers }),
      await api.send("POST", "/v1/locks", several),
      await api.send("PATCH", "/v1/locks", several),
      await api.send("POST", "/v1/locks/release", several),
    ]) {
      expect(answer).toMatchObject({ status: 400, body: { code: "INVALID", details: { argument: "agentId" } } });
    }
  });
});

describe("count=true", () => {
  it("tells how many contexts there are in all, and the revision of the last commit", async () => {
    await using api = await openApi();
    for (const id of ["a", "b", "c"]) await api.manager.create(id, {});
    await api.manager.delete("c");
    expect((await api.send("GET", "/v1/contexts?prefix=a&count=true")).body).toMatchObject({ count: 2, revision: 4 });
    expect((await api.send("GET", "/v1/contexts")).body).not.toHaveProperty("count");
  });
});
