/** Tables of results. A row that begins a group names it; those after it leave its names out. */

/**
 * @typedef {object} Table
 * @property {readonly string[]} head
 * @property {readonly (readonly string[])[]} rows
 * @property {ReadonlySet<number>} right - the columns of numbers, which line up on the right.
 */

/** For a terminal. @param {Table} table */
export function plain({ head, rows, right }) {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  return lines
    .map((cells, line) => {
      const padded = cells.map((cell, column) => {
        const width = widths[column] ?? 0;
        return right.has(column) ? cell.padStart(width) : cell.padEnd(width);
      });
      return (line > 1 && cells[0] !== "" ? "\n" : "") + padded.join("  ").trimEnd();
    })
    .join("\n");
}

/** @param {Table} table */
export function markdown({ head, rows, right }) {
  const rule = head.map((_, column) => (right.has(column) ? "--:" : ":--"));
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

/** @param {readonly { readonly met: boolean }[]} verdicts */
export function tally(verdicts) {
  const missed = verdicts.filter(({ met }) => !met).length;
  return `${verdicts.length - missed} of ${verdicts.length} targets met, ${missed} missed.`;
}
