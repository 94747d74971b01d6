/** Writes that went out together, when the answer to all of them is lost. */

import { isContextError, managerOver } from "shared-context-manager";
import { expect, it } from "vitest";
import type * as Clock from "../../src/clock.ts";
import type * as Memory from "../../src/engines/memory.ts";
import { moduleOf } from "../engines/support.ts";
import { cutting } from "./cutting.ts";
import type { Board } from "./history.ts";
import type { Manager } from "./package.ts";

const { MemoryEngine } = await moduleOf<typeof Memory>("engines/memory");
const { systemClock } = await moduleOf<typeof Clock>("clock");

/** A manager over an engine that loses the answer to the first commit from now on. */
async function losingOne(log: number): Promise<{ manager: Manager; loseOne: () => void }> {
  const engine = new MemoryEngine(systemClock, { historyLimit: 64, changeLogLimit: 1_000 });
  let answers = 0;
  // Asked for: whether the request is lost, whether the answer is, and then whether the log is.
  const dice = [(): number => 1, (): number => Number(answers-- !== 1), (): number => 0];
  let throws = 0;
  const random = (): number => {
    const value = dice[throws++]!();
    if (throws === 3 || (throws === 2 && value === 1)) throws = 0;
    return value;
  };
  const manager = await managerOver<Board>(cutting(engine, { request: 0.5, answer: 0.5, log }, random));
  await manager.create("a", { count: 1, marks: {} });
  return { manager, loseOne: () => (answers = 1) };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "ok";
  } catch (error) {
    return isContextError(error) ? error.code : String(error);
  }
}

const ADD = [{ op: "increment", path: "/count", value: 1 }] as const;

it("happen once each when the change log tells of them", async () => {
  const { manager, loseOne } = await losingOne(0);
  const agent = manager.agent("ann");
  loseOne();
  const codes = await Promise.all([codeOf(agent.patch("a", ADD)), codeOf(agent.patch("a", ADD))]);
  expect(codes).toEqual(["ok", "ok"]);
  expect((await manager.get("a"))?.data.count).toBe(3);
});

it("happen once each when the change log could not be read just then", async () => {
  const { manager, loseOne } = await losingOne(1);
  const agent = manager.agent("ann");
  loseOne();
  const codes = await Promise.all([codeOf(agent.patch("a", ADD)), codeOf(agent.patch("a", ADD))]);
  expect(codes).toEqual(["INDETERMINATE", "INDETERMINATE"]);
  expect((await manager.get("a"))?.data.count).toBe(3);
});

it("happen once each when the first of them was a renewal, which is no change", async () => {
  const { manager, loseOne } = await losingOne(0);
  const lease = await manager.agent("ann").acquire("a", { ttlMs: 60_000 });
  loseOne();
  const codes = await Promise.all([codeOf(lease.renew()), codeOf(lease.patch("a", ADD))]);
  expect(codes).toEqual(["ok", "ok"]);
  expect((await manager.get("a"))?.data.count).toBe(2);
  await lease.release();
});
