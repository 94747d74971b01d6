/** Text in columns: numbers to the right, names to the left, colour only where it is welcome. */

import { styleText } from "node:util";

/** @typedef {Pick<NodeJS.WriteStream, "isTTY" | "hasColors">} Terminal */
/** @typedef {"bold" | "dim" | "green" | "red"} Style */

/**
 * A function that styles text, or leaves it alone: in a pipe, and where NO_COLOR is set.
 *
 * @param {Terminal} stream
 * @returns {(style: Style, text: string) => string}
 */
export function painter(stream) {
  return stream.isTTY && stream.hasColors()
    ? (style, text) => styleText(style, text, { validateStream: false })
    : plain;
}

/**
 * @param {Style} _style
 * @param {string} text
 */
function plain(_style, text) {
  return text;
}

const NUMBER = new Intl.NumberFormat("en-US");

/** @param {number} value */
export function number(value) {
  return NUMBER.format(value);
}

/** @param {number} bytes */
export function size(bytes) {
  return bytes < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KiB`;
}

/**
 * @param {number} count
 * @param {string} singular
 */
export function many(count, singular) {
  return `${number(count)} ${singular}${count === 1 ? "" : "s"}`;
}

/** The end of a long path, which says more than its start. @param {string} path @param {number} width */
export function shortPath(path, width) {
  const characters = Array.from(printable(path));
  return characters.length <= width ? characters.join("") : `…${characters.slice(1 - width).join("")}`;
}

/** What kind of store a URL names; the rest of it may hold a password. @param {string} url */
export function kindOf(url) {
  return printable(url.split(":", 1)[0] ?? "");
}

/** Names of files may hold anything, also what moves the cursor. @param {string} text */
export function printable(text) {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, "?");
}

/**
 * Lines of equal columns, two spaces apart.
 *
 * @param {readonly (readonly string[])[]} rows
 * @param {string} sides - one letter for each column: "l" or "r"
 * @returns {string[]}
 */
export function columns(rows, sides) {
  const widths = Array.from(sides, (_, column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        sides[column] === "r" ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
}

/**
 * Two blocks of lines, the second to the right of the first.
 *
 * @param {readonly string[]} left
 * @param {readonly string[]} right
 * @returns {string[]}
 */
export function beside(left, right) {
  const width = Math.max(...left.map((line) => line.length)) + 4;
  return Array.from({ length: Math.max(left.length, right.length) }, (_, row) =>
    ((left[row] ?? "").padEnd(width) + (right[row] ?? "")).trimEnd(),
  );
}
