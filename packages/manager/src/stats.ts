import type { ErrorCode } from "./errors.ts";
import type { Store } from "./store.ts";

/** What has been going on in a manager. */
export interface ManagerStats {
  /** How many there are now. */
  readonly contexts: number;
  /** The revision of the last commit. */
  readonly revision: number;
  /** Changes of data: creations, updates and deletions; a `clear()` is one. */
  readonly writes: number;
  /** Those of the writes that were put together with what others had changed. */
  readonly merges: number;
  /** Refusals with CONFLICT. */
  readonly conflicts: number;
  /** Refusals by code; those of arguments that were wrong before anything was looked up are not counted. */
  readonly refusals: Readonly<Record<ErrorCode, number>>;
  /** How many acquisitions had to wait in a queue. */
  readonly lockWaits: number;
  /**
   * The queues there are now, how many wait in each, and who, the first in line first; whoever waits for several
   * contexts stands in all their queues.
   */
  readonly queues: readonly {
    readonly contextId: string;
    readonly waiting: number;
    readonly agentIds: readonly string[];
  }[];
  /** How many leases ended by a loss. */
  readonly leasesLost: number;
  /** How many watch, subscribe or wait for a condition now. */
  readonly watchers: number;
  /**
   * The most changes that one of those who watch has not read yet. Over a storage it is the number of revisions, those of
   * other contexts and renewals too; over a server what has arrived from it.
   */
  readonly lag: number;
}

export function statsOf({ entries, feed, counters, handovers }: Store): ManagerStats {
  const { refusals } = counters;
  return {
    contexts: entries.size,
    revision: feed.head,
    writes: counters.writes,
    merges: counters.merges,
    conflicts: refusals.CONFLICT,
    refusals,
    lockWaits: handovers.waits,
    queues: handovers.queues,
    leasesLost: handovers.losses,
    watchers: feed.size,
    lag: feed.lag,
  };
}
