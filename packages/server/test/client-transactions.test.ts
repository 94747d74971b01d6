/** Transactions of a client: planned there, checked and committed by the server. */

import type { AsyncSharedContextManager } from "shared-context-manager";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { follow, refusalOf } from "../../manager/test/support.ts";
import { served, type Served } from "./client-support.ts";

let site: Served;
let manager: AsyncSharedContextManager;
/** Another client, as in another process. */
let other: AsyncSharedContextManager;

beforeEach(async () => {
  site = await served("memory:", {}, { historyLimit: 8 });
  manager = await site.client();
  other = await site.client();
});

afterEach(() => site.close());

describe("transact", () => {
  beforeEach(async () => {
    for (const id of ["x", "y"]) await manager.create(id, { credits: 100 });
  });

  it("commits all of it under one revision, or nothing", async () => {
    const bank = manager.agent("bank");
    await bank.transact(async (tx) => {
      await tx.patch("x", [{ op: "increment", path: "/credits", value: -30 }], undefined, { note: "pay" });
      await tx.patch("y", [{ op: "increment", path: "/credits", value: 30 }]);
      await tx.create("receipt", { credits: 30 });
      await tx.update("receipt", { credits: 31 });
    });
    const [x, y, receipt] = await Promise.all(["x", "y", "receipt"].map((id) => manager.get(id)));
    expect([x?.data, y?.data, receipt?.data]).toEqual([{ credits: 70 }, { credits: 130 }, { credits: 31 }]);
    expect(new Set([x?.revision, y?.revision, receipt?.revision]).size).toBe(1);
    expect([x?.note, x?.updatedBy, receipt?.version]).toEqual(["pay", "bank", "1"]);
    const failure = bank.transact(async (tx) => {
      await tx.delete("x");
      await tx.create("x", { credits: 0 });
      await tx.create("y", {});
    });
    await refusalOf("EXISTS", failure);
    expect((await manager.get("x"))?.data).toEqual({ credits: 70 });
  });

  it("runs again when what it has read has changed, or what was not there is", async () => {
    let runs = 0;
    await manager.agent("bank").transact(async (tx) => {
      runs += 1;
      const credits = (await tx.get("x"))?.data["credits"];
      const isThere = (await tx.get("z")) !== undefined;
      if (runs === 1) await other.agent("bob").patch("x", { credits: 5 });
      if (runs === 2) await other.create("z", {});
      await tx.update("y", { copy: credits, isThere });
    });
    expect([runs, (await manager.get("y"))?.data]).toEqual([3, { copy: 5, isThere: true }]);
  });

  it("that only reads is run again until all of it was so at one moment", async () => {
    let runs = 0;
    const seen = await manager.agent("bank").transact(async (tx) => {
      runs += 1;
      const x = (await tx.get("x"))?.data["credits"];
      if (runs === 1) for (const id of ["x", "y"]) await other.agent("bob").patch(id, { credits: 50 });
      return [x, (await tx.get("y"))?.data["credits"]];
    });
    expect([runs, seen]).toEqual([2, [50, 50]]);
  });

  it("checks that nothing is there without leaving a trace", async () => {
    const watching = follow(manager.watch({ prefix: "z" }));
    await manager.agent("bank").transact(async (tx) => {
      if ((await tx.get("z")) === undefined) await tx.patch("x", { credits: 1 });
    });
    expect([await manager.get("z"), (await manager.get("x"))?.data]).toEqual([undefined, { credits: 1 }]);
    expect(watching.told).toEqual([]);
  });

  it("respects the locks of others, and writes by the token of a lease", async () => {
    const lease = await manager.agent("ann").acquire("x");
    const bank = other.agent("bank");
    await refusalOf(
      "LOCKED",
      bank.transact((tx) => tx.patch("x", { credits: 0 })),
    );
    await lease.transact(async (tx) => {
      await tx.patch("x", { credits: 0 });
      await tx.patch("y", { credits: 0 });
    });
    await lease.transact((tx) => tx.delete("x"));
    expect([await manager.get("x"), lease.expiresAt]).toEqual([undefined, null]);
  });

  it("knows what it has created from what is created again under that id", async () => {
    const ann = manager.agent("ann");
    const created = await ann.transact((tx) => tx.create("p", { n: 1 }));
    await other.delete("p");
    await other.create("p", { n: 2 });
    expect((await refusalOf("CONFLICT", ann.update("p", {}, created))).details.recreated).toBe(true);
    await refusalOf("CONFLICT", ann.delete("p", created));
  });

  it("knows it also where that happens before the server answers", async () => {
    const { store } = site;
    const get = store.get.bind(store);
    let isCommitting = false;
    const again = vi.spyOn(store, "get").mockImplementation(async (contextId) => {
      if (isCommitting) {
        again.mockRestore();
        await store.delete(contextId);
        await store.create(contextId, { n: 2 });
      }
      return get(contextId);
    });
    const ann = manager.agent("ann");
    const created = await ann.transact(async (tx) => {
      const made = await tx.create("p", { n: 1 });
      isCommitting = true;
      return made;
    });
    await store.get("p"); // where the server has not asked
    expect((await refusalOf("CONFLICT", ann.update("p", {}, created))).details.recreated).toBe(true);
  });

  it.each(["{}", '{"results":[null,{"context_id":"p","incarnation":0},{}]}', "done"])(
    "goes by the version alone where a server answers %s",
    async (answer) => {
      const { fetch } = globalThis;
      const elsewhere = vi.spyOn(globalThis, "fetch").mockImplementation(async (url, init) => {
        const response = await fetch(url, init);
        return response.url.endsWith("/v1/transactions") ? new Response(answer) : response;
      });
      const ann = manager.agent("ann");
      const created = await ann.transact((tx) => tx.create("p", { n: 1 }));
      elsewhere.mockRestore();
      await other.delete("p");
      await other.create("p", { n: 2 });
      expect((await ann.update("p", { n: 3 }, created)).version).toBe("2");
    },
  );

  it("merges with what was read before, also when the server keeps that version no more", async () => {
    const base = await manager.get("x");
    for (let turns = 1; turns <= 12; turns++) await other.agent("bob").patch("x", { turns });
    await manager.agent("bank").transact((tx) => tx.patch("x", { credits: 1 }, base));
    expect((await manager.get("x"))?.data).toEqual({ credits: 1, turns: 12 });
  });
});
