/** Locks and leases of clients of one server. */

import { type AsyncSharedContextManager, isContextError } from "shared-context-manager";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { refusalOf } from "../../manager/test/support.ts";
import { served, type Served } from "./client-support.ts";

let site: Served;
let manager: AsyncSharedContextManager;
let other: AsyncSharedContextManager;

beforeEach(async () => {
  site = await served();
  manager = await site.client();
  other = await site.client();
  await manager.create("a", { step: 0 });
});

afterEach(() => site.close());

describe("a lease", () => {
  it("goes from client to client, and no two hold it at once", async () => {
    let holders = 0;
    let most = 0;
    const work = [manager, other, manager, other].map((client, index) =>
      client.agent(`agent ${index}`).withLock("a", async (lease) => {
        holders += 1;
        most = Math.max(most, holders);
        const context = await client.get("a");
        await lease.update("a", { step: Number(context?.data["step"]) + 1 }, context ?? "");
        holders -= 1;
      }),
    );
    await Promise.all(work);
    expect([most, (await manager.get("a"))?.data]).toEqual([1, { step: 4 }]);
  });

  it("renews itself, and holds longer than its time to live", async () => {
    const lease = await manager.agent("ann").acquire("a", { ttlMs: 300 });
    await new Promise((resolve) => {
      setTimeout(resolve, 700);
    });
    await refusalOf("TIMEOUT", other.agent("bob").acquire("a", { timeoutMs: 0 }));
    await lease.patch("a", { step: 1 });
    await lease.renew();
    await lease.release();
    expect((await manager.get("a"))?.lockedBy).toBeNull();
  });

  it("that nothing renews is taken over, and lost for good", async () => {
    const lease = await manager.agent("ann").acquire("a", { ttlMs: 100, maxHoldMs: 0 });
    const taken = await other.agent("bob").acquire("a");
    expect(taken.token).toBeGreaterThan(lease.token);
    const { details } = await refusalOf("LEASE_LOST", lease.patch("a", { step: 1 }));
    expect(details).toMatchObject({ contextId: "a", token: lease.token, owner: "bob" });
    await refusalOf("LEASE_LOST", lease.release());
    expect((await manager.stats()).leasesLost).toBe(1);
  });

  it("aborts its signal when it is broken by force", async () => {
    const lease = await manager.agent("ann").acquire("a");
    const { signal } = lease;
    expect(await other.forceUnlock("a", { reason: "it hangs", agentId: "operator" })).toBe(true);
    await expect.poll(() => signal.aborted).toBe(true);
    expect(isContextError(signal.reason, "LEASE_LOST")).toBe(true);
  });

  it("aborts a signal that is asked for later with the reason, too", async () => {
    const lease = await manager.agent("ann").acquire("a");
    await other.forceUnlock("a", { reason: "it hangs", agentId: "operator" });
    const { signal } = lease;
    await expect.poll(() => signal.aborted).toBe(true);
    const reason = '"operator" had it unlocked by force: it hangs';
    expect(signal.reason).toMatchObject({ code: "LEASE_LOST", details: { reason } });
  });

  it("on what the same agent holds already is DEADLOCK, and the first one stays", async () => {
    const ann = manager.agent("ann");
    const lease = await ann.acquire("a");
    await refusalOf("DEADLOCK", ann.acquire("a"));
    await lease.patch("a", { step: 1 });
    await lease.release();
    expect(await manager.get("a")).toMatchObject({ data: { step: 1 }, lockedBy: null });
  });
});

describe("waiting for a lock", () => {
  it("ends as soon as another client releases it", async () => {
    const lease = await other.agent("bob").acquire("a");
    const waiting = manager.agent("ann").acquire("a", { timeoutMs: 5_000 });
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
    const releasedMs = performance.now();
    await lease.release();
    await (await waiting).release();
    expect(performance.now() - releasedMs).toBeLessThan(900);
  });

  it("ends with TIMEOUT and the holder, with the reason of the signal, with NOT_FOUND, or with CLOSED", async () => {
    await other.agent("bob").acquire("a");
    const ann = manager.agent("ann");
    const { details } = await refusalOf("TIMEOUT", ann.acquire("a", { timeoutMs: 50 }));
    expect(details.holder?.owner).toBe("bob");
    const controller = new AbortController();
    const aborted = ann.acquire("a", controller);
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    const gone = ann.acquire("a");
    await expect.poll(async () => (await manager.stats()).queues.length).toBe(1);
    await site.store.delete("a");
    await refusalOf("NOT_FOUND", gone);
    await manager.create("b", {});
    await other.lock("b", "bob");
    const closed = ann.acquire("b");
    await expect.poll(async () => (await manager.stats()).queues.length).toBe(1);
    await manager.close();
    await refusalOf("CLOSED", closed);
  });
});

describe("the flag", () => {
  it("is for ever, says since when, and the owner's second lock moves nothing", async () => {
    expect(await manager.lock("a", "ann")).toBe(true);
    const first = (await manager.get("a"))?.lock;
    expect([first?.expiresAt, first?.since]).toEqual([null, (await site.store.get("a"))?.lock?.since]);
    expect(await manager.lock("a", "ann")).toBe(true);
    expect((await manager.get("a"))?.lock).toEqual(first);
    expect(await manager.lock("a", "ann", { ttlMs: 60_000 })).toBe(true);
    expect(await manager.lock("a", "ann")).toBe(true);
    expect((await manager.get("a"))?.lock).toMatchObject({ token: first?.token, expiresAt: expect.any(Date) as Date });
  });

  it("an agent that closes gives back what it holds, by whatever client", async () => {
    await manager.create("b", {});
    await manager.agent("ann").lock("a");
    await other.agent("ann").lock("b");
    const bob = other.agent("bob");
    await manager.agent("ann").close();
    expect([await bob.lock("a"), await bob.lock("b")]).toEqual([true, true]);
  });
});
