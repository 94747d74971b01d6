/** @import { Row, Verdict } from "../types.d.ts" */

import { BASE } from "./rows.mjs";
import { markdown, plain, tally } from "./table.mjs";

const head = ["operation", "contexts", "order", "contestant", "median", `to ${BASE}`, "target", "to peers"];

/** Columns of numbers, which line up on the right. */
const RIGHT = new Set([1, 4, 5, 6]);

/**
 * @param {readonly Row[]} rows
 * @returns {string[][]}
 */
function cellsOf(rows) {
  return rows.map((row, index) => {
    const before = rows[index - 1];
    const first = before?.title !== row.title || before.size !== row.size || before.order !== row.order;
    const base = row.verdicts.find(({ against }) => against === BASE);
    const peers = row.verdicts.filter(({ against }) => against !== BASE);
    return [
      ...(first ? [row.title, row.size.toLocaleString("en"), row.order] : ["", "", ""]),
      row.contestant,
      row.unit === "bytes" ? `${Math.round(row.median)} bytes` : duration(row.median),
      row.ratio?.toFixed(2) ?? "",
      base === undefined ? "" : `${base.met ? "" : "MISSED "}<= ${base.atMost.toFixed(2)}`,
      peers.map(speedUp).join("; "),
    ];
  });
}

/** @param {Verdict} verdict */
function speedUp({ against, ratio, atMost, met }) {
  const least = atMost === 1 ? "" : `, target ${(1 / atMost).toFixed(1)}`;
  return `${(1 / ratio).toFixed(1)} x ${against}${least}${met ? "" : " MISSED"}`;
}

/** @param {number} nanoseconds */
function duration(nanoseconds) {
  if (nanoseconds < 1_000) return `${nanoseconds.toFixed(1)} ns`;
  return `${(nanoseconds / 1_000).toFixed(nanoseconds < 100_000 ? 2 : 0)} µs`;
}

/** @param {readonly Row[]} rows */
export function plainTable(rows) {
  return plain({ head, rows: cellsOf(rows), right: RIGHT });
}

/** @param {readonly Row[]} rows */
export function markdownTable(rows) {
  return markdown({ head, rows: cellsOf(rows), right: RIGHT });
}

/** @param {readonly Row[]} rows */
export function summary(rows) {
  return tally(rows.flatMap(({ verdicts }) => verdicts));
}
