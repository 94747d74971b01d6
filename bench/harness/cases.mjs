/** @import { Case, Effort, Operation, Order } from "../types.d.ts" */

import { readdirSync } from "node:fs";
import { runChild } from "./child.mjs";
import { historyMemoryCases } from "./history-memory.mjs";
import { memoryCases } from "./memory.mjs";

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
  const measure = () => runChild("time-child.mjs", { file, size, order, effort });
  return { name, title, size, order, unit: "time", targets, measure };
}

/**
 * @param {number} size
 * @returns {Order[]}
 */
function ordersOf(size) {
  return size < 100_000 ? ["in order"] : ["in order", "shuffled"];
}
