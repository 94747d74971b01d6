/**
 * The conformance kit: whether an engine does what a manager needs of it. It needs no test runner.
 *
 * @packageDocumentation
 */

import { capabilities } from "./capabilities.ts";
import { committing } from "./committing.ts";
import { caseOf, type Claim, type EngineCase, type EngineHarness } from "./harness.ts";
import { history } from "./history.ts";
import { leases } from "./leases.ts";
import { log } from "./log.ts";
import { model } from "./model.ts";
import { pages } from "./pages.ts";
import { placeholders } from "./placeholders.ts";
import { races } from "./races.ts";
import { storing } from "./storing.ts";
import { watching } from "./watching.ts";

export type { EngineCase, EngineHarness } from "./harness.ts";

/** The cases for one engine, in the order in which they are best read. */
export interface EngineSuite {
  readonly name: string;
  readonly cases: readonly EngineCase[];
}

/** What test runners call the functions that group and declare tests. */
export interface TestRunner {
  readonly describe: (name: string, declare: () => void) => unknown;
  readonly it: (name: string, run: () => Promise<void>) => unknown;
}

const GROUPS: readonly (readonly [string, readonly Claim[]])[] = [
  ["load and commit", committing],
  ["placeholders", placeholders],
  ["what is stored", storing],
  ["the change log", log],
  ["history", history],
  ["list", pages],
  ["what it supports", capabilities],
  ["a manager over it", model],
  ["several clients", races],
  ["watching", watching],
  ["leases", leases],
];

/**
 * The cases that an engine must pass. Those that need a hook which the harness has not got are left out.
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
export function engineSuite(harness: EngineHarness): EngineSuite {
  const cases = GROUPS.flatMap(([group, claims]) =>
    claims
      .filter(({ needs }) => needs === undefined || harness[needs] !== undefined)
      .map((claim) => caseOf(harness, group, claim)),
  );
  return { name: harness.name, cases };
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
export function runWith({ name, cases }: EngineSuite, { describe, it }: TestRunner): void {
  describe(name, () => {
    for (const [group] of GROUPS) {
      const own = cases.filter((one) => one.group === group);
      describe(group, () => {
        for (const one of own) it(one.name, () => one.run());
      });
    }
  });
}
