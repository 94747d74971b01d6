/** What a client makes of refusals, lost answers, cut streams and servers that are not there. */

import { type AsyncSharedContextManager, openManager } from "shared-context-manager";
import { hashOf, newToken, tokensOf } from "shared-context-server";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { follow, refusalOf } from "../../manager/test/support.ts";
import { type Proxy, proxyTo } from "./client-proxy.ts";
import { served, type Served } from "./client-support.ts";

let site: Served;
let proxy: Proxy;
let manager: AsyncSharedContextManager;

beforeEach(async () => {
  site = await served();
  proxy = await proxyTo(site.port);
  manager = await openManager(proxy.url);
});

afterEach(async () => {
  await manager.close();
  await proxy.close();
  await site.close();
});

describe("an answer that is lost", () => {
  it("of a write that its conditions guard is asked for again, and the write has landed once", async () => {
    proxy.losing = 1;
    const context = await manager.create("a", { step: 1 });
    proxy.losing = 1;
    await manager.update("a", { step: 2 }, context);
    proxy.losing = 1;
    const lease = await manager.agent("ann").acquire("a");
    proxy.losing = 1;
    await lease.release();
    expect((await site.store.history("a")).map(({ version }) => version)).toEqual(["1", "2"]);
    expect(proxy.seen.filter((line) => line.startsWith("PUT"))).toHaveLength(2);
  });

  it("of one on whatever is there is asked for again too, and has landed once", async () => {
    await manager.create("a", { step: 1 });
    proxy.losing = 1;
    await manager.agent("ann").patch("a", [{ op: "increment", path: "/step" }]);
    proxy.losing = 1;
    await manager.agent("ann").restore("a", "1");
    expect((await manager.history("a")).map(({ data }) => data["step"])).toEqual([1, 2, 1]);
  });

  it("of a write is INDETERMINATE when the second one is lost too, or refuses what the first may have done", async () => {
    proxy.losing = 2;
    await refusalOf("INDETERMINATE", manager.create("a", {}));
    proxy.forgetting = true;
    proxy.losing = 1;
    await refusalOf("INDETERMINATE", manager.create("b", {}));
    expect(await manager.listContexts()).toEqual(["a", "b"]);
  });

  it("of a read is asked for again", async () => {
    proxy.losing = 1;
    expect(await manager.get("a")).toBeUndefined();
    proxy.losing = 2;
    await refusalOf("UNAVAILABLE", manager.get("a"));
  });
});

describe("a server that is not there", () => {
  it("is UNAVAILABLE, for writes too: nothing was sent", async () => {
    const client = await site.client();
    await client.create("a", {});
    await site.stop();
    await refusalOf("UNAVAILABLE", client.get("a"));
    await refusalOf("UNAVAILABLE", client.agent("ann").patch("a", {}));
    const { message } = await refusalOf("UNAVAILABLE", openManager(site.url, { token: "secret" }));
    expect(message).not.toContain("secret");
  });

  it("is no server of this kind when something else answers", async () => {
    const { details, message } = await refusalOf("UNSUPPORTED", openManager(`${site.url}/elsewhere`));
    expect(details.received).toContain("NO_ROUTE");
    expect(message).toMatch(/^this URL needs http:\/\/host:port without a path, /);
  });
});

describe("a server that is started again", () => {
  it("knows a write whose answer was lost by its change log", async () => {
    await manager.create("a", { step: 1 });
    proxy.losing = 1;
    proxy.onLoss = () => site.restart();
    await manager.agent("ann").patch("a", [{ op: "increment", path: "/step" }]);
    expect((await site.store.get("a"))?.data).toEqual({ step: 2 });
  });
});

describe("a stream that is cut", () => {
  it("goes on where it was, inside a transaction too: no gap, no duplicate", async () => {
    proxy.eventsAtOnce = 2;
    const watching = follow(manager.watch(undefined, { after: 0 }));
    const writer = site.store.agent("ann");
    const ids = Array.from({ length: 5 }, (_, index) => `a${index}`);
    for (const id of ids) await writer.create(id, {});
    await writer.transact(async (tx) => {
      for (const id of ids) await tx.patch(id, { step: 1 });
    });
    const told = [...ids.map((id, index) => `${index + 1} created ${id}`), ...ids.map((id) => `6 updated ${id}`)];
    await expect.poll(() => watching.told, { timeout: 5_000 }).toEqual(told);
  });

  it("goes on after the server has restarted, with what happened meanwhile", async () => {
    const client = await site.client();
    const watching = follow(client.watch());
    const heard: string[] = [];
    client.subscribe(undefined, ({ contextId }) => heard.push(String(contextId)));
    await client.create("a", {});
    await expect.poll(() => [watching.told, heard]).toEqual([["1 created a"], ["a"]]);
    await site.stop();
    await site.store.create("b", {});
    await site.restart();
    await client.create("c", {});
    await expect.poll(() => watching.told, { timeout: 5_000 }).toEqual(["1 created a", "2 created b", "3 created c"]);
    await expect.poll(() => heard, { timeout: 5_000 }).toEqual(["a", "b", "c"]);
  });
});

describe("openManager of a server", () => {
  it.each([{ historyLimit: 1 }, { changeLogLimit: 1 }, { maxContexts: 1 }, { maxDataBytes: 1 }, { token: "a b" }])(
    "refuses the options %j",
    async (options) => {
      expect((await refusalOf("INVALID", openManager(site.url, options))).details.argument).toBe("options");
    },
  );

  it("refuses parameters, and a password in the URL without showing it", async () => {
    await refusalOf("INVALID", openManager(`${site.url}?namespace=a`));
    const { message } = await refusalOf("INVALID", openManager("http://ann:secret@127.0.0.1"));
    expect(message).not.toContain("secret");
  });

  it("is where token and agentId belong: a storage refuses them", async () => {
    for (const [name, options] of Object.entries({ token: { token: "x" }, agentId: { agentId: "x" } })) {
      expect((await refusalOf("INVALID", openManager("memory:", options))).details.path).toBe(`/${name}`);
    }
  });
});

describe("tokens", () => {
  it("say who acts and what is allowed", async () => {
    const [reads, writes] = [newToken(), newToken()];
    const guarded = await served("memory:", {
      tokens: tokensOf([
        { name: "reader", hash: hashOf(reads), agentId: null, rights: "read" },
        { name: "writer", hash: hashOf(writes), agentId: "ann", rights: "write" },
      ]),
    });
    try {
      expect((await refusalOf("INVALID", openManager(guarded.url))).details.argument).toBe("token");
      expect((await refusalOf("INVALID", openManager(guarded.url, { token: "unknown" }))).message).toBe(
        "token: expected a token that the server knows; received none, or another one",
      );
      const reader = await guarded.client({ token: reads });
      const writer = await guarded.client({ token: writes });
      expect((await writer.create("a", {})).updatedBy).toBe("ann");
      expect((await reader.get("a"))?.version).toBe("1");
      expect((await refusalOf("INVALID", reader.create("b", {}))).message).toBe(
        "token: expected one with write rights; received one with read rights",
      );
      expect(await reader.agent("bob").transact(async (tx) => [await tx.get("a"), await tx.get("b")])).toHaveLength(2);
      await refusalOf("INVALID", writer.agent("bob").create("b", {}));
      await refusalOf(
        "INVALID",
        writer.forceUnlock("a", { reason: "no admin" }).then(() => writer.agent("b").lock("a")),
      );
    } finally {
      await guarded.close();
    }
  });

  it("limits of the server come as TOO_LARGE and LIMIT", async () => {
    const small = await served("memory:", { limits: { maxBodyBytes: 200 } }, { maxContexts: 1, maxDataBytes: 100 });
    try {
      const client = await small.client();
      expect((await refusalOf("TOO_LARGE", client.create("a", { text: "x".repeat(120) }))).details.bytes).toBe(131);
      const data = { text: "é".repeat(900) };
      const { details, message } = await refusalOf("TOO_LARGE", client.create("a", data));
      const bytes = Buffer.byteLength(JSON.stringify({ context_id: "a", data }));
      expect(details).toEqual({ contextId: "a", bytes, maxDataBytes: 200 });
      expect(message).toContain(`takes ${bytes} bytes of JSON, and at most 200 are allowed`);
      await client.create("a", {});
      await refusalOf("LIMIT", client.create("b", {}));
    } finally {
      await small.close();
    }
  });
});
