/**
 * Small systems on virtual time: processes, agents and a network that delays, cuts and loses, all by one seed. A failure
 * prints the seed; replay it with SIM_SEED.
 */

import { afterEach, describe, expect, it, vi } from "vitest";
import { MUTANTS } from "./mutants.ts";
import { simulate, type Tally } from "./simulation.ts";

const replayed = process.env["SIM_SEED"] ?? process.env["FC_SEED"];
const RUNS = Number(process.env["SHARED_CONTEXT_SEEDS"] ?? 100);
const FIRST = replayed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(replayed);
const MOST_RUNS = 10 * RUNS;
const MUTANT_RUNS = 300;

describe("managers of several processes over one store", () => {
  it("keep all laws, whatever chance makes of their network", async () => {
    const tally: Tally = new Map();
    if (replayed !== undefined) return void (await simulate(FIRST, tally));
    const ends = ["CONFLICT", "INDETERMINATE", "LEASE_LOST", "LOCKED", "NOT_FOUND", "TIMEOUT", "GAP", "UNAVAILABLE"];
    const ways = ["acquire", "delete", "get", "increment", "merge", "modify", "move", "restore", "update", "witness"];
    const isComplete = (): boolean => [...ends, ...ways].every((one) => tally.has(one));
    // What happens in one run of fifty may not be among these: then some more are made.
    for (let run = 0; run < RUNS || (run < MOST_RUNS && !isComplete()); run++) await simulate(FIRST + run, tally);
    expect([...tally.keys()]).toEqual(expect.arrayContaining([...ends, ...ways]));
  }, 120_000);

  it("do the same again for the same seed", async () => {
    for (const seed of [1, 2, 3]) expect(await simulate(seed)).toBe(await simulate(seed));
  });
});

describe("the simulation", () => {
  afterEach(() => vi.restoreAllMocks());

  it.each(Object.entries(MUTANTS))(
    "finds out if %s",
    async (_wrong, mutate) => {
      mutate();
      const all = async (): Promise<void> => {
        for (let seed = 1; seed <= MUTANT_RUNS; seed++) await simulate(seed);
      };
      await expect(all()).rejects.toThrow(/^seed \d+: /);
    },
    60_000,
  );
});
