/** Several processes that write one file as fast as they can: each gets its share. */

import { afterAll, describe, expect, it } from "vitest";
import { runIn } from "./run.ts";
import { sqliteStore } from "./stores.ts";

const PROCESSES = 4;
const MS = 1_500;

const store = sqliteStore("fair.long.test.ts", "full");
afterAll(() => store?.remove());

describe.skipIf(store === undefined)("4 processes that write one file", () => {
  it("get each at least a tenth of the mean, with everything synchronized to the disk", async () => {
    const history = await runIn(store!, { does: "write", seed: 1, processes: PROCESSES, contexts: 4, ms: MS });
    const writes = new Map<number, number>(Array.from({ length: PROCESSES }, (_, process) => [process, 0]));
    for (const { process, ending } of history.operations) {
      if (ending.kind === "ok") writes.set(process, writes.get(process)! + 1);
    }
    const counts = [...writes.values()];
    const mean = counts.reduce((sum, count) => sum + count, 0) / PROCESSES;
    console.info(`fair.long.test.ts: ${counts.join(", ")} writes`);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(mean / 10);
  }, 30_000);
});
