/**
 * Real histories of several processes on one store, checked for linearizability: of 1.5 s, or HISTORY_MS. The seed is
 * printed; HISTORY_SEED repeats it, as far as the timing of processes can be repeated.
 */

import { afterAll, describe, expect, it } from "vitest";
import { check } from "./checker.ts";
import { endingsOf, type History } from "./history.ts";
import { type Run, runIn } from "./run.ts";
import { storesFor, type TestStore } from "./stores.ts";

const MS = Number(process.env["HISTORY_MS"] ?? 1_500);
const SEED = Number(process.env["HISTORY_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const MOST_TRIES = 5;
/** Else there is nothing to be checked. */
const NO_IDYLL = ["CONFLICT", "LEASE_LOST", "LOCKED", "ok"];

const stores = await storesFor("history.long.test.ts");
afterAll(() => Promise.all(stores.map((store) => store.remove())));

describe.skipIf(stores.length === 0)("several processes on one store", () => {
  it.each(stores)(
    "do on $name what one process could have done, one thing after another",
    async (store) => {
      const endings = await endingsOfStorms(store, { processes: 5, contexts: 4, ms: MS }, NO_IDYLL);
      expect([...endings]).toEqual(expect.arrayContaining(NO_IDYLL));
    },
    MOST_TRIES * MS + 30_000,
  );

  it.each(stores)(
    "do so on $name when requests and answers get lost",
    async (store) => {
      const cuts = { request: 0.02, answer: 0.1, log: 0.5 };
      const endings = await endingsOfStorms(store, { processes: 4, contexts: 3, ms: MS / 2, cuts }, ["info"]);
      expect([...endings]).toContain("info");
    },
    MOST_TRIES * MS + 30_000,
  );
});

/**
 * How operations of storms have ended. On a busy machine the little that is done in the time of one may lack some of the
 * endings that are wanted, by chance: then there is another one, of the next seed.
 */
async function endingsOfStorms(
  store: TestStore,
  storm: Omit<Run, "does" | "seed">,
  wanted: readonly string[],
): Promise<ReadonlySet<string>> {
  const endings = new Set<string>();
  for (let seed = SEED; seed < SEED + MOST_TRIES && !wanted.every((ending) => endings.has(ending)); seed++) {
    const history = await runIn(store, { does: "storm", seed, ...storm });
    tell(storm.cuts === undefined ? store.name : `${store.name} with losses`, seed, history);
    expect(check(history)).toEqual([]);
    for (const ending of Object.keys(endingsOf(history))) endings.add(ending.split(" ")[1] ?? "");
  }
  return endings;
}

function tell(name: string, seed: number, history: History): void {
  const { operations, log } = history;
  const endings = Object.entries(endingsOf(history)).map(([ending, times]) => `${times} ${ending}`);
  console.info(`${name}, seed ${seed}: ${operations.length} operations, ${log.length} changes: ${endings.join(", ")}`);
}
