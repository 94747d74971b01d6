/** The kit of managers is worth what it catches: each manager here is wrong in one way, and some case fails. */

import { type AsyncSharedContextManager, openManager } from "shared-context-manager";
import { type KitSuite, type ManagerHarness, managerSuite } from "shared-context-manager/testing";
import { describe, expect, it } from "vitest";
import { agentMutants, leaseMutants } from "./agent-mutants.ts";
import { broken, type ManagerMutant } from "./broken-manager.ts";
import { FOREVER, managerMutants } from "./manager-mutants.ts";

/** What fails by waiting need not wait for long. */
const PATIENCE_MS = 1_000;

/** Over one store in memory for each name, as clients of a server are. */
function harnessOver(mutant: ManagerMutant): ManagerHarness {
  return {
    name: mutant.breaks,
    patienceMs: PATIENCE_MS,
    seed: 7,
    open: async (_store, options) => broken(await openManager("memory:", options), mutant),
  };
}

async function firstFailure({ cases }: KitSuite): Promise<string | undefined> {
  for (const { group, name, run } of cases) {
    try {
      await run();
    } catch {
      return `${group}: ${name}`;
    }
  }
  return undefined;
}

describe("the kit of managers", () => {
  it("finds nothing wrong with a manager in a wrapper", { timeout: 60_000 }, async () => {
    expect(await firstFailure(managerSuite(harnessOver({ breaks: "nothing" })))).toBeUndefined();
  });

  // Most of their time is spent waiting for what never comes, so they wait together.
  it.concurrent.each([...managerMutants, ...agentMutants, ...leaseMutants])(
    "catches a manager that $breaks",
    { timeout: 60_000 },
    async (mutant) => {
      expect(await firstFailure(managerSuite(harnessOver(mutant)))).toBeDefined();
    },
  );

  it("calls every method of managers, agents, leases and transactions", { timeout: 60_000 }, async () => {
    const called = new Set<string>();
    const suite = managerSuite({
      name: "called",
      open: async (_store, options) => recorded(await openManager("memory:", options), called),
    });
    for (const { run } of suite.cases) await run();
    const manager = await openManager("memory:");
    await manager.create("a", {});
    const agent = manager.agent("ann");
    const lease = await agent.acquire("a");
    const methods = [manager, agent, lease].flatMap((subject) => methodsOf(subject));
    await agent.transact((tx) => methods.push(...methodsOf(tx)));
    await manager.close();
    expect(methods.filter((method) => !called.has(method))).toEqual([]);
  });

  it("says of a case that does not end that it does not", async () => {
    const never: ManagerMutant = { breaks: "hangs", manager: () => ({ get: () => FOREVER }) };
    const { cases } = managerSuite(harnessOver(never));
    const broke = cases.find(({ name }) => name.startsWith("get gives the context"));
    await expect(broke?.run()).rejects.toThrow(/not over after 1000 ms\n {2}seed: 7$/);
  });

  it("leaves out the cases whose hook is not there", () => {
    const harness: ManagerHarness = { name: "memory", open: (_store, options) => openManager("memory:", options) };
    const groups = (suite: KitSuite): Set<string> => new Set(suite.cases.map(({ group }) => group));
    expect(groups(managerSuite(harness))).not.toContain("cut connections");
    expect(groups(managerSuite({ ...harness, disconnect: () => undefined }))).toContain("cut connections");
  });
});

/** Its class and its methods: what is on the prototype, symbols aside. */
function methodsOf(subject: object): string[] {
  const prototype = Object.getPrototypeOf(subject) as object;
  const { name } = prototype.constructor;
  return Object.entries(Object.getOwnPropertyDescriptors(prototype))
    .filter(([key, { value }]) => key !== "constructor" && typeof value === "function")
    .map(([key]) => `${name}.${key}`);
}

/** Notes what is called, of whatever comes out of it too. */
function recorded<Subject extends object>(subject: Subject, called: Set<string>): Subject {
  const { name: owner } = subject.constructor;
  return new Proxy(subject, {
    get(_target, name) {
      const value: unknown = Reflect.get(subject, name, subject);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        called.add(`${owner}.${String(name)}`);
        const given = args.map((arg) => (typeof arg === "function" ? handed(arg as Call, called) : arg));
        const result: unknown = (value as Call).apply(subject, given);
        return result instanceof Promise ? result.then((one) => wrapped(one, called)) : wrapped(result, called);
      };
    },
  });
}

type Call = (...args: unknown[]) => unknown;

/** A function of the caller, which may be handed a lease or a transaction. */
function handed(call: Call, called: Set<string>): Call {
  return (...args) => call(...args.map((arg) => wrapped(arg, called)));
}

const RECORDED = ["AsyncAgent", "AsyncLease", "AsyncTransaction"];

function wrapped(value: unknown, called: Set<string>): unknown {
  const isOne = typeof value === "object" && value !== null && RECORDED.includes(value.constructor?.name ?? "");
  return isOne ? recorded(value as AsyncSharedContextManager, called) : value;
}
