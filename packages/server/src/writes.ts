/** Writes with an ETag and, where a lock is held, with its token: both are checked in the step that writes. */

import {
  type AsyncSharedContextManager,
  type AsyncTransaction,
  ContextError,
  type ExpectedVersion,
  isContextError,
  type SharedContext,
} from "shared-context-manager";
import { type Etag, isAt, type Match } from "./etags.ts";
import type { Call } from "./route.ts";

/** What an agent and a transaction have in common. An agent's `update` needs `expected`, and gets it. */
export type Writer = Pick<AsyncTransaction, "update" | "patch" | "delete">;
type Read = (contextId: string) => Promise<SharedContext | undefined>;

/** No context is ever at this version: with it the rules refuse in their own order, and come to CONFLICT last. */
const NEVER = "0";

export interface Guard {
  readonly match: Match;
  /** The fencing token, where the writer holds the lock. */
  readonly token: number | undefined;
}

/**
 * Writes as the caller's agent; with a token, or on whatever is there, as a transaction that reads before it writes.
 *
 * @param work - `expected` is `undefined` for whatever is there.
 */
export async function guarded<Result>(
  call: Call,
  { match, token }: Guard,
  work: (writer: Writer, expected: ExpectedVersion | undefined) => Promise<Result>,
): Promise<Result> {
  const { contextId, manager } = call;
  const agent = call.agent();
  if (token === undefined && match !== "any") {
    return explained(match, async () =>
      work(agent, await expectedOf(manager, contextId, match, (id) => manager.get(id))),
    );
  }
  return explained(match, () =>
    agent.transact(async (tx) => {
      if (token !== undefined) await checkToken(tx, contextId, call.agentId, token);
      return work(tx, await expectedOf(manager, contextId, match, (id) => tx.get(id)));
    }),
  );
}

/** What a transaction hands out has no revision yet: the same version, as it was committed. */
export async function committed(manager: AsyncSharedContextManager, context: SharedContext): Promise<SharedContext> {
  const { contextId, version, incarnation } = context;
  const isSame = (other: SharedContext): boolean =>
    other.version === version && (incarnation === undefined || other.incarnation === incarnation);
  const present = await manager.get(contextId);
  if (present === undefined || isSame(present)) return present ?? context;
  return (await manager.history(contextId)).find(isSame) ?? context;
}

/** The snapshot that a tag names: the present one, or a kept one, so that a patch can be merged. */
export async function expectedOf(
  manager: AsyncSharedContextManager,
  contextId: string,
  match: Match,
  read: Read,
): Promise<ExpectedVersion | undefined> {
  if (match === "any") return undefined;
  const present = await read(contextId);
  if (present === undefined) return NEVER;
  if (match.some((tag) => isAt(present, tag))) return present;
  const kept = await manager.history(contextId);
  return kept.find((snapshot) => match.some((tag) => isAt(snapshot, tag))) ?? NEVER;
}

/** @throws ContextError LEASE_LOST unless the lock of this token is still there. */
export async function checkToken(
  tx: Pick<AsyncTransaction, "get">,
  contextId: string,
  agentId: string,
  token: number,
): Promise<SharedContext> {
  const context = await tx.get(contextId);
  if (context === undefined) throw new ContextError("NOT_FOUND", { contextId });
  if (context.lock?.token === token && context.lock.owner === agentId) return context;
  throw leaseLost(contextId, token, context);
}

export function leaseLost(contextId: string, token: number, context: SharedContext): ContextError<"LEASE_LOST"> {
  const owner = context.lockedBy;
  const reason = owner === null ? "the lock was released or taken away" : `the lock has been granted to ${owner}`;
  const isOthers = context.lock?.token === token;
  return new ContextError("LEASE_LOST", {
    contextId,
    token,
    owner,
    reason: isOthers ? `it is the token of ${String(owner)}` : reason,
  });
}

/** A conflict tells the version that the caller named, not what stood for it. */
export async function explained<Result>(match: Match, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isContextError(error, "CONFLICT") || error.details.expected !== NEVER || match === "any") throw error;
    const { current } = error.details;
    const { incarnation, version } = closest(match, current);
    const recreated = incarnation !== current.incarnation;
    throw new ContextError("CONFLICT", { ...error.details, expected: version, recreated });
  }
}

function closest(match: readonly Etag[], current: SharedContext): Etag {
  const tag = match.find(({ incarnation }) => incarnation === current.incarnation) ?? match[0];
  return tag ?? { incarnation: 0, version: NEVER };
}
