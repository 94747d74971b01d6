/** The kit is worth what it catches: each engine here breaks the contract in one way, and some case fails. */

import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { MemoryEngine } from "../../src/engines/memory.ts";
import { type EngineHarness, type KitSuite, engineSuite, runWith } from "../../src/testing/index.ts";
import { type Mutant, mutants, open } from "./mutants.ts";

/** What needs no patience: the waits of the other groups would not end over an engine that is broken. */
const GROUPS = ["load and commit", "placeholders", "what is stored", "the change log", "history", "list"];
const LATER = ["what it supports"];

async function failuresOf({ cases }: KitSuite, groups: readonly string[]): Promise<string[]> {
  const failures: string[] = [];
  for (const { group, name, run } of cases.filter((one) => groups.includes(one.group))) {
    try {
      await run();
    } catch {
      failures.push(`${group}: ${name}`);
      break;
    }
  }
  return failures;
}

async function isCaught(mutant: Mutant): Promise<boolean> {
  const suite = engineSuite({ name: mutant.breaks, open: (_store, options) => open(mutant, options) });
  return (await failuresOf(suite, [...GROUPS, ...LATER])).length > 0;
}

const reference: EngineHarness = {
  name: "memory",
  open: (_store, options) => new MemoryEngine(systemClock, options),
};

describe("the kit", () => {
  it("finds nothing wrong with the reference engine in a wrapper", async () => {
    const intact: Mutant = { breaks: "nothing", over: () => ({}) };
    expect(await isCaught(intact)).toBe(false);
  });

  it("does not ask for hints, which may be lost", async () => {
    const silent: Mutant = { breaks: "nothing", over: () => ({ onWake: () => () => undefined }) };
    expect(await isCaught(silent)).toBe(false);
  });

  it.each(mutants)("catches an engine that $breaks", async (mutant) => {
    expect(await isCaught(mutant)).toBe(true);
  });

  it("prints what was expected, what was received, and the seed", async () => {
    const suite = engineSuite({
      ...reference,
      seed: 7,
      open: (_store, options) => open(mutants[0] as Mutant, options),
    });
    const broken = suite.cases.find(({ name }) => name.includes("mismatch and changes nothing"));
    await expect(broken?.run()).rejects.toThrow(/expected: \["mismatch"\]\n {2}received: \["ok"\]\n {2}seed: 7$/);
  });

  it("leaves out the cases whose hooks are not there", () => {
    const names = (harness: EngineHarness): string[] => engineSuite(harness).cases.map(({ name }) => name);
    const all = names({ ...reference, crash: () => undefined, disconnect: () => undefined });
    const left = all.filter((name) => !names(reference).includes(name));
    expect(left.filter((name) => name.includes("crash"))).toHaveLength(1);
    expect(left.filter((name) => name.includes("cut connection"))).toHaveLength(left.length - 1);
    expect(new Set(all).size).toBe(all.length);
  });

  it("declares every case once to whatever runs tests", () => {
    const suite = engineSuite(reference);
    const declared: string[] = [];
    const described: string[] = [];
    runWith(suite, {
      describe(name, declare) {
        described.push(name);
        declare();
      },
      it: (name) => declared.push(name),
    });
    expect(declared).toEqual(suite.cases.map(({ name }) => name));
    expect(described[0]).toBe("memory");
  });

  it("closes what a case has opened, also when it fails", async () => {
    let openEngines = 0;
    const suite = engineSuite({
      ...reference,
      open(_store, options) {
        openEngines += 1;
        const engine = new MemoryEngine(systemClock, options);
        const mutant: Mutant = {
          breaks: "counts",
          over: () => ({
            history: () => Promise.reject(new Error("broken")),
            close() {
              openEngines -= 1;
              return engine.close();
            },
          }),
        };
        return open(mutant, options);
      },
    });
    expect(await failuresOf(suite, ["history"])).not.toEqual([]);
    expect(openEngines).toBe(0);
  });
});
