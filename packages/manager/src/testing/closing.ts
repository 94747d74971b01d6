/** Closed means closed: for every method, and for nobody else. */

import type { AsyncSharedContextManager } from "../async/manager.ts";
import { equal, holds, outcomeOf, refused } from "./assert.ts";
import type { Claim } from "./case.ts";
import { type Ground, oneOf, pairOf } from "./ground.ts";

type Calls = Readonly<Record<string, () => unknown>>;

/** Every method, with arguments that are right. */
async function callsOf(manager: AsyncSharedContextManager): Promise<Calls> {
  const base = await manager.create("a", {});
  const agent = manager.agent("ann");
  const lease = await agent.acquire("a");
  const own: Calls = {
    create: () => manager.create("b", {}),
    get: () => manager.get("a"),
    update: () => manager.update("a", {}, "1"),
    delete: () => manager.delete("a"),
    lock: () => manager.lock("a", "ann"),
    unlock: () => manager.unlock("a", "ann"),
    forceUnlock: () => manager.forceUnlock("a", { reason: "test" }),
    history: () => manager.history("a"),
    blame: () => manager.blame("a"),
    listContexts: () => manager.listContexts(),
    page: () => manager.page(),
    iterator: () => manager[Symbol.asyncIterator]().next(),
    clear: () => manager.clear(),
    size: () => manager.size(),
    agent: () => manager.agent("bob"),
    watch: () => manager.watch(),
    subscribe: () => manager.subscribe("a", () => undefined),
    waitFor: () => manager.waitFor("a", () => true),
    stats: () => manager.stats(),
    toDict: () => manager.toDict(),
  };
  const ofAgent: Calls = {
    "agent.create": () => agent.create("b", {}),
    "agent.update": () => agent.update("a", {}, "1"),
    "agent.patch": () => agent.patch("a", {}),
    "agent.merge": () => agent.merge(base, {}),
    "agent.modify": () => agent.modify("a", ({ data }) => data),
    "agent.restore": () => agent.restore("a", "1"),
    "agent.delete": () => agent.delete("a"),
    "agent.transact": () => agent.transact(() => 1),
    "agent.lock": () => agent.lock("a"),
    "agent.unlock": () => agent.unlock("a"),
    "agent.acquire": () => agent.acquire("a"),
    "agent.withLock": () => agent.withLock("a", () => 1),
  };
  const ofLease: Calls = {
    "lease.update": () => lease.update("a", {}, "1"),
    "lease.patch": () => lease.patch("a", {}),
    "lease.merge": () => lease.merge(base, {}),
    "lease.modify": () => lease.modify("a", ({ data }) => data),
    "lease.restore": () => lease.restore("a", "1"),
    "lease.delete": () => lease.delete("a"),
    "lease.transact": () => lease.transact(() => 1),
    "lease.renew": () => lease.renew(),
    "lease.release": () => lease.release(),
  };
  return { ...own, ...ofAgent, ...ofLease };
}

export const closing: readonly Claim<Ground>[] = [
  {
    name: "every method is CLOSED afterwards, those of agents and leases too, and closing twice does no harm",
    async check(ground) {
      const manager = await oneOf(ground);
      const calls = await callsOf(manager);
      await manager.close();
      await manager.close();
      await manager[Symbol.asyncDispose]();
      for (const [name, call] of Object.entries(calls)) {
        // Some refuse at once, and some by their promise.
        await refused("CLOSED", Promise.resolve().then(call), name);
      }
    },
  },
  {
    name: "whoever watches comes to an end, and whoever waits is CLOSED",
    async check(ground) {
      const manager = await oneOf(ground);
      await manager.create("a", {});
      await manager.lock("a", "bob");
      const stream = manager.watch("a");
      equal((await stream.next()).value?.kind, "current", "what a stream begins with");
      const next = stream.next();
      const waits = [manager.waitFor("b", () => true), manager.agent("ann").acquire("a")];
      const outcomes = waits.map((wait) => outcomeOf<unknown>(wait, () => "done"));
      while ((await manager.stats()).queues.length === 0) await manager.get("a");
      await manager.close();
      equal(await next, { done: true, value: undefined }, "the end of the stream");
      equal(await Promise.all(outcomes), ["CLOSED", "CLOSED"], "those who wait for a condition and for a lock");
    },
  },
  {
    name: "a transaction that runs meanwhile is CLOSED, and has done nothing",
    async check(ground) {
      const [one, other] = await pairOf(ground);
      await one.create("a", { step: 1 });
      await one.create("b", {});
      const running = one.agent("ann").transact(async (tx) => {
        await tx.patch("a", { step: 2 });
        await one.close();
        await refused("CLOSED", tx.get("b"), "tx.get");
        await refused("CLOSED", tx.patch("a", { step: 3 }), "tx.patch");
      });
      await refused("CLOSED", running, "the transaction");
      if (!one.supports.shared) return;
      equal((await other.get("a"))?.data, { step: 1 }, "what is there");
    },
  },
  {
    name: "another client goes on, and what was written stays",
    async check(ground) {
      const [one, other] = await pairOf(ground);
      if (!one.supports.shared) return;
      await one.create("a", { step: 1 });
      await one.close();
      equal((await other.agent("bob").patch("a", { step: 2 })).version, "2", "a write of the other");
    },
  },
  {
    name: "who unsubscribes hears no more, and twice does no harm",
    async check(ground) {
      const [one, other] = await pairOf(ground);
      await one.create("a", {});
      const heard: string[] = [];
      const stop = one.subscribe("a", ({ kind }) => heard.push(kind));
      const controller = new AbortController();
      const stream = one.watch("a", { signal: controller.signal });
      await stream.next();
      await other.agent("bob").patch("a", { step: 1 });
      equal((await stream.next()).value?.kind, "updated", "what is watched");
      while (heard.length === 0) await one.get("a");
      stop();
      stop();
      await other.agent("bob").patch("a", { step: 2 });
      equal((await stream.next()).value?.kind, "updated", "what is watched after that");
      equal(heard, ["updated"], "what was heard");
      const reason = new Error("enough");
      controller.abort(reason);
      holds((await stream.next().catch((error: unknown) => error)) === reason, "the stream ends with the reason");
      equal((await one.stats()).watchers, 0, "who watches still");
    },
  },
  {
    name: "who waits for what does not come is told TIMEOUT, with what is there",
    async check(ground) {
      const manager = await oneOf(ground);
      await manager.create("a", { step: 1 });
      const wait = manager.waitFor("a", ({ version }) => version === "9", { timeoutMs: 20 });
      const error: unknown = await wait.catch((reason: unknown) => reason);
      const { code, details } = error as { code?: string; details?: { current?: { version: string } } };
      equal([code, details?.current?.version], ["TIMEOUT", "1"], "the refusal");
    },
  },
];
