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

it("1,000,000 leases taken and released leave the heap as it was", async () => {
  const manager = new SharedContextManager();
  for (const id of ["a", "b"]) manager.create(id, {});
  const [ann, bob] = ["ann", "bob"].map((name) => manager.agent(name)) as [
    ReturnType<typeof manager.agent>,
    ReturnType<typeof manager.agent>,
  ];
  const cycle = async (times: number): Promise<void> => {
    for (let index = 0; index < times; index++) {
      const lease = await ann.acquire("a");
      if (index % 10 === 0) {
        const wait = bob.acquire(["b", "a"]);
        lease.release();
        (await wait).release();
      }
      lease.release();
    }
  };
  await cycle(10_000);
  const before = heapBytes();
  await cycle(1_000_000);
  expect(heapBytes() - before).toBeLessThan(2_000_000);
}, 60_000);
