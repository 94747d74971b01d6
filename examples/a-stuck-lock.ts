// #region setup
import { type Clock, isContextError, SharedContextManager } from "shared-context-manager";

// Time that the example moves by hand. A timer may call back too early, so all of them are called whenever time moves.
let nowMs = Date.parse("2026-01-31T09:30:00Z");
const timers = new Set<() => void>();
const clock: Clock = {
  wallMs: () => nowMs,
  leaseMs: () => nowMs,
  setTimer(callback) {
    timers.add(callback);
    return () => timers.delete(callback);
  },
};
function sleep(seconds: number): void {
  for (const endMs = nowMs + seconds * 1_000; nowMs < endMs;) {
    nowMs += 1_000;
    const due = [...timers];
    for (const callback of due) if (timers.delete(callback)) callback();
  }
}

const manager = new SharedContextManager<{ step: number }>({ clock });
const plan = manager.create("plan", { step: 1 });
const worker = manager.agent("worker");
const reviewer = manager.agent("reviewer");
// #endregion

// #region who
const hung = await worker.acquire("plan", { ttlMs: 30_000, maxHoldMs: 120_000 });
sleep(60); // its model does not answer, and the lease renews itself

try {
  reviewer.update("plan", { step: 2 }, plan);
} catch (error) {
  if (!isContextError(error, "LOCKED")) throw error;
  const { owner, since, expiresAt } = error.details;
  console.log(owner, since.toISOString(), expiresAt?.toISOString());
  // prints: worker 2026-01-31T09:30:00.000Z 2026-01-31T09:31:26.000Z
}

try {
  await reviewer.acquire("plan", { timeoutMs: 0 }); // takes what is free, or fails at once
} catch (error) {
  if (!isContextError(error, "TIMEOUT")) throw error;
  console.log(`place ${error.details.position} behind ${error.details.holder?.owner}`);
  // prints: place 1 behind worker
}
// #endregion

// #region lapse
const turn = reviewer.acquire("plan", { timeoutMs: 120_000 });
sleep(60);
const lease = await turn; // the lease of the worker has lapsed
console.log(lease.token > hung.token, manager.get("plan")?.lockedBy);
// prints: true reviewer

try {
  hung.update("plan", { step: 2 }, plan); // the model has answered after all
} catch (error) {
  if (!isContextError(error, "LEASE_LOST")) throw error;
  console.log(error.details.reason);
  // prints: it lapsed and was taken over
}
// #endregion

// #region force
lease.signal.addEventListener("abort", () => {
  const error: unknown = lease.signal.reason;
  if (isContextError(error, "LEASE_LOST")) console.log(error.details.reason);
  // prints: "operator" had it unlocked by force: the reviewer is in a loop
});
console.log(manager.forceUnlock("plan", { reason: "the reviewer is in a loop", agentId: "operator" }));
// prints: true
console.log(manager.get("plan")?.lockedBy);
// prints: null
// #endregion
