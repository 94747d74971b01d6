/** The second opinion: counts the same files one after another, in other words than the agents use. */

import { readFileSync } from "node:fs";

/** @typedef {{ files: number, words: number, counts: Map<string, number> }} Expected */

/**
 * @param {string} folder
 * @param {readonly string[]} paths
 * @returns {Expected}
 */
export function countSequentially(folder, paths) {
  const counts = new Map();
  let files = 0;
  let words = 0;
  for (const path of paths) {
    const text = textOf(`${folder}/${path}`);
    if (text === undefined) continue;
    files++;
    for (const word of text.toLowerCase().split(/[^\p{L}\p{M}]+/u)) {
      if (word === "") continue;
      words++;
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return { files, words, counts };
}

/**
 * @param {string} path
 * @returns {string | undefined}
 */
function textOf(path) {
  try {
    const bytes = readFileSync(path);
    return bytes.length > 1_048_576 || bytes.indexOf("\0") !== -1 ? undefined : bytes.toString();
  } catch {
    return undefined;
  }
}

/**
 * Whether a report says exactly what was counted: totals, every word, and the sums over the agents.
 *
 * @param {import("./count.mjs").ReadonlyReport} report
 * @param {Expected} expected
 */
export function agrees(report, { files, words, counts }) {
  const shares = Object.values(report.agents);
  return (
    report.files === files &&
    report.words === words &&
    report.counts.length === counts.size &&
    report.counts.every(([word, times]) => counts.get(word) === times) &&
    shares.reduce((sum, share) => sum + share.files, 0) === files &&
    shares.reduce((sum, share) => sum + share.words, 0) === words
  );
}
