/** What one agent finds out about one file, and how findings add up to the shared report. */

import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * What the agents write together. Counts are sorted by word: two sorted lists add up in one pass, and the
 * pairs that did not change are shared with the version before instead of copied.
 *
 * @typedef {object} Report
 * @property {number} files
 * @property {number} words
 * @property {Count[]} counts
 * @property {BigFile[]} biggest - by size, largest first
 * @property {Record<string, { files: number, words: number }>} agents
 *
 * @typedef {[word: string, times: number]} Count
 * @typedef {{ path: string, bytes: number, words: number }} BigFile
 * @typedef {import("shared-context-manager").DeepReadonly<Report>} ReadonlyReport
 */

/** Why a file is left out of the report. @typedef {"binary" | "large" | "unreadable"} Skip */

/** @typedef {{ path: string, bytes: number, words: number, counts: Count[] }} Finding */

const MAX_BYTES = 1024 * 1024;
const BIGGEST = 5;
export const TOP_WORDS = 10;
const LEFT_OUT = new Set([".git", "node_modules", "dist"]);
const WORD = /[\p{L}\p{M}]+/gu;

/** @type {Report} */
export const EMPTY_REPORT = { files: 0, words: 0, counts: [], biggest: [], agents: {} };

/**
 * The files below a folder, sorted, symbolic links left alone.
 *
 * @param {string} folder
 * @param {(name: string) => boolean} [wanted]
 * @returns {Promise<string[]>} paths relative to the folder, with forward slashes
 */
export async function listFiles(folder, wanted = () => true) {
  /** @type {string[]} */
  const paths = [];
  const open = [""];
  for (let below = open.pop(); below !== undefined; below = open.pop()) {
    for (const entry of await entriesOf(join(folder, below))) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory() && !LEFT_OUT.has(entry.name)) open.push(path);
      if (entry.isFile() && wanted(entry.name)) paths.push(path);
    }
  }
  return paths.sort();
}

/** @param {string} folder */
async function entriesOf(folder) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch {
    return []; // may not be read, or is gone
  }
}

/**
 * @param {string} folder
 * @param {string} path
 * @returns {Promise<Finding | Skip>}
 */
export async function examine(folder, path) {
  const bytes = await readSmall(join(folder, path));
  if (typeof bytes === "string") return bytes;
  if (bytes.includes(0)) return "binary";
  /** @type {Map<string, number>} */
  const counts = new Map();
  let words = 0;
  for (const [word] of bytes.toString("utf8").toLowerCase().matchAll(WORD)) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
    words += 1;
  }
  return { path, bytes: bytes.length, words, counts: [...counts].sort(byWord) };
}

/**
 * @param {string} path
 * @returns {Promise<Buffer | "large" | "unreadable">}
 */
async function readSmall(path) {
  try {
    const { size } = await lstat(path);
    return size > MAX_BYTES ? "large" : await readFile(path);
  } catch {
    return "unreadable";
  }
}

/**
 * The report with one more file in it: a new object that leaves the old one as it is.
 *
 * @param {ReadonlyReport} report
 * @param {Finding} finding
 * @param {string} agent
 * @returns {ReadonlyReport}
 */
export function addFinding(report, { path, bytes, words, counts }, agent) {
  const own = report.agents[agent] ?? { files: 0, words: 0 };
  return {
    files: report.files + 1,
    words: report.words + words,
    counts: addCounts(report.counts, counts),
    biggest: [...report.biggest, { path, bytes, words }].sort(bySize).slice(0, BIGGEST),
    agents: { ...report.agents, [agent]: { files: own.files + 1, words: own.words + words } },
  };
}

/**
 * @param {ReadonlyReport} report
 * @param {number} limit
 */
export function mostFrequent({ counts }, limit) {
  return counts.toSorted((one, other) => other[1] - one[1]).slice(0, limit);
}

/**
 * Jumps from one of the few new counts to the next, and fills an array of known size: on a large report this is
 * most of an agent's work, and pushing one by one takes three times as long.
 *
 * @param {ReadonlyReport["counts"]} all
 * @param {ReadonlyReport["counts"]} more
 */
function addCounts(all, more) {
  /** @type {ReadonlyReport["counts"][number][]} */
  const sum = Array.from({ length: all.length + more.length });
  let length = 0;
  let from = 0;
  for (const [word, times] of more) {
    const at = placeOf(word, all, from);
    while (from < at) sum[length++] = /** @type {ReadonlyReport["counts"][number]} */ (all[from++]);
    const same = all[at]?.[0] === word ? all[from++] : undefined;
    sum[length++] = [word, times + (same?.[1] ?? 0)];
  }
  while (from < all.length) sum[length++] = /** @type {ReadonlyReport["counts"][number]} */ (all[from++]);
  sum.length = length;
  return sum;
}

/**
 * Where a word is, or belongs, in sorted counts: binary search.
 *
 * @param {string} word
 * @param {ReadonlyReport["counts"]} counts
 * @param {number} low
 */
function placeOf(word, counts, low) {
  let high = counts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (/** @type {readonly [string, number]} */ (counts[middle])[0] < word) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * @param {Count} one
 * @param {Count} other
 */
function byWord(one, other) {
  return one[0] < other[0] ? -1 : 1;
}

/**
 * @param {BigFile} one
 * @param {BigFile} other
 */
function bySize(one, other) {
  return other.bytes - one.bytes || (one.path < other.path ? -1 : 1);
}
