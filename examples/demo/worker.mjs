/** One process of the swarm: started by `processes.mjs`, which tells it what to do and hears how far it is. */

import { openManager } from "shared-context-manager";
import { LIMITS } from "./processes.mjs";
import { sharedStore } from "./stores.mjs";
import { runSwarm, seededThinking } from "./swarm.mjs";

/** @typedef {import("./processes.mjs").Task} Task */
/** @typedef {import("./processes.mjs").News} News */

/** @type {() => void} */
let start = () => {};
const started = new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
  start = () => resolve();
});

process.on("message", (message) => {
  const { kind, task } = /** @type {{ kind: "task", task: Task } | { kind: "start", task: undefined }} */ (message);
  if (kind === "start") start();
  else work(task).catch((error) => tell({ kind: "failed", reason: String(error) }));
});
// Nobody is left to work for.
process.on("disconnect", () => process.exit());

/** @param {Task} task */
async function work({ url, contextId, folder, paths, firstAgent, agents, allAgents, seed, pause }) {
  /** @type {import("shared-context-manager").AsyncSharedContextManager<import("./count.mjs").Report>} */
  const manager = await openManager(url, LIMITS);
  tell({ kind: "ready" });
  await started;
  const outcome = await runSwarm(sharedStore(manager, contextId), {
    folder,
    paths,
    agents,
    firstAgent,
    allAgents,
    thinking: seededThinking(seed, pause),
    onProgress: (done, soFar) => tell({ kind: "step", done, share: shareOf(soFar) }),
  });
  await manager.close();
  tell({ kind: "done", done: paths.length, share: shareOf(outcome) });
}

/**
 * The report itself stays in the store.
 *
 * @param {import("./swarm.mjs").Outcome} outcome
 */
function shareOf({ attempts, written, conflicts, skipped }) {
  return { attempts, written, conflicts, skipped };
}

/** @param {News} news */
function tell(news) {
  process.send?.(news);
}
