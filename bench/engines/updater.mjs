/** A process that updates contexts of its own in a store that others write too, for as long as it is told to. */

/** @import { AsyncSharedContextManager } from "shared-context-manager" */

import { openManager } from "shared-context-manager";
import { twoKeys } from "../payloads.mjs";

/** A program runs fast when it has run for a while: in each process for as long, however many there are. */
const WARM_UP_MS = 2_000;

const [url = "", name = "", inFlight = ""] = process.argv.slice(2);
/** @type {AsyncSharedContextManager<any>} */
const manager = await openManager(url);
const contexts = await Promise.all(
  Array.from({ length: Number(inFlight) }, (_, index) => manager.create(`${name}-${index}`, twoKeys(index))),
);
await updates(WARM_UP_MS);
process.on("message", (forMs) => void answer(Number(forMs)));
process.on("disconnect", () => void manager.close());
process.send?.("ready");

/** @param {number} forMs */
async function answer(forMs) {
  process.send?.(await updates(forMs));
}

/**
 * @param {number} forMs
 * @returns {Promise<number>} how many were done in that time; those under way at its end are not among them.
 */
async function updates(forMs) {
  const endMs = performance.now() + forMs;
  let done = 0;
  await Promise.all(
    contexts.map(async (first, at) => {
      let context = first;
      for (let step = 0; performance.now() < endMs; step++) {
        context = await manager.update(context.contextId, twoKeys(step), context.version);
        if (performance.now() < endMs) done += 1;
      }
      contexts[at] = context;
    }),
  );
  return done;
}
