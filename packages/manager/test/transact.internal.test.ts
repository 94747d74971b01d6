/**
 * Plans that are made side by side, as those of asynchronous managers are: committed in any order, they do what they
 * would have done one after the other. Every interleaving of every pair of some small programs over two contexts.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { admission } from "../src/admission.ts";
import { DEEP } from "../src/data.ts";
import { ANONYMOUS, type Entry } from "../src/entry.ts";
import type { Plan } from "../src/plan.ts";
import { Rejection } from "../src/rejection.ts";
import * as rules from "../src/rules.ts";
import { Store } from "../src/store.ts";
import { manualClock, methodOf } from "./support.ts";

const ADMISSION = admission(DEEP);
const NOW = { wallMs: 0, leaseMs: 0 };
const ROOM = { contexts: 0, maxContexts: Infinity };

function storeOf(values: Readonly<Record<string, number>>): Store {
  const store = new Store({
    entries: new Map(),
    clock: manualClock(),
    admission: ADMISSION,
    maxContexts: Infinity,
    changeLogLimit: 0,
    history: undefined,
  });
  for (const [contextId, value] of Object.entries(values)) {
    store.create({ contextId, data: { value }, author: ANONYMOUS, note: null });
  }
  return store;
}

function read(plan: Plan, contextId: string): number | undefined {
  return (plan.read(contextId)?.data as { value: number } | undefined)?.value;
}

function write(plan: Plan, contextId: string, value: number | undefined): void {
  const found = plan.read(contextId);
  const command = { contextId, data: { value }, author: ANONYMOUS, note: null };
  const next =
    value === undefined
      ? undefined
      : found === undefined
        ? rules.create(found, command, NOW, ADMISSION, ROOM)
        : rules.update(found, { ...command, expected: { ...found, incarnation: undefined } }, NOW, ADMISSION);
  if (next instanceof Rejection) throw new Error(`refused with ${next.code}`);
  plan.write(contextId, next);
}

/** What is there, as far as programs can tell. */
function contentOf(store: Store): string {
  const told = (entry: Entry | undefined): unknown => entry && [entry.version, entry.data];
  return JSON.stringify({ x: told(store.entries.get("x")), y: told(store.entries.get("y")) });
}

/** A step for each part between which another may come; what it gives at the end is what its caller has seen. */
type Program = (plan: Plan) => Generator<undefined, unknown>;

const PROGRAMS: Readonly<Record<string, Program>> = {
  *"withdraws from x if both together have enough"(plan) {
    const x = read(plan, "x") ?? 0;
    yield;
    const y = read(plan, "y") ?? 0;
    yield;
    if (x + y >= 10) write(plan, "x", x - 10);
    return x + y;
  },
  *"withdraws from y if both together have enough"(plan) {
    const y = read(plan, "y") ?? 0;
    yield;
    const x = read(plan, "x") ?? 0;
    yield;
    if (x + y >= 10) write(plan, "y", y - 10);
    return x + y;
  },
  *"copies x to y"(plan) {
    const x = read(plan, "x");
    yield;
    write(plan, "y", x);
    return x;
  },
  *"copies y to x"(plan) {
    const y = read(plan, "y");
    yield;
    write(plan, "x", y);
    return y;
  },
  *"adds one to both"(plan) {
    write(plan, "x", (read(plan, "x") ?? 0) + 1);
    yield;
    write(plan, "y", (read(plan, "y") ?? 0) + 1);
    return undefined;
  },
  *"doubles y and then x"(plan) {
    write(plan, "y", (read(plan, "y") ?? 0) * 2);
    yield;
    write(plan, "x", (read(plan, "x") ?? 0) * 2);
    return undefined;
  },
  *"reads both"(plan) {
    const x = read(plan, "x");
    yield;
    return [x, read(plan, "y")];
  },
  *"deletes x if y is there"(plan) {
    const y = read(plan, "y");
    yield;
    if (y !== undefined) write(plan, "x", undefined);
    return y;
  },
  *"deletes y if x is there"(plan) {
    const x = read(plan, "x");
    yield;
    if (x !== undefined) write(plan, "y", undefined);
    return x;
  },
  *"creates both anew from x"(plan) {
    const x = read(plan, "x") ?? 7;
    write(plan, "x", undefined);
    yield;
    write(plan, "y", undefined);
    yield;
    write(plan, "x", x);
    write(plan, "y", x);
    return x;
  },
};

/** One transaction on its way: its program, and at the end the commit; again from the start when that fails. */
class Run {
  #plan: Plan;
  #steps: Generator<undefined, unknown>;
  #hasRun = false;
  isOver = false;
  seen: unknown;
  readonly #store: Store;
  readonly #program: Program;

  constructor(store: Store, program: Program) {
    this.#store = store;
    this.#program = program;
    this.#plan = store.plan();
    this.#steps = program(this.#plan);
  }

  step(): void {
    if (this.#hasRun) {
      this.#commit();
      return;
    }
    const { done, value } = this.#steps.next();
    if (done !== true) return;
    this.#hasRun = true;
    this.seen = value;
  }

  finish(): void {
    while (!this.isOver) this.step();
  }

  #commit(): void {
    this.isOver = this.#store.commitPlan(this.#plan);
    if (this.isOver) return;
    this.#plan = this.#store.plan();
    this.#steps = this.#program(this.#plan);
    this.#hasRun = false;
  }
}

const STARTS: readonly Readonly<Record<string, number>>[] = [{ x: 5, y: 5 }, { x: 12, y: 0 }, { x: 3 }, {}];

type Pair = readonly [Program, Program];

/** What is there at the end, and what each of the two has seen. */
function outcomeOf(store: Store, runs: readonly [Run, Run]): string {
  return `${contentOf(store)} after ${JSON.stringify(runs.map(({ seen }) => seen))}`;
}

function inTurn(start: Readonly<Record<string, number>>, pair: Pair, first: 0 | 1): string {
  const store = storeOf(start);
  const runs: [Run, Run] = [new Run(store, pair[0]), new Run(store, pair[1])];
  const fresh = first === 0 ? 1 : 0;
  runs[first].finish();
  runs[fresh] = new Run(store, pair[fresh]);
  runs[fresh].finish();
  return outcomeOf(store, runs);
}

/** Runs the two side by side, by a schedule of whose turn it is; once it is used up, or one is over, to the end. */
function sideBySide(start: Readonly<Record<string, number>>, pair: Pair, schedule: readonly (0 | 1)[]): string {
  const store = storeOf(start);
  const runs: [Run, Run] = [new Run(store, pair[0]), new Run(store, pair[1])];
  for (const turn of schedule) if (!runs[turn].isOver) runs[turn].step();
  for (const run of runs) run.finish();
  return outcomeOf(store, runs);
}

function stepsOf(start: Readonly<Record<string, number>>, program: Program): number {
  const run = new Run(storeOf(start), program);
  let steps = 0;
  for (; !run.isOver; steps++) run.step();
  return steps;
}

function* interleavings(ones: number, others: number): Generator<(0 | 1)[]> {
  if (ones === 0 && others === 0) yield [];
  if (ones > 0) for (const rest of interleavings(ones - 1, others)) yield [0, ...rest];
  if (others > 0) for (const rest of interleavings(ones, others - 1)) yield [1, ...rest];
}

/** How many interleavings there are, and those whose outcome is that of neither order. */
function explore(): { tried: number; wrong: string[] } {
  const wrong: string[] = [];
  let tried = 0;
  for (const [one, first] of Object.entries(PROGRAMS)) {
    for (const [other, second] of Object.entries(PROGRAMS)) {
      for (const start of STARTS) {
        const pair: Pair = [first, second];
        const allowed = [inTurn(start, pair, 0), inTurn(start, pair, 1)];
        for (const schedule of interleavings(stepsOf(start, first), stepsOf(start, second))) {
          tried += 1;
          const outcome = sideBySide(start, pair, schedule);
          if (allowed.includes(outcome)) continue;
          wrong.push(`${JSON.stringify(start)}: "${one}" and "${other}" as ${schedule.join("")} end in ${outcome}`);
        }
      }
    }
  }
  return { tried, wrong };
}

/** A commit that checks what it replaces, and not what it has read. */
function forgetReads(): void {
  const commitPlan = methodOf(Store.prototype, "commitPlan");
  vi.spyOn(Store.prototype, "commitPlan").mockImplementation(function (this: Store, plan: Plan) {
    return commitPlan.call(this, { steps: plan.steps.filter(({ found, next }) => found !== next) } as Plan);
  });
}

/** A commit that checks nothing. */
function forgetEverything(): void {
  const commitPlan = methodOf(Store.prototype, "commitPlan");
  vi.spyOn(Store.prototype, "commitPlan").mockImplementation(function (this: Store, plan: Plan) {
    const steps = plan.steps.filter(({ found, next }) => found !== next);
    const onPresent = steps.map((step) => ({ ...step, found: this.entries.get(step.contextId) }));
    return commitPlan.call(this, { steps: onPresent } as Plan);
  });
}

afterEach(() => void vi.restoreAllMocks());

describe("write skew", () => {
  let store: Store;
  let one: Plan;
  let other: Plan;

  beforeEach(() => {
    store = storeOf({ x: 5, y: 5 });
    one = store.plan();
    other = store.plan();
    for (const plan of [one, other]) for (const contextId of ["x", "y"]) plan.read(contextId);
    write(one, "x", -5);
    write(other, "y", -5);
  });

  it("is refused: of two plans that each write what the other has read, the second is not committed", () => {
    expect(store.commitPlan(one)).toBe(true);
    const { head } = store;
    const content = contentOf(store);
    expect(store.commitPlan(other)).toBe(false);
    expect([contentOf(store), store.head]).toEqual([content, head]);
  });

  it("is refused in the other order, too", () => {
    expect([store.commitPlan(other), store.commitPlan(one)]).toEqual([true, false]);
  });

  it("would go through if what was only read were not checked", () => {
    forgetReads();
    expect([store.commitPlan(one), store.commitPlan(other)]).toEqual([true, true]);
  });
});

describe("a plan", () => {
  it("is not committed when a context that it found missing has been created", () => {
    const store = storeOf({ x: 1 });
    const plan = store.plan();
    expect(read(plan, "y")).toBeUndefined();
    write(plan, "x", 2);
    store.create({ contextId: "y", data: {}, author: ANONYMOUS, note: null });
    expect(store.commitPlan(plan)).toBe(false);
  });

  it("is not committed when a context that it has read was deleted and created again alike", () => {
    const store = storeOf({ x: 1, y: 1 });
    const plan = store.plan();
    read(plan, "y");
    write(plan, "x", 2);
    store.remove({ contextId: "y", expected: undefined, author: undefined, note: null });
    store.create({ contextId: "y", data: { value: 1 }, author: ANONYMOUS, note: null });
    expect(store.commitPlan(plan)).toBe(false);
  });

  it("that only reads is checked as well, and is no commit", () => {
    const store = storeOf({ x: 1, y: 1 });
    const plan = store.plan();
    read(plan, "x");
    read(plan, "y");
    expect([store.commitPlan(plan), store.head]).toEqual([true, 2]);
    const writer = store.plan();
    write(writer, "y", 2);
    expect([store.commitPlan(writer), store.commitPlan(plan), store.head]).toEqual([true, false, 3]);
  });

  it("goes through beside another that has nothing to do with it", () => {
    const store = storeOf({ x: 1, y: 1 });
    const [one, other] = [store.plan(), store.plan()];
    write(one, "x", 2);
    write(other, "y", 2);
    expect([store.commitPlan(one), store.commitPlan(other), store.head]).toEqual([true, true, 4]);
  });

  it("knows how many contexts more there will be", () => {
    const plan = storeOf({ x: 1 }).plan();
    const growth = [plan.growth];
    const note = (contextId: string, value: number | undefined): void => {
      write(plan, contextId, value);
      growth.push(plan.growth);
    };
    note("y", 1);
    note("y", 2);
    note("z", 1);
    note("x", undefined);
    note("x", undefined);
    note("z", undefined);
    note("x", 1);
    expect(growth).toEqual([0, 1, 1, 2, 1, 1, 0, 1]);
  });
});

describe("two transactions side by side", () => {
  it("end as one after the other, in whatever way they interleave", () => {
    const { tried, wrong } = explore();
    expect(wrong).toEqual([]);
    expect(tried).toBeGreaterThan(5_000);
  }, 30_000);

  it.each<[string, () => void]>([
    ["nothing that was only read were checked", forgetReads],
    ["nothing were checked", forgetEverything],
  ])(
    "would not if %s",
    (_name, mutate) => {
      mutate();
      expect(explore().wrong.length).toBeGreaterThan(0);
    },
    30_000,
  );
});
