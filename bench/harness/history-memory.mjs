/** @import { Case } from "../types.d.ts" */

import { runChild } from "./child.mjs";

const CONTEXTS = 20;

const weighed = ["document", "hand-written", "deep"];
const targets = [{ contestant: "deep", against: "document", atMost: 1 / 10 }];

/** @returns {Case[]} */
export function historyMemoryCases() {
  return [
    { title: "memory of a version of a 100 KB tree, made with spreads", document: "tree", whole: false },
    { title: "the same, sent whole", document: "tree", whole: true },
    { title: "memory of a version of a 100 KB list, made with spreads", document: "list", whole: false },
    { title: "the same, each list sent whole", document: "list", whole: true },
  ].map(({ title, document, whole }) => ({
    name: "memory-history",
    title,
    size: CONTEXTS,
    order: "",
    unit: "bytes",
    targets,
    measure: () => weigh({ size: CONTEXTS, document, whole }),
  }));
}

/**
 * One process for each contestant, as in `memory.mjs`.
 *
 * @param {{ size: number, document: string, whole: boolean }} task
 */
function weigh(task) {
  return Object.fromEntries(
    weighed.map((contestant) => [contestant, runChild("history-memory-child.mjs", { contestant, ...task })]),
  );
}
