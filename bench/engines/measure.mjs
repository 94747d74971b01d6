/** @import { Contestant, Effort, EngineCase, EngineRow, Target } from "./types.d.ts" */

import { median } from "../harness/median.mjs";
import { shuffled } from "../harness/walk.mjs";

const WARM_UP_ROUNDS = 2;

/**
 * All contestants take turns, in another order each round: what the disk and the other programs of the machine do meets
 * all of them alike.
 *
 * @param {EngineCase} one
 * @param {Effort} effort
 * @returns {Promise<EngineRow[]>}
 */
export async function measured(one, { rounds, roundMs }) {
  const runners = [];
  for (const [name, contestant] of Object.entries(one.contestants)) {
    runners.push({ name, contestant, state: await contestant.setUp(), count: contestant.step ?? 1, times: [0] });
  }
  for (const runner of runners) {
    runner.times = [];
    for (let round = 0; round < WARM_UP_ROUNDS; round++) runner.count = await calibrated(runner, roundMs);
  }
  for (let round = 0; round < rounds; round++) {
    for (const { contestant, state, count, times } of shuffled(runners)) {
      times.push((await timed(contestant, state, count)) / count);
    }
  }
  for (const { contestant, state } of runners) await contestant.tearDown(state);
  const medians = Object.fromEntries(runners.map(({ name, times }) => [name, median(times)]));
  return Object.entries(medians).map(([contestant, own]) => ({
    one,
    contestant,
    median: own,
    ratio: (medians[one.base] ?? NaN) / own,
    verdicts: one.targets.filter((target) => target.contestant === contestant).map((target) => judged(target, medians)),
  }));
}

/**
 * How many operations make a round as long as it should be.
 *
 * @param {{ contestant: Contestant, state: unknown, count: number }} runner
 * @param {number} roundMs
 */
async function calibrated({ contestant, state, count: first }, roundMs) {
  const { step = 1 } = contestant;
  let count = first;
  for (;;) {
    const started = performance.now();
    await contestant.round(state, count);
    const elapsedMs = performance.now() - started;
    const fitting = Math.ceil((count * roundMs) / elapsedMs / step) * step;
    if (elapsedMs > roundMs / 4) return Math.max(step, fitting);
    count = Math.min(Math.max(fitting, count * 2), count * 10);
  }
}

/**
 * Nanoseconds of a round.
 *
 * @param {Contestant} contestant
 * @param {unknown} state
 * @param {number} count
 */
async function timed(contestant, state, count) {
  globalThis.gc?.({ type: "minor" });
  const started = process.hrtime.bigint();
  const part = await contestant.round(state, count);
  return typeof part === "number" ? part : Number(process.hrtime.bigint() - started);
}

/**
 * @param {Target} target
 * @param {Record<string, number>} medians
 */
function judged(target, medians) {
  const own = medians[target.contestant] ?? NaN;
  if ("atMostMs" in target) return { text: `<= ${target.atMostMs} ms`, met: own <= target.atMostMs * 1e6 };
  const ratio = (medians[target.against] ?? NaN) / own;
  return { text: `${ratio.toFixed(2)} x ${target.against}, target ${target.atLeast}`, met: ratio >= target.atLeast };
}
