/**
 * Real histories of several processes on one store, checked for linearizability: of 1.5 s, or HISTORY_MS. The seed is
 * printed; HISTORY_SEED repeats it, as far as the timing of processes can be repeated.
 */

import { afterAll, describe, expect, it } from "vitest";
import { check } from "./checker.ts";
import { endingsOf, type History } from "./history.ts";
import { runIn } from "./run.ts";
import { storesFor } from "./stores.ts";

const MS = Number(process.env["HISTORY_MS"] ?? 1_500);
const SEED = Number(process.env["HISTORY_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
/** Until some operation has ended without an answer. */
const MOST_TRIES = 5;

const stores = await storesFor("history.long.test.ts");
afterAll(() => Promise.all(stores.map((store) => store.remove())));

describe.skipIf(stores.length === 0)("several processes on one store", () => {
  it.each(stores)(
    "do on $name what one process could have done, one thing after another",
    async (store) => {
      const history = await runIn(store, { does: "storm", seed: SEED, processes: 5, contexts: 4, ms: MS });
      tell(store.name, SEED, history);
      expect(check(history)).toEqual([]);
      // It was no idyll.
      const endings = ["CONFLICT", "LEASE_LOST", "LOCKED", "ok"].map((ending) => expect.stringMatching(` ${ending}$`));
      expect(Object.keys(endingsOf(history))).toEqual(expect.arrayContaining(endings));
    },
    MS + 30_000,
  );

  it.each(stores)(
    "do so on $name when requests and answers get lost",
    async (store) => {
      const cuts = { request: 0.02, answer: 0.1, log: 0.5 };
      let unknown = 0;
      // On a busy machine the little that is done in this time may all be answered.
      for (let seed = SEED; unknown === 0 && seed < SEED + MOST_TRIES; seed++) {
        const history = await runIn(store, { does: "storm", seed, processes: 4, contexts: 3, ms: MS / 2, cuts });
        tell(`${store.name} with losses`, seed, history);
        expect(check(history)).toEqual([]);
        unknown += Object.keys(endingsOf(history)).filter((ending) => ending.endsWith("info")).length;
      }
      expect(unknown).toBeGreaterThan(0);
    },
    MOST_TRIES * MS + 30_000,
  );
});

function tell(name: string, seed: number, history: History): void {
  const { operations, log } = history;
  const endings = Object.entries(endingsOf(history)).map(([ending, times]) => `${times} ${ending}`);
  console.info(`${name}, seed ${seed}: ${operations.length} operations, ${log.length} changes: ${endings.join(", ")}`);
}
