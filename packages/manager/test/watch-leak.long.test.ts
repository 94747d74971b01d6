/** A million of each leaves the heap as it was, and no listener on any signal. */

import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { SharedContextManager } from "shared-context-manager";
import { expect, it } from "vitest";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

const manager = new SharedContextManager<{ step?: number }>({ changeLogLimit: 10 });
manager.create("a", {});
const { signal } = new AbortController();

/** Runs a cycle 1,000,000 times, every other time with a signal: what is left of it on the heap. */
async function growth(cycle: (options: { signal?: AbortSignal }, index: number) => unknown): Promise<number> {
  const run = async (times: number): Promise<void> => {
    for (let index = 0; index < times; index++) await cycle(index % 2 === 0 ? { signal } : {}, index);
  };
  await run(10_000);
  const before = heapBytes();
  await run(1_000_000);
  const { watchers, lag } = manager.stats();
  expect([watchers, lag, getEventListeners(signal, "abort")]).toEqual([0, 0, []]);
  return heapBytes() - before;
}

it("1,000,000 watches that begin and end leave the heap as it was", async () => {
  const filters = ["a", undefined, { prefix: "a" }];
  const bytes = await growth(async (options, index) => {
    const stream = manager.watch(filters[index % 3], options);
    await stream.next();
    if (index % 3 === 0) void stream.next(); // waits in vain
    await stream.return?.();
  });
  expect(bytes).toBeLessThan(2_000_000);
}, 60_000);

it("1,000,000 subscriptions that begin and end leave the heap as it was", async () => {
  let heard = 0;
  const bytes = await growth((_options, index) => {
    const unsubscribe = manager.subscribe(index % 2 === 0 ? "a" : { prefix: `p${index}` }, () => (heard += 1));
    unsubscribe();
  });
  expect([bytes < 2_000_000, heard]).toEqual([true, 0]);
}, 60_000);

it("1,000,000 waits for a condition leave the heap as it was", async () => {
  const agent = manager.agent("ann");
  const bytes = await growth(async (options, index) => {
    const wait = manager.waitFor("a", ({ data }) => data.step === index, options);
    agent.patch("a", { step: index });
    await wait;
  });
  expect(bytes).toBeLessThan(2_000_000);
}, 60_000);
