/** Who waits for a lock over HTTP: such a wait is a request that is open, and stands in no queue of the manager. */

import type { ManagerStats } from "shared-context-manager";

export interface LockQueue {
  readonly context_id: string;
  readonly waiting: number;
  readonly agents: readonly string[];
}

export class LockWaits {
  /** How many there have been. */
  total = 0;
  readonly #waiting = new Map<string, string[]>();

  /** @returns what ends the wait. */
  enter(contextId: string, agentId: string): () => void {
    this.total += 1;
    const agents = this.#waiting.get(contextId) ?? [];
    agents.push(agentId);
    this.#waiting.set(contextId, agents);
    return () => {
      agents.splice(agents.indexOf(agentId), 1);
      if (agents.length === 0) this.#waiting.delete(contextId);
    };
  }

  /** Together with those who wait in queues of the manager, and come before. */
  queues(ofManager: ManagerStats["queues"]): LockQueue[] {
    const all = new Map(ofManager.map(({ contextId, agentIds }) => [contextId, [...agentIds]]));
    for (const [contextId, agents] of this.#waiting) all.set(contextId, [...(all.get(contextId) ?? []), ...agents]);
    return Array.from(all, ([contextId, agents]) => ({ context_id: contextId, waiting: agents.length, agents }));
  }
}
