/**
 * The child process that times one operation at one size in one order, all contestants side by side, and
 * prints the median nanoseconds of each as JSON.
 */

/** @import { Contestant, Effort, Operation, Order, Walk } from "../types.d.ts" */

import { median } from "./median.mjs";
import { makeIds, shuffled, walkOf } from "./walk.mjs";

/** @type {{ file: string, size: number, order: Order, effort: Effort }} */
const { file, size, order, effort } = JSON.parse(process.argv[2] ?? "");
/** A longer walk takes several rounds: then all do equally many steps, to be on the same stretch of it. */
const LONG_WALK = 10_000;
const STEPS_OF_LONG_WALK = 50_000;

const ids = makeIds(size);
const walk = walkOf(ids, order);

const runners = await openRunners();
for (let round = 0; round < effort.warmUpRounds; round++) {
  for (const runner of runners) await runner.warmUp();
}
for (let round = 0; round < effort.rounds; round++) {
  // In another order each round, so that none always follows the same neighbour.
  for (const runner of shuffled(runners)) await runner.count();
}
const medians = Object.fromEntries(runners.map((runner) => [runner.name, median(runner.times)]));
const sink = runners.reduce((sum, runner) => sum + runner.sink, 0);
if (!Number.isFinite(sink)) throw new Error(`${file}: a contestant has lost a context`);
console.log(JSON.stringify(medians));

/**
 * Every contestant runs its own copy of the operation's file, loaded under another address: the source is
 * the same, and what the engine learns about the loop of one cannot slow down the loop of another.
 */
async function openRunners() {
  /** @type {Operation} */
  const operation = await import(file);
  const runners = [];
  for (const [name, { sizes = operation.sizes }] of Object.entries(operation.contestants)) {
    if (!sizes.includes(size)) continue;
    /** @type {Operation} */
    const copy = await import(`${file}?${name}`);
    const contestant = copy.contestants[name];
    if (contestant !== undefined) runners.push(runnerOf(name, contestant, await contestant.setUp(ids), walk));
  }
  return runners;
}

/**
 * @param {string} name
 * @param {Contestant} contestant
 * @param {unknown} state
 * @param {Walk} walk
 */
function runnerOf(name, contestant, state, walk) {
  let at = 0;
  let operations = walk.length < LONG_WALK ? 1 : walk.length;
  /** @type {number[]} */
  const times = [];
  const runner = {
    name,
    times,
    sink: 0,
    async warmUp() {
      if (walk.length < LONG_WALK) return calibrate();
      // Once around at first, so that no counted round meets a context for the first time.
      await run(operations);
      operations = STEPS_OF_LONG_WALK;
    },
    async count() {
      times.push(await run(operations));
    },
  };
  return runner;

  /** Finds how many operations make a round as long as it should be. */
  async function calibrate() {
    const started = performance.now();
    do {
      const fitting = Math.round((effort.roundMs * 1e6) / (await run(operations)));
      operations = Math.max(1, Math.min(fitting, operations * 10));
    } while (performance.now() - started < effort.roundMs);
  }

  /**
   * Nanoseconds of one operation. The young generation is emptied first, which takes two collections:
   * nobody pays for a neighbour's garbage.
   *
   * @param {number} steps
   */
  async function run(steps) {
    globalThis.gc?.({ type: "minor" });
    globalThis.gc?.({ type: "minor" });
    const started = process.hrtime.bigint();
    const result = contestant.round(state, walk, at, steps);
    runner.sink += result instanceof Promise ? await result : result;
    const elapsed = Number(process.hrtime.bigint() - started);
    at = (at + steps) % walk.length;
    return elapsed / steps;
  }
}
