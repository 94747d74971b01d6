/** Random commands, played to managers that are to do the same. */

import type { AsyncAgent } from "../async/agent.ts";
import type { AsyncLease } from "../async/lease.ts";
import type { AsyncSharedContextManager } from "../async/manager.ts";
import type { AsyncTransaction } from "../async/transaction.ts";
import type { Change } from "../changes.ts";
import type { AnySharedContext, SharedContext } from "../context.ts";
import type { JsonObject } from "../data.ts";
import { isContextError } from "../errors.ts";
import { show } from "./assert.ts";
import type { Random } from "./random.ts";

/** What is to be done, and how often in proportion to the others. */
const DOINGS = {
  create: 2,
  get: 2,
  update: 3,
  delete: 1,
  lock: 1,
  unlock: 1,
  forceUnlock: 1,
  clear: 1,
  "agent create": 1,
  "agent update": 2,
  "agent patch": 3,
  "agent merge": 2,
  "agent modify": 1,
  "agent restore": 1,
  "agent delete": 1,
  "agent lock": 1,
  "agent unlock": 1,
  transact: 3,
  acquire: 3,
  "lease update": 2,
  "lease patch": 1,
  "lease delete": 1,
  release: 2,
} as const;

type Doing = keyof typeof DOINGS;

export interface Command {
  readonly does: Doing;
  readonly id: string;
  readonly other: string;
  readonly agentId: string;
  readonly value: number;
  /** What is passed as the expected version: what is there, what was read some time ago, its version, or nothing. */
  readonly expected: "fresh" | "remembered" | "version" | "none";
}

const IDS = ["a", "b", "__proto__"] as const;
const LOT = Object.entries(DOINGS).flatMap(([does, times]) => Array.from({ length: times }, () => does as Doing));

export function commandFrom(random: Random): Command {
  return {
    does: random.pick(LOT),
    id: random.pick(IDS),
    other: random.pick(IDS),
    agentId: random.pick(["ann", "bob"]),
    value: random.below(4),
    expected: random.pick(["fresh", "remembered", "version", "none"]),
  };
}

/** A manager that commands are played to, and what has been read from it. */
export interface Player {
  /** The synchronous one too: what returns at once can be awaited as well. */
  readonly manager: AsyncSharedContextManager;
  /** Whether the function of a transaction must be synchronous. */
  readonly isSync: boolean;
  readonly start: number;
  readonly remembered: Map<string, AnySharedContext>;
  readonly leases: Map<string, AsyncLease>;
  /** Revisions by the order in which they have been seen: they need not be the same numbers everywhere. */
  readonly ranks: Map<number, number>;
}

export async function playerOf(manager: AsyncSharedContextManager, isSync = false): Promise<Player> {
  const { revision } = await manager.stats();
  return { manager, isSync, start: revision, remembered: new Map(), leases: new Map(), ranks: new Map() };
}

/** What a command comes to, in short. */
export async function play(player: Player, command: Command): Promise<string> {
  try {
    const result = await perform(player, command);
    return typeof result === "object" ? briefOf(player, result as AnySharedContext) : show(result);
  } catch (error) {
    if (!isContextError(error)) throw error;
    const { contextId, version, owner, conflicts, recreated, path } = error.details as Record<string, unknown>;
    return `${error.code} ${show({ contextId, version, owner, conflicts, recreated, path })}`;
  }
}

export function briefOf(player: Player, context: AnySharedContext | undefined): string {
  if (context === undefined) return "nothing";
  const { contextId, version, lockedBy, updatedBy, note, revision, incarnation, lock } = context;
  const data: unknown = context.data;
  const ranks = [incarnation, lock?.token, revision].map((number) => rank(player, number));
  return `${contextId} v${version} ${show(data)} ${show([lockedBy, updatedBy, note, ranks])}`;
}

export function briefChange(player: Player, { revision, kind, contextId, agentId, note, context }: Change): string {
  const about = show([kind, contextId, agentId, note]);
  return `${rank(player, revision)} ${about} ${briefOf(player, context)}`;
}

function rank({ ranks }: Player, revision: number | undefined): number | undefined {
  if (revision === undefined) return undefined;
  const known = ranks.get(revision) ?? ranks.size;
  ranks.set(revision, known);
  return known;
}

/** Everything that a reader sees. */
export async function stateOf(player: Player): Promise<string[]> {
  const ids = await player.manager.listContexts();
  const state: string[] = [];
  for (const id of ids) {
    for (const version of await player.manager.history(id)) state.push(briefOf(player, version));
    for (const { writtenAt: _, ...line } of await player.manager.blame(id)) state.push(`${id} ${show(line)}`);
  }
  return state;
}

async function perform(player: Player, command: Command): Promise<unknown> {
  const { manager, remembered } = player;
  const { does, id, agentId, value, expected } = command;
  if (does === "get") {
    const context = await manager.get(id);
    if (context !== undefined) remembered.set(id, context);
    return context;
  }
  const fresh = await manager.get(id);
  const snapshot = expected === "remembered" ? (remembered.get(id) ?? fresh) : fresh;
  const version = expected === "fresh" || expected === "remembered" ? snapshot : (fresh?.version ?? "1");
  switch (does) {
    case "create":
      return manager.create(id, dataOf(value));
    case "update":
      return manager.update(id, dataOf(value), version ?? "1");
    case "delete":
      return manager.delete(id, expected === "none" ? undefined : version);
    case "lock":
      return manager.lock(id, agentId);
    case "unlock":
      return manager.unlock(id, agentId);
    case "forceUnlock":
      return manager.forceUnlock(id, { reason: "test", agentId });
    case "clear":
      return value === 0 && fresh !== undefined ? manager.clear() : undefined;
    default:
      return does.startsWith("agent") || does === "transact"
        ? actAs(player, command, snapshot as SharedContext | undefined, version)
        : actUnderLease(player, command, version);
  }
}

async function actAs(
  { manager, isSync }: Player,
  { does, id, other, agentId, value, expected }: Command,
  snapshot: SharedContext | undefined,
  version: AnySharedContext | string | undefined,
): Promise<unknown> {
  const agent = manager.agent(agentId);
  const options = { note: `n${value}` };
  switch (does) {
    case "agent create":
      return agent.create(id, dataOf(value), options);
    case "agent update":
      return agent.update(id, dataOf(value), version ?? "1", options);
    case "agent patch":
      return agent.patch(id, patchOf(value), expected === "none" ? undefined : version, options);
    case "agent merge":
      return snapshot && agent.merge(snapshot, { ...snapshot.data, [`from ${agentId}`]: value }, options);
    case "agent modify":
      return agent.modify(id, ({ data }) => ({ ...data, modified: value }), { merge: value > 1, ...options });
    case "agent restore":
      return agent.restore(id, String(value + 1));
    case "agent delete":
      return agent.delete(id, expected === "none" ? undefined : version, options);
    case "agent lock":
      return agent.lock(id);
    case "agent unlock":
      return agent.unlock(id);
    default:
      return transact(agent, isSync, [id, other], value);
  }
}

/** Reads one context, writes both, and deletes or fails at the end, as the value says. */
async function transact(
  agent: AsyncAgent,
  isSync: boolean,
  [id, other]: readonly [string, string],
  value: number,
): Promise<unknown> {
  const steps = [
    (tx: AsyncTransaction) => tx.get(id),
    (tx: AsyncTransaction) => (value === 2 ? tx.create(other, dataOf(value)) : tx.patch(other, patchOf(value))),
    (tx: AsyncTransaction) => (value === 3 ? tx.delete(id) : tx.update(id, dataOf(value), undefined, { note: "tx" })),
    (tx: AsyncTransaction) => tx.get(other),
  ];
  const last = isSync
    ? agent.transact<unknown>((tx) => steps.map((step) => step(tx)).at(-1))
    : agent.transact<unknown>(async (tx) => {
        let result: unknown;
        for (const step of steps) result = await step(tx);
        return result;
      });
  // Its snapshots have no revision.
  return show(((await last) as SharedContext | undefined)?.data);
}

async function actUnderLease(
  { manager, leases }: Player,
  { does, id, agentId, value }: Command,
  version: AnySharedContext | string | undefined,
): Promise<unknown> {
  if (does === "acquire") {
    // On one context: of a lease over several, who lets go of the rest and when is up to what a manager has heard of.
    const lease = await manager.agent(agentId).acquire(id, { timeoutMs: 0, ttlMs: Infinity });
    leases.set(agentId, lease);
    return lease.contextIds.join();
  }
  const lease = leases.get(agentId);
  if (lease === undefined) return "no lease";
  if (does === "lease delete" && (await manager.get(id)) === undefined) return "nothing to delete";
  try {
    return await writeUnder(lease, does, id, value, version);
  } catch (error) {
    if (!isContextError(error, "LEASE_LOST") && !isContextError(error, "NOT_FOUND")) throw error;
    // Which of the two it is depends on what a manager has heard of before. Either way the lease is over.
    leases.delete(agentId);
    return "the lease is over";
  }
}

async function writeUnder(
  lease: AsyncLease,
  does: Doing,
  id: string,
  value: number,
  version: AnySharedContext | string | undefined,
): Promise<unknown> {
  switch (does) {
    case "lease update":
      return lease.update(id, dataOf(value), version ?? "1");
    case "lease patch":
      return lease.patch(id, patchOf(value));
    case "lease delete":
      return lease.delete(id);
    default:
      return lease.release();
  }
}

function dataOf(value: number): JsonObject {
  return { value, list: [{ id: 1, value }, { id: value + 2 }] };
}

function patchOf(value: number): JsonObject | { op: "increment" | "append"; path: string; value: number }[] {
  if (value === 0) return { value: 7, more: { deep: 1 } };
  if (value === 1) return [{ op: "append", path: "/appended", value }];
  return [{ op: "increment", path: "/count", value }];
}
