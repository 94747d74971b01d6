/** @import { Case, Effort, Operation, Order } from "../types.d.ts" */

import { readdirSync } from "node:fs";
import { runChild } from "./child.mjs";
import { historyMemoryCases } from "./history-memory.mjs";
import { median } from "./median.mjs";
import { memoryCases } from "./memory.mjs";

/** From so many contexts on, to fill a store takes longer than to measure it, and the walk goes beyond the caches. */
const LARGE = 100_000;
const folder = new URL("../operations/", import.meta.url);

/**
 * Every case of the run. A new file in `operations/` is found by being there.
 *
 * @param {{ quick: boolean, only: readonly string[] }} choice
 * @param {Effort} effort
 * @returns {Promise<Case[]>}
 */
export async function casesOf({ quick, only }, effort) {
  const cases = [];
  for (const file of readdirSync(folder)) {
    const url = new URL(file, folder).href;
    /** @type {Operation} */
    const operation = await import(url);
    for (const size of operation.sizes) {
      if (quick && size > 1_000) continue;
      for (const order of ordersOf(size)) cases.push(timeCase(url, operation, size, order, effort));
    }
  }
  cases.push(...memoryCases(quick ? 100_000 : 1_000_000), ...historyMemoryCases());
  const names = new Set(cases.map(({ name }) => name));
  const unknown = only.filter((name) => !names.has(name));
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(",")}: there are ${[...names].join(", ")}`);
  return cases.filter(({ name }) => only.length === 0 || only.includes(name));
}

/**
 * @param {string} file
 * @param {Operation} operation
 * @param {number} size
 * @param {Order} order
 * @param {Effort} effort
 * @returns {Case}
 */
function timeCase(file, { name, title, targets }, size, order, effort) {
  const processes = size < LARGE ? effort.processes : 1;
  const share = { ...effort, rounds: Math.ceil(effort.rounds / processes) };
  const task = { file, size, order, effort: share };
  const measure = () => mediansOf(Array.from({ length: processes }, () => runChild("time-child.mjs", task)));
  return { name, title, size, order, unit: "time", targets, measure };
}

/**
 * @param {readonly Record<string, number>[]} measured - the times of all contestants, by process.
 * @returns {Record<string, number>}
 */
function mediansOf(measured) {
  const names = Object.keys(measured[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, median(measured.map((times) => times[name] ?? NaN))]));
}

/**
 * @param {number} size
 * @returns {Order[]}
 */
function ordersOf(size) {
  return size < LARGE ? ["in order"] : ["in order", "shuffled"];
}
