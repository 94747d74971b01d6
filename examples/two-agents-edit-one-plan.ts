// #region setup
import { setTimeout } from "node:timers/promises";
import { isContextError, type SharedContext, SharedContextManager } from "shared-context-manager";

interface Plan {
  readonly goal: string;
  readonly budget: number;
  readonly findings: readonly string[];
  readonly tasks: readonly { readonly id: number; readonly title: string }[];
}

const manager = new SharedContextManager<Plan>({ historyLimit: 64 }); // with a history, a CONFLICT knows who wrote
const planner = manager.agent("planner");
const critic = manager.agent("critic");
planner.create("plan", { goal: "ship", budget: 100, findings: [], tasks: [{ id: 1, title: "parse" }] });

/** Stands for a model that thinks for minutes about what it has read. */
async function think<Answer>(answer: Answer): Promise<Answer> {
  await setTimeout(20);
  return answer;
}
// #endregion

// #region merge
async function addTask(): Promise<void> {
  const read = manager.get("plan")!;
  const task = await think({ id: 2, title: "write docs" });
  planner.merge(read, { ...read.data, tasks: [...read.data.tasks, task] }, { note: "nobody had planned them" });
}

async function sharpenTask(): Promise<void> {
  const read = manager.get("plan")!; // the version that the planner reads too
  const title = await think("parse, at most 1 MB");
  critic.merge(read, {
    ...read.data,
    tasks: read.data.tasks.map((task) => (task.id === 1 ? { ...task, title } : task)),
  });
}

await Promise.all([addTask(), sharpenTask()]);
console.log(manager.get("plan")?.data.tasks.map(({ title }) => title));
// prints: [ 'parse, at most 1 MB', 'write docs' ]
// #endregion

// #region conflict
const read = manager.get("plan")!;
critic.patch("plan", { budget: 50 }, read, { note: "a cheaper model will do" });

try {
  planner.patch("plan", { budget: 200, goal: "ship in May" }, read);
} catch (error) {
  if (!isContextError(error, "CONFLICT")) throw error;
  const { conflicts, writers, current } = error.details;
  for (const [index, { path, base, yours, theirs }] of conflicts.entries()) {
    const writer = writers[index];
    console.log(path, { base, yours, theirs });
    console.log(`${writer?.agentId} in version ${writer?.version}: ${writer?.note}`);
  }
  // prints: /budget { base: 100, yours: 200, theirs: 50 }
  // prints: critic in version 4: a cheaper model will do

  // The planner gives way over the budget, and has seen version 4 by now.
  planner.patch("plan", { goal: "ship in May" }, current, { note: "the budget of the critic" });
}
const { version, data } = manager.get("plan")!;
console.log(version, data.budget, data.goal);
// prints: 5 50 ship in May
// #endregion

// #region operations
const before = manager.get("plan")!;
planner.patch(
  "plan",
  [
    { op: "increment", path: "/budget", value: -10 },
    { op: "append", path: "/findings", value: "planner: too slow" },
    { op: "set", path: "/tasks/id=1/title", value: "parse" },
  ],
  before,
);
critic.patch(
  "plan",
  [
    { op: "increment", path: "/budget", value: -5 },
    { op: "append", path: "/findings", value: "critic: no test" },
  ],
  before, // not a CONFLICT: both count, and both findings are there
);
console.log(manager.get("plan")?.data.budget, manager.get("plan")?.data.findings);
// prints: 35 [ 'planner: too slow', 'critic: no test' ]
// #endregion

// #region modify
let runs = 0;
async function setGoal({ data }: SharedContext<Plan>): Promise<Plan> {
  runs += 1;
  return { ...data, goal: await think("ship in June") };
}
async function setBudget({ data }: SharedContext<Plan>): Promise<Plan> {
  runs += 1;
  return { ...data, budget: await think(30) };
}

await Promise.all([
  planner.modify("plan", setGoal, { merge: true }),
  critic.modify("plan", setBudget, { merge: true }), // without merge it would have to think twice
]);
console.log(runs, manager.get("plan")?.data.goal, manager.get("plan")?.data.budget);
// prints: 2 ship in June 30
// #endregion

// #region lost-count
async function spend({ data }: SharedContext<Plan>): Promise<Plan> {
  return { ...data, budget: data.budget - (await think(10)) };
}

await Promise.all([
  planner.modify("plan", spend, { merge: true }),
  critic.modify("plan", spend, { merge: true }), // the same change, from 30 to 20
]);
console.log(manager.get("plan")?.data.budget);
// prints: 20
// #endregion

// #region strict
const forgetful = new SharedContextManager<{ goal: string; budget: number }>(); // keeps no history
const first = forgetful.create("plan", { goal: "ship", budget: 100 });
forgetful.agent("critic").patch("plan", { budget: 50 });

try {
  forgetful.agent("planner").patch("plan", { goal: "ship in May" }, "1"); // what version "1" was, nobody knows
} catch (error) {
  if (!isContextError(error, "CONFLICT")) throw error;
  console.log(error.details.version, error.details.conflicts);
  // prints: 2 []
}
console.log(forgetful.agent("planner").patch("plan", { goal: "ship in May" }, first).version);
// prints: 3
// #endregion
