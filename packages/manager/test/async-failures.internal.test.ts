/** What callers are told while a storage fails, and when it fails because it has been closed. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../src/clock.ts";
import type { CommitOutcome, Engine, Transaction } from "../src/engine.ts";
import type { Entry } from "../src/entry.ts";
import { MemoryEngine } from "../src/engines/memory.ts";
import { type AsyncAgent, type AsyncSharedContextManager, managerOver } from "../src/index.ts";
import { refusalOf } from "./support.ts";

const DOWN = new Error("down");

let isDown: boolean;
let manager: AsyncSharedContextManager;
let ann: AsyncAgent;

beforeEach(async () => {
  isDown = false;
  const memory = new MemoryEngine(systemClock, { historyLimit: 8, changeLogLimit: 1_000 });
  const failing = new Proxy<Engine>(memory, {
    get(target, name: keyof Engine) {
      const member = target[name];
      if (typeof member !== "function") return member;
      const call = member.bind(target) as (...args: unknown[]) => unknown;
      if (name === "onWake" || name === "sent") return call;
      return (...args: unknown[]) => {
        if (name === "close") isDown = true;
        else if (isDown) return Promise.reject(DOWN);
        return call(...args);
      };
    },
  });
  manager = await managerOver(failing);
  await manager.create("a", {});
  ann = manager.agent("ann");
});

afterEach(() => manager.close());

const READS: readonly [string, () => Promise<unknown>][] = [
  ["get", () => manager.get("a")],
  ["history", () => manager.history("a")],
  ["blame", () => manager.blame("a")],
  ["listContexts", () => manager.listContexts()],
  ["page", () => manager.page()],
  ["iteration", () => manager[Symbol.asyncIterator]().next()],
  ["size", () => manager.size()],
  ["stats", () => manager.stats()],
  ["toDict", () => manager.toDict()],
  ["watch", () => manager.watch("a").next()],
  ["watch of all", () => manager.watch().next()],
  ["watch with after", () => manager.watch("a", { after: 0 }).next()],
  ["waitFor", () => manager.waitFor("a", () => true)],
  ["agent.modify", () => ann.modify("a", ({ data }) => data)],
  ["tx.get", () => ann.transact((tx) => tx.get("a"))],
  ["agent.close", () => ann.close()],
];

describe("while the storage fails", () => {
  it.each([...READS, ["agent.patch", () => ann.patch("a", { step: 1 })] as const])(
    "%s is UNAVAILABLE, and its cause is what the storage says",
    async (_name, read) => {
      isDown = true;
      const error = await refusalOf("UNAVAILABLE", read());
      expect(error.details.reason).toBe("down");
      expect(error.cause).toBe(DOWN);
    },
  );

  it("transact hands on what its function throws", async () => {
    const reason = new Error("no");
    const thrown = ann.transact(async (tx) => {
      await tx.get("a");
      isDown = true;
      throw reason;
    });
    await expect(thrown).rejects.toBe(reason);
  });
});

describe("a commit that is cut off every time", () => {
  const OVERLONG = new Error("the message is too long");

  /** Whatever is about that context kills the connection: nothing is committed, and nothing is known of it. */
  class Fragile extends MemoryEngine {
    cuts = 0;

    override commit(transactions: readonly Transaction[]): Promise<CommitOutcome[]> {
      if (!transactions.some(({ writes }) => writes.some(({ id }) => id === "huge"))) return super.commit(transactions);
      this.cuts += 1;
      return Promise.resolve(transactions.map(() => ({ kind: "indeterminate", cause: OVERLONG })));
    }
  }

  it("is UNAVAILABLE in the end, with what cut it off as its cause, and the others go on", async () => {
    const engine = new Fragile(systemClock, { historyLimit: 8, changeLogLimit: 1_000 });
    await using fragile = await managerOver(engine);
    const error = await refusalOf("UNAVAILABLE", fragile.create("huge", {}));
    expect(error.details.reason).toBe("the message is too long");
    expect(error.cause).toBe(OVERLONG);
    expect(engine.cuts).toBe(8);
    expect((await fragile.stats()).refusals.UNAVAILABLE).toBe(1);
    await fragile.create("a", {});
    expect(await fragile.listContexts()).toEqual(["a"]);
  });
});

describe("a history that has lost a version", () => {
  /** As where another process keeps fewer versions, or the storage has evicted one. */
  class Forgetful extends MemoryEngine {
    override async history(id: string): Promise<Entry[]> {
      return (await super.history(id)).filter(({ version }) => version !== "2");
    }
  }

  it("blames nobody for what was written in it: all that is known is that it was there after that", async () => {
    await using forgetful = await managerOver(new Forgetful(systemClock, { historyLimit: 8, changeLogLimit: 1_000 }));
    await forgetful.agent("ann").create("a", { budget: 100, step: 1 });
    await forgetful.agent("bob").patch("a", { budget: 10 });
    await forgetful.agent("cyd").patch("a", { step: 2 });
    await forgetful.agent("dan").patch("a", { step: 3 });
    expect(await forgetful.blame("a")).toMatchObject([
      { path: "/budget", version: "3", orEarlier: true },
      { path: "/step", version: "4", agentId: "dan", orEarlier: false },
    ]);
  });
});

describe("what the manager is closed in the middle of", () => {
  it.each(READS.slice(1, 3))("%s, is CLOSED between two readings", async (_name, read) => {
    const refused = refusalOf("CLOSED", read());
    await manager.close();
    expect((await refused).details).toEqual({});
  });

  it("iteration, is CLOSED after the page that was read", async () => {
    await Promise.all(Array.from({ length: 500 }, (_, index) => manager.create(`more-${index}`, {})));
    let count = 0;
    const read = async (): Promise<void> => {
      for await (const context of manager) {
        count += Number(context.version);
        if (count === 1) void manager.close();
      }
    };
    await refusalOf("CLOSED", read());
    expect(count).toBe(500);
  });
});
