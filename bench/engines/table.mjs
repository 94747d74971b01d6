/** @import { EngineRow } from "./types.d.ts" */

import { markdown, plain, tally } from "../harness/table.mjs";

const head = ["engine", "work", "contexts", "contestant", "median", "speed", "target"];
/** Columns of numbers, which line up on the right. */
const RIGHT = new Set([2, 4, 5]);

/**
 * @param {readonly EngineRow[]} rows
 * @returns {string[][]}
 */
function cellsOf(rows) {
  return rows.map(({ one, contestant, median, ratio, verdicts }, index) => [
    ...(rows[index - 1]?.one === one ? ["", "", ""] : [one.engine, one.title, one.contexts.toLocaleString("en")]),
    contestant,
    duration(median),
    `${ratio.toFixed(2)} x`,
    verdicts.map(({ text, met }) => `${text}${met ? "" : " MISSED"}`).join("; "),
  ]);
}

/** @param {number} nanoseconds */
function duration(nanoseconds) {
  return nanoseconds < 1e6 ? `${(nanoseconds / 1e3).toFixed(2)} µs` : `${(nanoseconds / 1e6).toFixed(2)} ms`;
}

/** @param {readonly EngineRow[]} rows */
export function plainTable(rows) {
  return plain({ head, rows: cellsOf(rows), right: RIGHT });
}

/** @param {readonly EngineRow[]} rows */
export function markdownTable(rows) {
  return markdown({ head, rows: cellsOf(rows), right: RIGHT });
}

/** @param {readonly EngineRow[]} rows */
export function summary(rows) {
  return tally(rows.flatMap(({ verdicts }) => verdicts));
}
