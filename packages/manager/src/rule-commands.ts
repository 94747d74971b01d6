/** What rules are asked to do. Arguments have been checked before, in `commands.ts`. */

import type { Given } from "./admission.ts";
import type { Author, Entry, Expected } from "./entry.ts";
import type { Edit } from "./patch.ts";

/** What a write is called in the change log, where its caller has a name for it: then it can be found there again. */
export interface Named {
  readonly operationId?: string | undefined;
}

export interface CreateCommand extends Named, Given {
  readonly contextId: string;
  readonly author: Author;
  readonly note: string | null;
}

export interface UpdateCommand extends CreateCommand {
  /** `undefined` for what is there now. */
  readonly expected: Expected | undefined;
}

/** A change to what the caller has read: a patch, or the whole data as the caller left it. */
export interface EditCommand extends Named {
  readonly contextId: string;
  readonly edit: Edit | ({ readonly kind: "data" } & Given);
  /** `undefined` for what is there now. */
  readonly expected: Expected | undefined;
  /** What the caller has read, where it has a snapshot of it. */
  readonly read: Entry | undefined;
  readonly author: Author;
  readonly note: string | null;
}

export interface RestoreCommand extends Named {
  readonly contextId: string;
  readonly version: string;
  /** `undefined` for what is there now. */
  readonly expected: Expected | undefined;
  readonly author: Author;
  readonly note: string | null;
}

export interface RemoveCommand extends Named {
  readonly contextId: string;
  readonly expected: Expected | undefined;
  /** `undefined` deletes whoever holds the lock, as section 6.20 does. */
  readonly author: Author | undefined;
  readonly note: string | null;
}

export interface LockCommand extends Named {
  readonly contextId: string;
  readonly agentId: string;
  /** `undefined` never expires, and leaves the expiry of a lock that the agent holds already. */
  readonly ttlMs: number | undefined;
}

export interface UnlockCommand extends Named {
  readonly contextId: string;
  readonly agentId: string;
}

export interface LeaseCommand {
  readonly contextId: string;
  /** Who bears the token: one that another agent was granted is worth nothing. */
  readonly agentId: string;
  readonly token: number;
}

export interface RenewCommand extends LeaseCommand {
  readonly ttlMs: number;
}
