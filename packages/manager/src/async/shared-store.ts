/**
 * What a manager, its agents, leases and transactions need of whatever keeps their contexts: an engine under the rules
 * in this process (`store.ts`), or a server that has both (`http/store.ts`).
 */

import type { Admission } from "../admission.ts";
import type { Act, Change, ContextFilter } from "../changes.ts";
import type { Clock } from "../clock.ts";
import type { Counters } from "../counters.ts";
import type { Log } from "../cursor.ts";
import type { EngineChanges, EnginePage, EngineSupports, Loaded } from "../engine.ts";
import type { Author, Entry } from "../entry.ts";
import type { ContextError, LockHolding } from "../errors.ts";
import type { Plan } from "../plan.ts";
import type * as rules from "../rules.ts";
import type * as staging from "../staging.ts";
import type { View } from "./planning.ts";
import type { Turnstile } from "./turnstile.ts";

/** A command that a transaction has carried out on its plan, and what it has left of its context. */
export type Planned =
  | { readonly kind: "create"; readonly command: rules.CreateCommand; readonly next: Entry }
  | { readonly kind: "update"; readonly command: rules.UpdateCommand; readonly next: Entry }
  | { readonly kind: "edit"; readonly command: rules.EditCommand; readonly next: Entry }
  | { readonly kind: "remove"; readonly command: rules.RemoveCommand; readonly next: undefined };

/** What leases ask for, of all of their contexts or none. */
export interface GrantCommand extends rules.Named {
  readonly contextIds: readonly string[];
  readonly agentId: string;
  readonly ttlMs: number;
}

/** A lock that is in the way. */
export class Busy extends Error {
  readonly contextId: string;
  /** `null` when it is free, but others have waited for it before. */
  readonly holder: LockHolding | null;
  /** When it may be taken over, from now; `Infinity` for never. */
  readonly lapsesInMs: number;

  constructor(contextId: string, holder: LockHolding | null, lapsesInMs: number) {
    super("locked");
    this.contextId = contextId;
    this.holder = holder;
    this.lapsesInMs = lapsesInMs;
  }
}

/** A change log that also calls back. */
export interface Followed extends Log {
  /** How many watch and listen. */
  readonly size: number;
  /** About how many changes the slowest reader has not read yet. */
  readonly lag: number;
  /** @returns what ends it. @param onClose - called when the store closes. */
  subscribe<Data extends object>(
    filter: ContextFilter | undefined,
    listener: (change: Change<Data>) => void,
    onClose?: () => void,
  ): () => void;
}

export interface SharedStore {
  readonly supports: Readonly<EngineSupports>;
  readonly clock: Clock;
  readonly admission: Admission;
  readonly follower: Followed;
  readonly turnstile: Turnstile;
  readonly counters: Counters;
  waits: number;
  losses: number;
  readonly closed: boolean;

  checkOpen(): void;
  refusal(error: ContextError): ContextError;
  load(contextId: string): Promise<Entry | undefined>;
  /** What is there of these, and the time. @param counts - whether `contexts` is wanted. */
  look(contextIds: readonly string[], counts?: boolean): Promise<Loaded>;
  page(options: { prefix: string; after: string | undefined; limit: number }): Promise<Omit<EnginePage, "head">>;
  /** Every context whose id begins so, in the order of creation. */
  entries(prefix: string): AsyncIterableIterator<Entry>;
  /** The versions before the present one that are kept, the oldest first. */
  history(contextId: string): Promise<readonly Entry[]>;

  create(command: rules.CreateCommand): Promise<Entry>;
  update(command: rules.UpdateCommand): Promise<Entry>;
  edit(command: rules.EditCommand): Promise<Entry>;
  restore(command: rules.RestoreCommand): Promise<Entry>;
  remove(command: rules.RemoveCommand): Promise<boolean>;
  clear(named?: rules.Named): Promise<void>;

  /** The context as the lock has left it. */
  lock(command: rules.LockCommand): Promise<Entry>;
  /** Whether there was a lock; that of another agent is LOCKED. */
  unlock(command: rules.UnlockCommand): Promise<boolean>;
  /** Whether there was a lock. */
  breakLock(contextId: string, act: Act & rules.Named): Promise<boolean>;
  /** The contexts, all locked by the same token; or the lock that is in the way. */
  grant(command: GrantCommand): Promise<readonly Entry[] | Busy>;
  renew(contextIds: readonly string[], holder: Holder, ttlMs: number): Promise<readonly Entry[]>;
  release(contextIds: readonly string[], holder: Holder, named?: rules.Named): Promise<void>;

  world(view: View): staging.World;
  /**
   * Commits what was planned on what was loaded before; `false` when that is so no longer.
   *
   * @param planned - the commands that have made the plan, in their order.
   */
  commitPlan(plan: Plan, planned: readonly Planned[], named?: rules.Named): Promise<boolean>;
  /** The change log past a revision with the ids of its operations, where they can be read here. */
  operations(after: number, limit: number): Promise<EngineChanges>;
  /** Stops everything. */
  close(): Promise<void>;
}

/** Who holds a lock by its token. */
export interface Holder extends Author {
  readonly agentId: string;
  readonly token: number;
}

const ENTRIES_AT_ONCE = 500;

/** Every context whose id begins so, in the order of creation, read page by page. */
export async function* allEntries(page: SharedStore["page"], prefix: string): AsyncGenerator<Entry, undefined> {
  let after: string | undefined;
  do {
    const { entries, next } = await page({ prefix, after, limit: ENTRIES_AT_ONCE });
    yield* entries;
    after = next;
  } while (after !== undefined);
}
