/** @import { EngineRow } from "./types.d.ts" */

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

/**
 * For a terminal.
 *
 * @param {readonly EngineRow[]} rows
 */
export function plainTable(rows) {
  const lines = [head, ...cellsOf(rows)];
  const widths = head.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  return lines
    .map((cells, line) => {
      const padded = cells.map((cell, column) =>
        RIGHT.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      );
      return (line > 1 && cells[0] !== "" ? "\n" : "") + padded.join("  ").trimEnd();
    })
    .join("\n");
}

/** @param {readonly EngineRow[]} rows */
export function markdownTable(rows) {
  const rule = head.map((_, column) => (RIGHT.has(column) ? "--:" : ":--"));
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(rule), ...cellsOf(rows).map(line)].join("\n");
}

/** @param {readonly EngineRow[]} rows */
export function summary(rows) {
  const verdicts = rows.flatMap((row) => row.verdicts);
  const missed = verdicts.filter(({ met }) => !met).length;
  return `${verdicts.length - missed} of ${verdicts.length} targets met, ${missed} missed.`;
}
