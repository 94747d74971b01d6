/**
 * The child process that weighs one store: prints the bytes of one context as JSON. The ids are there
 * before, as they would be in the caller's hands; the payloads are made for the store.
 */

import { twoKeys } from "../payloads.mjs";
import * as stores from "../stores.mjs";
import { heapBytes } from "./heap.mjs";
import { makeIds } from "./walk.mjs";

const weighed = { "hand-written": stores.handWritten, deep: stores.deep, shallow: stores.shallow };

/** @type {{ contestant: keyof typeof weighed, size: number, read: boolean }} */
const { contestant, size, read } = JSON.parse(process.argv[2] ?? "");
const ids = makeIds(size);
const store = weighed[contestant]();
const before = heapBytes();
for (let index = 0; index < size; index++) store.create(ids[index] ?? "", twoKeys(index));
let sum = 0;
if (read) {
  for (const id of ids) sum += store.get(id)?.data.step;
}
const after = heapBytes();
if (read && sum !== (size * (size - 1)) / 2) throw new Error(`${contestant}: a context was lost`);
if (store.get(ids.at(-1) ?? "") === undefined) throw new Error(`${contestant}: the store is empty`);
console.log(JSON.stringify((after - before) / size));
