/** What becomes of locks where contexts go and come again, and where waits meet; with each, a mistake that it must notice. */

import { openManager, SharedContextManager } from "shared-context-manager";
import { afterEach, describe, expect, it, vi } from "vitest";
import { AsyncHold } from "../src/async/hold.ts";
import { AsyncStore } from "../src/async/store.ts";
import { Turnstile } from "../src/async/turnstile.ts";
import { Handovers } from "../src/handovers.ts";
import { Hold } from "../src/hold.ts";
import { manualClock, methodOf, refusalOf } from "./support.ts";

/** Lets everything happen that takes no time of its own. */
async function passing(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
}

interface Property {
  readonly says: string;
  readonly check: () => Promise<void>;
  readonly mistake: string;
  readonly make: () => void;
  /** How the mistake shows. */
  readonly shows: RegExp;
}

const PROPERTIES: readonly Property[] = [
  {
    says: "a lease writes as its agent what it has deleted and another has created again",
    async check() {
      const manager = new SharedContextManager();
      for (const id of ["a", "b"]) manager.create(id, {});
      const lease = await manager.agent("ann").acquire(["a", "b"]);
      lease.delete("a");
      manager.create("a", {});
      lease.transact((tx) => tx.patch("a", { step: 1 }));
      expect(manager.get("a")).toMatchObject({ updatedBy: "ann", lockedBy: null });
      lease.release();
    },
    mistake: "it goes by the ids that it was granted",
    make() {
      vi.spyOn(Hold.prototype, "covers").mockImplementation(function granted(this: Hold, contextId) {
        return this.contextIds.includes(contextId);
      });
    },
    shows: /^the lease on context "a" .* is lost/,
  },
  {
    says: "a lease over a storage does so, too",
    async check() {
      await using manager = await openManager("memory:");
      for (const id of ["a", "b"]) await manager.create(id, {});
      const lease = await manager.agent("ann").acquire(["a", "b"]);
      await lease.delete("a");
      await manager.create("a", {});
      await lease.transact((tx) => tx.patch("a", { step: 1 }));
      expect(await manager.get("a")).toMatchObject({ updatedBy: "ann", lockedBy: null });
    },
    mistake: "everything bears its token",
    make() {
      vi.spyOn(AsyncHold.prototype, "authorOf").mockImplementation(function byToken(this: AsyncHold) {
        return this.author;
      });
    },
    shows: /^the lease on context "a" .* is lost/,
  },
  {
    says: "a lease over a storage notices that another has deleted one of its contexts, and gives the others back",
    async check() {
      const clock = manualClock();
      await using manager = await openManager("memory:", { clock });
      for (const id of ["a", "b"]) await manager.create(id, {});
      const lease = await manager.agent("ann").acquire(["a", "b"], { ttlMs: 900 });
      await manager.delete("a");
      clock.advance(300);
      await passing();
      expect((await manager.get("b"))?.lockedBy).toBeNull();
      await refusalOf("LEASE_LOST", lease.patch("b", {}));
    },
    mistake: "what is gone is not renewed, and nothing is said of it",
    make() {
      const renew = methodOf(AsyncStore.prototype, "renew");
      vi.spyOn(AsyncStore.prototype, "renew").mockImplementation(async function present(this: AsyncStore, ids, ...by) {
        const { entries } = await this.look(ids);
        return renew.call(
          this,
          ids.filter((_, index) => entries[index] !== undefined),
          ...by,
        );
      });
    },
    shows: /^expected 'ann' to be null/,
  },
  {
    says: "a clear leaves alone who waits for a context that was created again meanwhile",
    async check() {
      const manager = new SharedContextManager();
      for (const id of ["a", "b"]) manager.create(id, {});
      const lease = await manager.agent("ann").acquire("a");
      let waiting: Promise<unknown> | undefined;
      lease.signal.addEventListener("abort", () => {
        manager.create("b", {});
        manager.lock("b", "cyd");
        waiting = manager.agent("bob").acquire("b");
      });
      manager.clear();
      manager.unlock("b", "cyd");
      await waiting;
      expect(manager.get("b")?.lockedBy).toBe("bob");
      manager.close();
    },
    mistake: "those who wait are looked after once more at its end",
    make() {
      const moved = methodOf(Handovers.prototype, "moved");
      vi.spyOn(Handovers.prototype, "moved").mockImplementation(function twice(this: Handovers, moves) {
        moved.call(this, moves);
        moved.call(this, moves);
      });
    },
    shows: /^context "b" does not exist/,
  },
  {
    says: "of two who begin to wait for each other in one turn, over a storage, one is refused with DEADLOCK",
    async check() {
      const clock = manualClock();
      await using manager = await openManager("memory:", { clock });
      const [ann, bob] = [manager.agent("ann"), manager.agent("bob")];
      for (const id of ["a", "b"]) await manager.create(id, {});
      await Promise.all([ann.acquire("a"), bob.acquire("b")]);
      const waits = [ann.acquire("b", { timeoutMs: 1_000 }), bob.acquire("a", { timeoutMs: 1_000 })] as const;
      const ends = Promise.allSettled(waits);
      await passing();
      clock.advance(1_000);
      await ends;
      await refusalOf("DEADLOCK", waits[1]);
    },
    mistake: "the first comes into line after the second has looked",
    make() {
      const join = methodOf(Turnstile.prototype, "join");
      vi.spyOn(Turnstile.prototype, "join").mockImplementation(function later(this: Turnstile, patient) {
        setImmediate(() => join.call(this, patient));
      });
    },
    shows: /^waited 1000 ms for context "a"/,
  },
];

describe.each(PROPERTIES)("$says", ({ check, mistake, make, shows }) => {
  afterEach(() => vi.restoreAllMocks());

  it("is so", async () => {
    await expect(check()).resolves.toBeUndefined();
  });

  it(`would be caught if ${mistake}`, async () => {
    make();
    await expect(check()).rejects.toThrow(shows);
  });
});
