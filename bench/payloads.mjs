/** @import { TwoKeys } from "./types.d.ts" */

/**
 * @param {number} step
 * @returns {TwoKeys}
 */
export function twoKeys(step) {
  return { step, status: "running" };
}

const texts = Array.from({ length: 32 }, (_, index) => text(1024, index));

/**
 * 20 keys of 1 KB each; which texts they hold depends on `step`.
 *
 * @param {number} step
 * @returns {any}
 */
export function twentyKeys(step) {
  const text = texts[step & 31];
  const other = texts[(step + 1) & 31];
  return {
    title: text,
    goal: other,
    plan: text,
    notes: other,
    summary: text,
    findings: other,
    question: text,
    answer: other,
    sources: text,
    outline: other,
    draft: text,
    review: other,
    feedback: text,
    decision: other,
    reasons: text,
    risks: other,
    budget: text,
    schedule: other,
    contacts: text,
    result: other,
  };
}

const leaves = Array.from({ length: 16 }, (_, index) => text(90, index));

/**
 * What one leaf of a document is changed to.
 *
 * @param {number} step
 * @returns {any}
 */
export function leaf(step) {
  return leaves[step & 15];
}

/**
 * About 100 KB: three levels with ten branches each, and a text at each of the 1,000 leaves.
 *
 * @param {number} seed
 * @returns {any}
 */
export function tree(seed) {
  return branch(3, seed);
}

/**
 * @param {number} levels
 * @param {number} seed
 * @returns {object}
 */
function branch(levels, seed) {
  const entries = Array.from({ length: 10 }, (_, index) => {
    const own = seed * 10 + index;
    return [`b${index}`, levels === 1 ? text(90, own) : branch(levels - 1, own)];
  });
  return Object.fromEntries(entries);
}

/**
 * About 100 KB: an array of 500 small objects.
 *
 * @param {number} seed
 * @returns {any}
 */
export function list(seed) {
  const items = Array.from({ length: 500 }, (_, index) => {
    return { id: index, title: text(90, seed * 500 + index), owner: "planner", note: text(60, index), done: false };
  });
  return { name: "tasks", items };
}

/**
 * A list of small tasks that nobody has taken.
 *
 * @param {number} count
 * @returns {any}
 */
export function tasks(count) {
  const free = Array.from({ length: count }, (_, index) => {
    return { id: index, title: text(90, index), owner: null, done: false };
  });
  return { name: "tasks", tasks: free };
}

/**
 * The same value as it comes off a wire: no object and no text is shared with it.
 *
 * @param {any} value
 * @returns {any}
 */
export function anew(value) {
  return JSON.parse(JSON.stringify(value));
}

/**
 * @param {number} length
 * @param {number} seed
 */
function text(length, seed) {
  return String(seed).padEnd(length, "lorem ipsum dolor sit amet ");
}
