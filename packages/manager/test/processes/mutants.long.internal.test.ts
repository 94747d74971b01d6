/** What the tests here are worth: each mistake that is made on purpose, in the processes alone, is found. */

import { afterAll, describe, expect, it } from "vitest";
import { check } from "./checker.ts";
import type { MutantName } from "./mutate.ts";
import { type Run, runIn } from "./run.ts";
import { stopAndGoOn } from "./stop.ts";
import { sqliteStore } from "./stores.ts";

const store = sqliteStore("mutants.long.internal.test.ts");
afterAll(() => store?.remove());

const STORM = { does: "storm", processes: 3, contexts: 3, ms: 600 } as const;
/** One is mostly enough. */
const STORMS = 10;
const CUTS = { request: 0, answer: 0.2, log: 0 };

describe.skipIf(store === undefined)("the checker finds it when", () => {
  it.each<[MutantName, string, Partial<Run>]>([
    ["the token of a lease is not checked", "two holders", {}],
    ["a mismatch is reported as CONFLICT", "unjustified refusal", {}],
    ["who is refused by what was only believed is told so", "unjustified refusal", {}],
    ["what is in the log alone is not read", "", {}],
    ["the log has no operation ids", "done twice", { cuts: CUTS }],
  ])(
    "%s",
    async (mutant, flaw, run) => {
      const findings: string[] = [];
      for (let storms = 0; findings.length === 0 && storms < STORMS; storms++) {
        const seed = Math.floor(Math.random() * 2 ** 31);
        const found = check(await runIn(store!, { ...STORM, ...run, seed, mutant }));
        findings.push(...found.filter((finding) => finding.startsWith(flaw)));
      }
      expect(findings).not.toEqual([]);
    },
    30_000,
  );
});

describe.skipIf(store === undefined)("a stopped holder", () => {
  it("writes over its successor when the token of a lease is not checked", async () => {
    const { told, revision, end } = await stopAndGoOn(store!, "hold", "the token of a lease is not checked");
    expect(end.revision).toBeGreaterThan(revision!);
    expect(told.write).toBe(String(end.revision));
  }, 30_000);
});
