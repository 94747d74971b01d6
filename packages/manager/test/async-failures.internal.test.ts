/** What callers are told while a storage fails, and when it fails because it has been closed. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../src/clock.ts";
import type { Engine } from "../src/engine.ts";
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
