/** The same for leases. */

import { inTurn, type Script } from "./script.ts";

export const LEASE_SCRIPTS: Readonly<Record<string, Script>> = {
  "a lease bears its token, and is released": async function* (m) {
    yield () => m.agent("ann").acquire("a");
    await m.create("a", { step: 1 });
    const lease = await m.agent("ann").acquire("a", { ttlMs: 5_000 });
    yield () => [lease.agentId, lease.contextIds, lease.expiresAt];
    yield () => lease.update("a", { step: 2 }, "1", { note: "under the lease" });
    yield () => lease.patch("a", { step: 3 });
    yield () => lease.modify("a", () => ({ step: 4 }));
    yield () => lease.restore("a", "1");
    yield () => lease.update("b", {}, "1");
    yield () => m.agent("bob").acquire("a", { timeoutMs: 0 });
    yield () => m.agent("ann").acquire("a");
    yield () => lease.release();
    yield () => lease.release();
    yield () => lease.expiresAt;
    yield () => lease.update("a", {}, "5");
    yield () => m.get("a");
  },
  "a lease merges, commits several writes as one, and is renewed": async function* (m) {
    for (const id of ["a", "b", "c"]) await m.create(id, { left: 1, right: 1 });
    const base = await m.get("a");
    const lease = await m.agent("ann").acquire(["b", "a", "b"], { ttlMs: 60_000 });
    yield () => lease.contextIds;
    yield () => lease.patch("a", { left: 2 });
    yield () => base && lease.merge(base, { left: 1, right: 2 });
    yield () => base && lease.merge(base, { left: 3, right: 1 });
    yield () => lease.renew();
    yield () => lease.transact((tx) => inTurn([() => tx.patch("b", { left: 2 }), () => tx.patch("c", { left: 2 })]));
    yield () => m.agent("bob").acquire(["c", "b"], { timeoutMs: 0 });
    yield () => lease.signal.aborted;
    yield () => m.forceUnlock("b", { reason: "test" });
    yield () => lease.patch("b", { left: 3 });
    // Who lets go of the rest of a broken lease, and when, is up to what a manager has heard of.
    for (const id of ["a", "b", "c"]) yield async () => (await m.get(id))?.data;
  },
  "withLock hands a lease to its function, and gives it back whatever happens": async function* (m) {
    const ann = m.agent("ann");
    yield () => ann.withLock("a", () => "never");
    await m.create("a", { step: 1 });
    yield () => ann.withLock("a", (lease) => lease.patch("a", { step: 2 }));
    yield () => ann.withLock("a", (lease) => lease.update("a", {}, "1"));
    yield async () => (await m.get("a"))?.lockedBy;
  },
  "a lease deletes what it holds": async function* (m) {
    await m.create("a", {});
    const lease = await m.agent("ann").acquire("a");
    yield () => lease.delete("a", "7");
    yield () => lease.delete("a");
    yield () => lease.release();
  },
};
