/** Leases between clients: one holder at a time, and who has lost it cannot write. */

import type { AsyncLease } from "../async/lease.ts";
import { equal, holds, outcomeOf, refused } from "./assert.ts";
import type { Claim } from "./case.ts";
import { type Ground, oneOf, pairOf, pause } from "./ground.ts";

/** A lease that nothing renews: as if the process of its holder hung. */
const HUNG = { ttlMs: 60, maxHoldMs: 0 };

export const leases: readonly Claim<Ground>[] = [
  {
    name: "one holder at a time, and tokens rise",
    async check(ground) {
      const { managers } = await ground.managers(3);
      await managers[0]?.create("a", { entered: 0 });
      let inside = 0;
      const tokens: number[] = [];
      await Promise.all(
        managers.flatMap((manager, client) =>
          [0, 1].map(async (task) => {
            const agent = manager.agent(`agent-${client}-${task}`);
            for (let round = 0; round < 3; round++) {
              await agent.withLock("a", async (lease) => {
                inside += 1;
                holds(inside === 1, "nobody else is inside");
                tokens.push(lease.token);
                const context = await manager.get("a");
                const entered = Number(context?.data["entered"]) + 1;
                await lease.update("a", { entered }, context ?? "1");
                inside -= 1;
              });
            }
          }),
        ),
      );
      equal(
        tokens,
        [...new Set(tokens)].sort((one, other) => one - other),
        "the tokens in the order of the grants",
      );
      equal((await managers[0]?.get("a"))?.data, { entered: 18 }, "what they have counted");
    },
  },
  {
    name: "a lease that is released is handed over to who waits in another client",
    async check(ground) {
      const [one, other] = await pairOf(ground);
      await one.create("a", {});
      const lease = await one.agent("ann").acquire("a");
      const waiting = other.agent("bob").acquire("a");
      equal((await other.get("a"))?.lockedBy, "ann", "the holder before");
      await lease.release();
      const next = await waiting;
      equal((await one.get("a"))?.lockedBy, "bob", "the holder after");
      holds(next.token > lease.token, "the token is a new one", [lease.token, next.token]);
      await next.release();
    },
  },
  {
    name: "in one client leases are granted first in, first out",
    async check(ground) {
      const manager = await oneOf(ground);
      await manager.create("a", {});
      const lease = await manager.agent("first").acquire("a");
      const order: string[] = [];
      const waiting = ["ann", "bob", "cyd", "dan"].map(async (agentId) => {
        const granted: AsyncLease = await manager.agent(agentId).acquire("a");
        order.push(agentId);
        await granted.release();
      });
      while (((await manager.stats()).queues[0]?.waiting ?? 0) < 4) await manager.get("a");
      await lease.release();
      await Promise.all(waiting);
      equal(order, ["ann", "bob", "cyd", "dan"], "the order of the grants");
    },
  },
  {
    name: "once another has taken over, every write by the old token is LEASE_LOST, for good",
    async check(ground) {
      const [one, other] = await pairOf(ground);
      const context = await one.create("a", { by: "nobody" });
      const lease = await one.agent("ann").acquire("a", HUNG);
      const taken = await other.agent("bob").acquire("a");
      const written = await taken.update("a", { by: "bob" }, context);
      await refused("LEASE_LOST", lease.update("a", { by: "ann" }, written), "an update with the right version");
      await refused("LEASE_LOST", lease.patch("a", { by: "ann" }), "a patch");
      await refused("LEASE_LOST", lease.renew(), "a renewal");
      await taken.release();
      await refused("LEASE_LOST", lease.update("a", { by: "ann" }, written), "an update after the other has gone");
      equal((await one.get("a"))?.data, { by: "bob" }, "the data");
    },
  },
  {
    name: "a lease that has lapsed is good until somebody takes it over",
    async check(ground) {
      const [one, other] = await pairOf(ground);
      const context = await one.create("a", { step: 1 });
      const lease = await one.agent("ann").acquire("a", { ttlMs: 1, maxHoldMs: 0 });
      await pause(10);
      equal((await lease.update("a", { step: 2 }, context)).version, "2", "an update past the time to live");
      holds(await other.agent("bob").lock("a"), "another may take the lock");
      await refused("LEASE_LOST", lease.patch("a", { step: 3 }), "a patch after that");
    },
  },
  {
    name: "several contexts are acquired together or not at all",
    async check(ground) {
      const [one, other] = await pairOf(ground);
      for (const id of ["a", "b"]) await one.create(id, {});
      const lease = await one.agent("ann").acquire("b");
      const attempt = other.agent("bob").acquire(["a", "b"], { timeoutMs: 0 });
      equal(await outcomeOf(attempt, () => "granted"), "TIMEOUT", "while one of them is locked");
      equal((await one.get("a"))?.lockedBy, null, "the owner of the other");
      const waiting = other.agent("bob").acquire(["a", "b"]);
      await lease.release();
      const both = await waiting;
      const owners = [(await one.get("a"))?.lock?.token, (await one.get("b"))?.lock?.token];
      equal(owners, [both.token, both.token], "the tokens of both");
      await both.release();
    },
  },
  {
    name: "what a lease deletes is not lost: its signal is silent, and it goes on with its other contexts",
    async check(ground) {
      const [one, other] = await pairOf(ground);
      for (const id of ["a", "b", "c"]) await one.create(id, {});
      const lease = await one.agent("ann").acquire(["a", "b", "c"]);
      const { signal } = lease;
      const heard: string[] = [];
      const stop = one.subscribe(undefined, ({ kind, contextId }) => heard.push(`${kind} ${contextId ?? ""}`));
      holds(await lease.delete("a"), "the first existed");
      holds(await lease.transact((tx) => tx.delete("b")), "the second existed");
      while (!heard.includes("deleted b")) await one.get("c");
      stop();
      holds(!signal.aborted, "the signal is silent");
      await lease.patch("c", { step: 1 });
      await other.create("a", {});
      await lease.transact((tx) => tx.patch("a", { step: 1 }));
      await lease.release();
      equal((await other.get("c"))?.lockedBy, null, "the owner of the third");
      equal((await other.get("a"))?.updatedBy, "ann", "who has written what was created again");
    },
  },
  {
    name: "a lock that is broken by another client is lost, and the signal says so",
    async check(ground) {
      const [one, other] = await pairOf(ground);
      await one.create("a", {});
      const lease = await one.agent("ann").acquire("a");
      const { signal } = lease;
      const aborted = new Promise((resolve) => {
        signal.addEventListener("abort", resolve);
      });
      await other.forceUnlock("a", { reason: "test" });
      await aborted;
      await refused("LEASE_LOST", lease.patch("a", { step: 1 }), "a write after the signal");
    },
  },
];
