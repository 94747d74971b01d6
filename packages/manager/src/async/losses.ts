/** How a lease over a storage was lost, as far as that is known: by what is there, by a change, or by the change log. */

import { readForce } from "../arguments.ts";
import type { Change } from "../changes.ts";
import type { SharedContext } from "../context.ts";
import { Cursor } from "../cursor.ts";
import type { Entry } from "../entry.ts";
import type { ErrorDetails } from "../errors.ts";
import { whenTimeHasCome } from "./patience.ts";
import type { SharedStore } from "./shared-store.ts";

export type Loss = ErrorDetails["LEASE_LOST"];

export const DELETED = "the context was deleted";
const TAKEN = "the lock has been released or taken over";

/** By how a context is, after whatever has happened to it; `undefined` where it is held still. */
export function lossSeen(
  contextId: string,
  token: number,
  found: Pick<SharedContext, "lock"> | Entry | undefined,
  reason: string = TAKEN,
): Loss | undefined {
  if (found?.lock?.token === token) return undefined;
  const owner = found?.lock?.owner ?? null;
  return { contextId, token, owner, reason: found === undefined ? DELETED : reason };
}

export function lossTold(contextId: string, token: number, change: Change<object>): Loss | undefined {
  // What is told late may be older than the lease.
  return change.revision > token ? lossSeen(contextId, token, change.context, reasonOf(change)) : undefined;
}

/** Of contexts that are held no more, how the first was lost, as far as the change log has it still and says so soon. */
export async function lossLogged(
  store: SharedStore,
  contextIds: readonly string[],
  token: number,
): Promise<Loss | undefined> {
  const logged = await Promise.all(contextIds.map((contextId) => firstLogged(store, contextId, token)));
  const known = logged.filter((one) => one !== undefined);
  return known.toSorted((one, other) => one.revision - other.revision)[0]?.loss;
}

/** The holder should stop: that is not put off for long only to say why. */
const SOON_MS = 500;

async function firstLogged(
  { follower, clock }: SharedStore,
  contextId: string,
  token: number,
): Promise<{ readonly revision: number; readonly loss: Loss } | undefined> {
  const options = { filter: contextId, after: token, coalesce: false, signal: undefined };
  const cursor = new Cursor<object>(follower, options);
  const cancel = whenTimeHasCome(clock, clock.leaseMs() + SOON_MS, () => cursor.end());
  try {
    for await (const change of cursor) {
      const loss = lossTold(contextId, token, change);
      if (loss !== undefined) return { revision: change.revision, loss };
    }
  } catch {
    // It is kept no more, or the storage does not answer.
  } finally {
    cancel();
  }
  return undefined;
}

/** What the holder is told of a lock that was broken. Nothing is said about one that was given back. */
function reasonOf({ kind, agentId, note }: Change<object>): string | undefined {
  if (kind !== "unlocked" || note === null) return undefined;
  return readForce(agentId === null ? { reason: note } : { reason: note, agentId }).reason;
}
