/** The agents, as the contexts and the server tell of them. */

import type { LastWrite, State } from "./state.ts";
import type { Queue, Summary } from "./types.ts";

export interface AgentInfo {
  readonly agentId: string;
  readonly holds: readonly string[];
  readonly waitsFor: readonly string[];
  readonly lastWrite: LastWrite | undefined;
  readonly conflicts: number;
}

export function agentsOf(
  { contexts, lastWrites }: State,
  queues: readonly Queue[],
  conflicts: ReadonlyMap<string, number>,
): AgentInfo[] {
  const holds = gather([...contexts.values()].map((item) => [item.locked_by, item.context_id]));
  const waits = gather(queues.flatMap((queue) => queue.agents.map((agent) => [agent, queue.context_id] as const)));
  const ids = new Set([...holds.keys(), ...waits.keys(), ...lastWrites.keys(), ...conflicts.keys()]);
  return (
    [...ids]
      .map((agentId) => ({
        agentId,
        holds: holds.get(agentId) ?? [],
        waitsFor: waits.get(agentId) ?? [],
        lastWrite: lastWrites.get(agentId),
        conflicts: conflicts.get(agentId) ?? 0,
      }))
      // By name, so that nothing jumps away under the pointer.
      .sort((one, other) => (one.agentId < other.agentId ? -1 : 1))
  );
}

function gather(pairs: readonly (readonly [string | null, string])[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [agentId, contextId] of pairs) {
    if (agentId === null) continue;
    const list = found.get(agentId);
    if (list === undefined) found.set(agentId, [contextId]);
    else list.push(contextId);
  }
  return found;
}

/** Agents of which each waits for what the next one holds, and the last for what the first does; or none. */
export function findCycle(agents: readonly Pick<AgentInfo, "agentId" | "holds" | "waitsFor">[]): string[] {
  const holder = new Map(
    agents.flatMap(({ agentId, holds }) => holds.map((contextId) => [contextId, agentId] as const)),
  );
  const next = new Map(
    agents.map(({ agentId, waitsFor }) => [agentId, waitsFor.flatMap((contextId) => holder.get(contextId) ?? [])]),
  );
  const done = new Set<string>();
  const walk = (agentId: string, way: readonly string[]): string[] => {
    const at = way.indexOf(agentId);
    if (at >= 0) return way.slice(at);
    if (done.has(agentId)) return [];
    done.add(agentId);
    for (const other of next.get(agentId) ?? []) {
      const cycle = walk(other, [...way, agentId]);
      if (cycle.length > 0) return cycle;
    }
    return [];
  };
  for (const { agentId } of agents) {
    const cycle = walk(agentId, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

const LONG_MS = 120_000;

/** Why a lock deserves a look; `undefined` when it does not. */
export function lockWarning(item: Summary, nowMs: number): string | undefined {
  if (item.locked_by === null) return undefined;
  const heldMs = item.locked_at === undefined ? 0 : nowMs - Date.parse(item.locked_at);
  if (item.lock_expires_at === undefined) return "never lapses: only its owner or a forced unlock ends it";
  if (Date.parse(item.lock_expires_at) < nowMs) return "has lapsed: the next writer takes it away";
  return heldMs >= LONG_MS ? `has been held for ${Math.floor(heldMs / 60_000)} min` : undefined;
}
