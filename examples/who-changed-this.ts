// #region setup
import { diff, SharedContextManager } from "shared-context-manager";

interface Plan {
  readonly budget: number;
  readonly tasks: readonly { readonly id: number; readonly owner: string | null }[];
}

const manager = new SharedContextManager<Plan>({ historyLimit: 64 });
const planner = manager.agent("planner");
const worker = manager.agent("worker");

const first = planner.create("plan", { budget: 100, tasks: [{ id: 1, owner: null }] }, { note: "first draft" });
const second = worker.update("plan", { ...first.data, tasks: [{ id: 1, owner: "worker" }] }, first, { note: "mine" });
worker.update("plan", { ...second.data, budget: 10 }, second, { note: "cheaper model" });
// #endregion

// #region blame
for (const { path, version, agentId, note } of manager.blame("plan")) {
  console.log(path, "since version", version, "by", agentId, `(${note})`);
}
// prints: /budget since version 3 by worker (cheaper model)
// prints: /tasks/id=1/id since version 1 by planner (first draft)
// prints: /tasks/id=1/owner since version 2 by worker (mine)
// #endregion

// #region history
const versions = manager.history("plan"); // oldest first, the present one last
for (const [index, { version, updatedBy, data }] of versions.entries()) {
  console.log(version, updatedBy, JSON.stringify(diff(versions[index - 1]?.data ?? {}, data).map(({ path }) => path)));
}
// prints: 1 planner ["/budget","/tasks"]
// prints: 2 worker ["/tasks/0/owner"]
// prints: 3 worker ["/budget"]
// #endregion

// #region restore
const restored = planner.restore("plan", "2", { note: "the budget was agreed" });
console.log(restored.version, restored.data.budget, restored.updatedBy);
// prints: 4 100 planner
// #endregion
