/** @import { Case } from "../types.d.ts" */

import { runChild } from "./child.mjs";

const weighed = ["hand-written", "deep", "shallow"];
const targets = [
  { contestant: "deep", against: "hand-written", atMost: 2 },
  { contestant: "shallow", against: "hand-written", atMost: 2 },
];

/**
 * @param {number} size
 * @returns {Case[]}
 */
export function memoryCases(size) {
  return [
    { title: "memory of a context of 2 keys", read: false },
    { title: "the same, after its data was read once", read: true },
  ].map(({ title, read }) => ({
    name: "memory",
    title,
    size,
    order: "",
    unit: "bytes",
    targets,
    measure: () => weigh(size, read),
  }));
}

/**
 * One process for each contestant: a heap that has held another store does not weigh alike.
 *
 * @param {number} size
 * @param {boolean} read
 */
function weigh(size, read) {
  return Object.fromEntries(
    weighed.map((contestant) => [contestant, runChild("memory-child.mjs", { contestant, size, read })]),
  );
}
