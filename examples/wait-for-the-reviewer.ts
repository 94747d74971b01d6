// #region setup
import { setTimeout } from "node:timers/promises";
import { isContextError, SharedContextManager } from "shared-context-manager";

interface Draft {
  readonly text: string;
  readonly approved: boolean;
}

const manager = new SharedContextManager<Draft>({ changeLogLimit: 1_000 });
const writer = manager.agent("writer");
const reviewer = manager.agent("reviewer");

async function review(): Promise<void> {
  const draft = await manager.waitFor("draft", ({ data }) => data.text !== ""); // there is no draft yet
  await setTimeout(5); // stands for a model that reads it
  reviewer.patch("draft", { approved: true }, draft, { note: "reads well" });
}
// #endregion

// #region wait-for
const reviewing = review();
writer.create("draft", { text: "Agents poll.", approved: false });

const approved = await manager.waitFor("draft", ({ data }) => data.approved, { timeoutMs: 60_000 });
console.log(`version ${approved.version} by ${approved.updatedBy}: ${approved.note}`);
// prints: version 2 by reviewer: reads well
await reviewing;
// #endregion

// #region timeout
try {
  await manager.waitFor("draft", ({ data }) => data.text.length > 100, { timeoutMs: 10 });
} catch (error) {
  if (!isContextError(error, "TIMEOUT")) throw error;
  const { timeoutMs, current } = error.details;
  console.log(`after ${timeoutMs} ms at version ${current?.version}:`, current?.data);
  // prints: after 10 ms at version 2: { text: 'Agents poll.', approved: true }
}
// #endregion

// #region watch
async function follow(): Promise<number> {
  for await (const { revision, kind, agentId, note, context } of manager.watch("draft")) {
    console.log(revision, kind, agentId, note);
    if (context?.data.approved === false) return revision; // leaving the loop ends the watching
  }
  return 0; // the manager was closed
}

const following = follow();
writer.update("draft", { text: "Agents wait.", approved: false }, approved, { note: "a better word" });
const seen = await following;
// prints: 2 current reviewer reads well
// prints: 3 updated writer a better word
// #endregion

// #region after
await reviewer.withLock("draft", (lease) => lease.patch("draft", { approved: true }));

for await (const { revision, kind, agentId } of manager.watch("draft", { after: seen })) {
  console.log(revision, kind, agentId);
  if (kind === "unlocked") break;
}
// prints: 4 locked reviewer
// prints: 5 updated reviewer
// prints: 6 unlocked reviewer
// #endregion

// #region behind
const jobs = new SharedContextManager<{ step: number }>(); // keeps no change log
jobs.create("job", { step: 0 });
const everyChange = jobs.watch("job");
const latestState = jobs.watch("job", { coalesce: true });
await everyChange.next(); // both know step 0
await latestState.next();

const worker = jobs.agent("worker");
for (let step = 1; step <= 2_000; step++) worker.patch("job", { step }); // and nobody reads on meanwhile

console.log((await latestState.next()).value?.context?.data.step);
// prints: 2000
try {
  await everyChange.next();
} catch (error) {
  if (!isContextError(error, "COMPACTED")) throw error;
  console.log(`it had read up to revision ${error.details.after} of ${error.details.head}`);
  // prints: it had read up to revision 1 of 2001
}
// #endregion

// #region cost
console.log(jobs.stats().watchers, jobs.stats().lag);
// prints: 1 0
jobs.close(); // ends latestState too
console.log(manager.stats().watchers);
// prints: 0
// #endregion
