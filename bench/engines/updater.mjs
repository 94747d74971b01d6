/** A process that updates contexts of its own in a store that others write too, as often as it is told to. */

/** @import { AsyncSharedContextManager } from "shared-context-manager" */

import { openManager } from "shared-context-manager";
import { twoKeys } from "../payloads.mjs";

const [url = "", name = "", inFlight = ""] = process.argv.slice(2);
/** @type {AsyncSharedContextManager<any>} */
const manager = await openManager(url);
const contexts = await Promise.all(
  Array.from({ length: Number(inFlight) }, (_, index) => manager.create(`${name}-${index}`, twoKeys(index))),
);
process.on("message", (count) => void update(Number(count) / contexts.length));
process.on("disconnect", () => void manager.close());
process.send?.("ready");

/** @param {number} each */
async function update(each) {
  await Promise.all(
    contexts.map(async (first, at) => {
      let context = first;
      for (let step = 0; step < each; step++) {
        context = await manager.update(context.contextId, twoKeys(step), context.version);
      }
      contexts[at] = context;
    }),
  );
  process.send?.("done");
}
