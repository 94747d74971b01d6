/** @import { Measured, ServerRow, Work } from "./types.d.ts" */

import { median } from "../harness/median.mjs";
import { markdown, plain, tally } from "../harness/table.mjs";

const head = ["work", "measure", "bare node:http", "this server", "ratio", "target"];
const right = new Set([2, 3, 4]);

/**
 * @param {Work} work
 * @param {readonly Measured[]} bareRounds
 * @param {readonly Measured[]} ourRounds
 * @returns {ServerRow[]}
 */
export function rowsOf(work, bareRounds, ourRounds) {
  return work.targets.map((target) => {
    const { measure, least = -Infinity, most = Infinity } = target;
    const medianOf = (/** @type {readonly Measured[]} */ rounds) => median(rounds.map((one) => one[measure] ?? NaN));
    const [bare, ours] = [medianOf(bareRounds), medianOf(ourRounds)];
    const ratio = ours / bare;
    return { work, target, bare, ours, ratio, met: ratio >= least && ratio <= most };
  });
}

/** @param {readonly ServerRow[]} rows */
function tableOf(rows) {
  const cells = rows.map(({ work, target: { unit, least, most }, bare, ours, ratio, met }, index) => [
    rows[index - 1]?.work === work ? "" : work.title,
    unit,
    shown(bare),
    shown(ours),
    `${ratio.toFixed(2)} x`,
    `${least === undefined ? `at most ${most}` : `at least ${least}`}${met ? "" : " MISSED"}`,
  ]);
  return { head, rows: cells, right };
}

/** @param {number} number */
function shown(number) {
  return number < 1_000 ? number.toFixed(1) : Math.round(number).toLocaleString("en");
}

/** @param {readonly ServerRow[]} rows */
export function plainTable(rows) {
  return plain(tableOf(rows));
}

/** @param {readonly ServerRow[]} rows */
export function markdownTable(rows) {
  return markdown(tableOf(rows));
}

export { tally as summary };
