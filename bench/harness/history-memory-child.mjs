/**
 * The child process that weighs the versions of documents: prints the bytes of one version as JSON, or the bytes
 * of one whole document, which is the measure. Each version changes one leaf, to a text of its own.
 */

import { anew, leaf, list, tree } from "../payloads.mjs";
import * as stores from "../stores.mjs";
import { heapBytes } from "./heap.mjs";
import { makeIds } from "./walk.mjs";

const documents = {
  tree: { make: tree, edit: editTree },
  list: { make: list, edit: editList },
};

/** @type {{ contestant: "document" | "hand-written" | "deep", size: number, document: keyof typeof documents, whole: boolean }} */
const { contestant, size, document, whole } = JSON.parse(process.argv[2] ?? "");
const { make, edit } = documents[document];
const ids = makeIds(size);
const store = contestant === "hand-written" ? stores.handWritten() : stores.withHistory();
/** What the hand-written store keeps of its past: every record, in a list. */
const kept = ids.map((id) => [store.get(id)]);

const empty = heapBytes();
for (const [index, id] of ids.entries()) store.create(id, anew(make(index)));
const filled = heapBytes();
if (contestant !== "document") {
  for (let step = 0; step < stores.HISTORY_LIMIT; step++) {
    for (const [index, id] of ids.entries()) {
      const context = store.get(id);
      const changed = edit(context?.data, step);
      const next = store.update(id, whole ? anew(changed) : changed, context?.version ?? "");
      if (contestant === "hand-written") kept[index]?.push(context);
      if (next.version !== String(step + 2)) throw new Error(`${contestant}: a version was lost`);
    }
  }
}
const after = heapBytes();
console.log(
  JSON.stringify(contestant === "document" ? (filled - empty) / size : (after - filled) / size / stores.HISTORY_LIMIT),
);
if (store.get(ids.at(-1) ?? "") === undefined || kept.length !== size) throw new Error(`${contestant}: no context`);

/**
 * @param {any} data
 * @param {number} step
 */
function editTree(data, step) {
  const branch = `b${step % 10}`;
  const b5 = { ...data[branch].b5, [`b${(step >> 3) % 10}`]: anew(leaf(step)) };
  return { ...data, [branch]: { ...data[branch], b5 } };
}

/**
 * @param {any} data
 * @param {number} step
 */
function editList(data, step) {
  const place = (step * 7) % 500;
  const items = [...data.items];
  items[place] = { ...items[place], title: anew(leaf(step)) };
  return { ...data, items };
}
