/**
 * The conformance kit: whether an engine does what a manager needs of it, and a manager what the synchronous one does. It
 * needs no test runner.
 *
 * @packageDocumentation
 */

import { capabilities } from "./capabilities.ts";
import { type Groups, type KitSuite, suiteOf } from "./case.ts";
import { closing } from "./closing.ts";
import { committing } from "./committing.ts";
import { contract } from "./contract.ts";
import { cutting } from "./cutting.ts";
import type { Ground } from "./ground.ts";
import { engineGround, type EngineGround, type EngineHarness } from "./harness.ts";
import { history } from "./history.ts";
import { leases } from "./leases.ts";
import { log } from "./log.ts";
import { managerCapabilities } from "./manager-capabilities.ts";
import { managerGround, type ManagerGround, type ManagerHarness } from "./managers.ts";
import { model } from "./model.ts";
import { pages } from "./pages.ts";
import { placeholders } from "./placeholders.ts";
import { engineRaces, races } from "./races.ts";
import { storing } from "./storing.ts";
import { watching } from "./watching.ts";

export type { KitCase, KitSuite } from "./case.ts";
export type { EngineHarness } from "./harness.ts";
export type { ManagerHarness } from "./managers.ts";

/** What test runners call the functions that group and declare tests. */
export interface TestRunner {
  readonly describe: (name: string, declare: () => void) => unknown;
  readonly it: (name: string, run: () => Promise<void>) => unknown;
}

/** What a manager must do, however it comes by its contexts. */
const OF_MANAGERS: Groups<Ground> = [
  ["a manager over it", [...contract, ...model]],
  ["several clients", races],
  ["watching", watching],
  ["leases", leases],
  ["closing", closing],
  ["cut connections", cutting],
];

const OF_ENGINES: Groups<EngineGround> = [
  ["load and commit", [...committing, ...engineRaces]],
  ["placeholders", placeholders],
  ["what is stored", storing],
  ["the change log", log],
  ["history", history],
  ["list", pages],
  ["what it supports", capabilities],
  ...OF_MANAGERS,
];

/**
 * The cases that an engine must pass: its own, and those of a manager over it. Those that need a hook which the harness
 * has not got are left out.
 *
 * @example
 * ```ts
 * const suite = engineSuite({ name: "mine", open: (store, options) => new MyEngine(store, options) });
 * for (const { group, name, run } of suite.cases) {
 *   await run(); // rejects when the claim does not hold
 *   console.log(`${group}: ${name}`);
 * }
 * ```
 */
export function engineSuite(harness: EngineHarness): KitSuite {
  return suiteOf(harness, OF_ENGINES, (random) => engineGround(harness, random));
}

/**
 * The cases that a manager must pass which is not one over an engine, as a client of a server is: every method and
 * refusal against the synchronous manager, clients that race, watch and hold leases, and what closed means.
 *
 * @example
 * ```ts
 * const suite = managerSuite({
 *   name: "mine",
 *   open: (store, options) => openManager(urlOfServerFor(store, options)),
 * });
 * ```
 */
export function managerSuite(harness: ManagerHarness): KitSuite {
  const groups: Groups<ManagerGround> = [["what it supports", managerCapabilities], ...OF_MANAGERS];
  return suiteOf(harness, groups, (random) => managerGround(harness, random));
}

/**
 * Declares the cases to a test runner: `vitest`, `node:test`, `bun:test`, Jest or Mocha.
 *
 * @example
 * ```ts
 * import { describe, it } from "node:test";
 *
 * runWith(engineSuite(harness), { describe, it });
 * ```
 */
export function runWith({ name, cases }: KitSuite, { describe, it }: TestRunner): void {
  describe(name, () => {
    for (const group of new Set(cases.map((one) => one.group))) {
      describe(group, () => {
        for (const one of cases.filter((other) => other.group === group)) it(one.name, () => one.run());
      });
    }
  });
}
