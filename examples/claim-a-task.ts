// #region claim
import { setTimeout } from "node:timers/promises";
import { isContextError, SharedContextManager } from "shared-context-manager";

interface Backlog {
  readonly tasks: readonly { readonly id: number; readonly owner: string | null; readonly done: boolean }[];
}

const manager = new SharedContextManager<Backlog>();
const ids = Array.from({ length: 200 }, (_, index) => index + 1);
manager.create("backlog", { tasks: ids.map((id) => ({ id, owner: null, done: false })) });

const worked: number[] = []; // the ids, in the order in which the work was done
let refused = 0;

async function work(agentId: string): Promise<void> {
  const agent = manager.agent(agentId);
  for (;;) {
    const backlog = manager.get("backlog")!;
    const task = backlog.data.tasks.find(({ owner }) => owner === null); // all want the same one: the worst case
    if (task === undefined) return;
    await setTimeout(1); // stands for a model that decides whether it wants the task

    const owner = `/tasks/id=${task.id}/owner`;
    try {
      agent.patch(
        "backlog",
        [
          { op: "test", path: owner, value: null },
          { op: "set", path: owner, value: agentId },
        ],
        backlog,
      );
    } catch (error) {
      if (!isContextError(error, "CONFLICT")) throw error;
      refused += 1; // another agent was faster: look for the next one
      continue;
    }
    worked.push(task.id);
    agent.patch("backlog", [{ op: "set", path: `/tasks/id=${task.id}/done`, value: true }]);
  }
}

await Promise.all(Array.from({ length: 20 }, (_, index) => work(`agent-${index + 1}`)));
console.log(`${worked.length} done, ${new Set(worked).size} different ones`);
// prints: 200 done, 200 different ones
console.log(manager.get("backlog")?.data.tasks.filter(({ done }) => done).length, refused > 0);
// prints: 200 true
// #endregion

// #region lease
const jobs = new SharedContextManager<{ done: boolean }>();
const job = jobs.create("job-1", { done: false });

// Ann's model never answers. Her lease lives for 20 ms, and `maxHoldMs` says that it does not renew itself.
const hung = await jobs.agent("ann").acquire("job-1", { ttlMs: 20, maxHoldMs: 0 });
const lease = await jobs.agent("bob").acquire("job-1"); // waits until the job is free again
lease.patch("job-1", { done: true }, job);
lease.release();

try {
  hung.patch("job-1", { done: false }, job); // she answers after all
} catch (error) {
  if (!isContextError(error, "LEASE_LOST")) throw error;
  console.log(jobs.get("job-1")?.data.done, jobs.get("job-1")?.updatedBy);
  // prints: true bob
}
// #endregion
