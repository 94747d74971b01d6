/** A process that updates contexts of its own in a store that others write too, as often as it is told to. */

/** @import { AsyncSharedContextManager } from "shared-context-manager" */

import { openManager } from "shared-context-manager";
import { twoKeys } from "../payloads.mjs";

/** A program runs fast when it has run for a while: in each process for as long, however many there are. */
const WARM_UP_STEPS = 200;

const [url = "", name = "", inFlight = ""] = process.argv.slice(2);
/** @type {AsyncSharedContextManager<any>} */
const manager = await openManager(url);
const contexts = await Promise.all(
  Array.from({ length: Number(inFlight) }, (_, index) => manager.create(`${name}-${index}`, twoKeys(index))),
);
await update(WARM_UP_STEPS);
process.on("message", (count) => void update(Number(count) / contexts.length).then(() => process.send?.("done")));
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
}
