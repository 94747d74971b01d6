// #region setup
import { setTimeout } from "node:timers/promises";
import { isContextError, SharedContextManager } from "shared-context-manager";

const manager = new SharedContextManager<{ credits: number }>();
manager.create("ann", { credits: 100 });
manager.create("bob", { credits: 0 });
const bank = manager.agent("bank");

function credits(): string {
  return ["ann", "bob"].map((contextId) => `${contextId} ${manager.get(contextId)?.data.credits}`).join(", ");
}
// #endregion

// #region transact
function move(from: string, to: string, amount: number): void {
  bank.transact((tx) => {
    tx.patch(to, [{ op: "increment", path: "/credits", value: amount }], undefined, { note: `from ${from}` });
    const left = tx.patch(from, [{ op: "increment", path: "/credits", value: -amount }]).data.credits;
    if (left < 0) throw new Error(`${from} has not got ${amount}`); // undoes both
  });
}

move("ann", "bob", 30);
console.log(credits(), manager.get("ann")?.revision === manager.get("bob")?.revision);
// prints: ann 70, bob 30 true

try {
  move("ann", "bob", 500);
} catch (error) {
  console.log((error as Error).message);
  // prints: ann has not got 500
}
console.log(credits(), manager.get("bob")?.version);
// prints: ann 70, bob 30 2
// #endregion

// #region reads
const duty = new SharedContextManager<{ onDuty: boolean }>();
const reviewers = ["ann", "bob"];
for (const contextId of reviewers) duty.create(contextId, { onDuty: true });

/** Somebody must stay on duty. */
function leave(agentId: string): boolean {
  return duty.agent(agentId).transact((tx) => {
    const others = reviewers.filter((contextId) => contextId !== agentId && tx.get(contextId)?.data.onDuty);
    if (others.length === 0) return false;
    tx.patch(agentId, { onDuty: false });
    return true;
  });
}
console.log(leave("ann"), leave("bob"));
// prints: true false
// #endregion

// #region think-first
/** Stands for a model that decides how much. */
async function think(available: number): Promise<number> {
  await setTimeout(5);
  return available / 2;
}

const ann = manager.get("ann")!;
const bob = manager.get("bob")!;
const thinking = think(ann.data.credits);
move("bob", "ann", 5); // another agent does not wait for it
const amount = await thinking;

try {
  bank.transact((tx) => {
    tx.update("ann", { credits: ann.data.credits - amount }, ann); // the snapshot that was thought about
    tx.update("bob", { credits: bob.data.credits + amount }, bob);
  });
} catch (error) {
  if (!isContextError(error, "CONFLICT")) throw error;
  console.log(error.details.contextId, error.details.current.data["credits"], credits());
  // prints: ann 75 ann 75, bob 25
}
// #endregion

// #region lease
await bank.withLock(["ann", "bob"], async (lease) => {
  const half = await think(manager.get("ann")?.data.credits ?? 0); // nobody else writes meanwhile
  lease.transact((tx) => {
    tx.patch("ann", [{ op: "increment", path: "/credits", value: -half }]);
    tx.patch("bob", [{ op: "increment", path: "/credits", value: half }]);
  });
});
console.log(credits());
// prints: ann 37.5, bob 62.5
// #endregion
