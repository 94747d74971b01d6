/** What the routes of one handler share beside the manager. */

import type { ConflictLog } from "./conflict-log.ts";
import type { EventStreams } from "./event-streams.ts";
import type { Limits } from "./limits.ts";
import type { LockWaits } from "./lock-waits.ts";
import type { Metrics } from "./metrics.ts";
import type { Sessions } from "./sessions.ts";

export interface Services {
  readonly limits: Limits;
  readonly metrics: Metrics;
  readonly sessions: Sessions;
  readonly conflicts: ConflictLog;
  readonly lockWaits: LockWaits;
  /** Aborts when the handler closes: what waits and watches ends then. */
  readonly closing: AbortSignal;
  readonly streams: EventStreams;
  /** `/openapi.json`, written once. */
  readonly openApi: string;
}
