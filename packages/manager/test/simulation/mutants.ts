/** Managers and engines that do what they must not: what a simulation that is worth anything finds out. */

import { vi } from "vitest";
import { ContextError } from "shared-context-manager";
import { Follower } from "../../src/async/follower.ts";
import { AsyncStore } from "../../src/async/store.ts";
import { Turnstile } from "../../src/async/turnstile.ts";
import type { CommitOutcome, Transaction } from "../../src/engine.ts";
import { methodOf } from "../support.ts";
import { Ledger } from "./ledger.ts";
import { Network } from "./network.ts";
import { VirtualTime } from "./virtual-time.ts";

/** By what is wrong: it is put in place of what is right. */
export const MUTANTS: Readonly<Record<string, () => void>> = {
  "a commit whose reply was lost is sent again without a look for it": () => {
    vi.spyOn(Network.prototype, "loses").mockImplementation((transactions) =>
      transactions.map(() => ({ kind: "mismatch" })),
    );
  },
  "a commit whose reply was lost is taken for done": () => {
    vi.spyOn(Network.prototype, "loses").mockImplementation((transactions) =>
      transactions.map(() => ({ kind: "ok", revision: 1 })),
    );
  },
  "a commit that was given up lands later": () => {
    const loses = methodOf(Network.prototype, "loses");
    vi.spyOn(Network.prototype, "loses").mockImplementation(function landsLate(this: Network, transactions) {
      this.time.setTimer(() => void this.store.commit(transactions), 25);
      return loses.call(this, transactions);
    });
  },
  "a mismatch is taken for a success": () => {
    outcomesOf((outcome) => (outcome.kind === "mismatch" ? { kind: "ok", revision: 1 } : outcome));
  },
  "a mismatch is told as a CONFLICT": () => {
    outcomesOf((outcome) => {
      if (outcome.kind !== "mismatch") return outcome;
      const details = { version: "2", current: undefined as never, recreated: false, conflicts: [], writers: [] };
      throw new ContextError("CONFLICT", { contextId: "a", expected: "1", ...details });
    });
  },
  "the engine does not compare": () => {
    const commit = methodOf(Ledger.prototype, "commit");
    vi.spyOn(Ledger.prototype, "commit").mockImplementation(function sets(this: Ledger, transactions) {
      const blind = (transaction: Transaction): Transaction => ({
        ...transaction,
        writes: transaction.writes.map((write) => ({
          ...write,
          expect: write.expect < 0 ? write.expect : (this.at(write.id, this.head)?.revision ?? 0),
        })),
      });
      return commit.call(this, transactions.map(blind));
    });
  },
  "the token of a lease is not looked at": () => {
    const update = methodOf(AsyncStore.prototype, "update");
    const edit = methodOf(AsyncStore.prototype, "edit");
    vi.spyOn(AsyncStore.prototype, "update").mockImplementation(function byName(this: AsyncStore, command) {
      return update.call(this, { ...command, author: { ...command.author, token: null } });
    });
    vi.spyOn(AsyncStore.prototype, "edit").mockImplementation(function byName(this: AsyncStore, command) {
      return edit.call(this, { ...command, author: { ...command.author, token: null } });
    });
  },
  "clocks differ": () => {
    const load = methodOf(Network.prototype, "load");
    vi.spyOn(Network.prototype, "load").mockImplementation(async function hurries(this: Network, ...request) {
      const loaded = await load.apply(this, request);
      const { wallMs, leaseMs } = loaded.time;
      return { ...loaded, time: { wallMs, leaseMs: leaseMs + this.time.random.below(2) * 200 } };
    });
  },
  "what a transaction has only read is not looked at again": () => {
    vi.spyOn(AsyncStore.prototype, "commitPlan").mockImplementation(function writesOnly(this: AsyncStore, plan) {
      const steps = plan.steps.filter(({ found, next }) => next !== found);
      return this.run({
        contextIds: steps.map(({ contextId }) => contextId),
        plan: (committed) => {
          for (const { contextId, found, next, act } of steps) {
            if (committed.read(contextId)?.revision !== found?.revision) return false;
            committed.write(contextId, next && { ...next, lock: next.lock && { ...next.lock } }, act);
          }
          return true;
        },
      });
    });
  },
  "a change is dropped on the way to who watches": () => {
    const read = methodOf(Follower.prototype, "read");
    vi.spyOn(Follower.prototype, "read").mockImplementation(async function drops(this: Follower, ...request) {
      const page = await read.apply(this, request);
      return "oldest" in page ? page : { ...page, records: page.records.filter(({ revision }) => revision % 7 > 0) };
    });
  },
  "a change is told twice": () => {
    const read = methodOf(Follower.prototype, "read");
    vi.spyOn(Follower.prototype, "read").mockImplementation(async function repeats(this: Follower, ...request) {
      const page = await read.apply(this, request);
      return "oldest" in page ? page : { ...page, records: page.records.flatMap((record) => [record, record]) };
    });
  },
  "a lost hint is never made good": () => {
    vi.spyOn(VirtualTime.prototype, "repeat").mockReturnValue(() => undefined);
    vi.spyOn(Follower.prototype, "saw").mockReturnValue();
  },
  "nobody is ever first in line": () => {
    vi.spyOn(Turnstile.prototype, "isFirst").mockReturnValue(false);
  },
};

function outcomesOf(change: (outcome: CommitOutcome) => CommitOutcome): void {
  const commit = methodOf(Network.prototype, "commit");
  vi.spyOn(Network.prototype, "commit").mockImplementation(async function changed(this: Network, transactions) {
    return (await commit.call(this, transactions)).map(change);
  });
}
