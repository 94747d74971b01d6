/** What one set of tools remembers on this side: what it has shown, what it holds, how often it failed. */

import { describe } from "../describe.ts";
import { isContextError } from "../errors.ts";
import { formatTime } from "../format-time.ts";
import type {
  ContextToolsOptions,
  ToolsAgent,
  ToolsLease,
  ToolsManager,
  ToolsOwner,
  ToolsSnapshot,
  ToolsWriter,
} from "./types.ts";

/** Snapshots that are kept, so that a write can be merged with what came after them, also without history. */
const SNAPSHOTS_KEPT = 256;

interface Claim {
  readonly lease: ToolsLease;
  /** When calls stop renewing it, by the monotonic clock. */
  readonly renewUntilMs: number;
  readonly ttlMs: number;
}

/** Who waits for a context to be unlocked through tools of the same manager. */
const waitersOf = new WeakMap<object, Map<string, number>>();

export class Session {
  readonly manager: ToolsManager;
  readonly agent: ToolsAgent;
  readonly agentId: string;
  readonly options: Required<ContextToolsOptions>;
  readonly #shown = new Map<string, ToolsSnapshot>();
  readonly #claims = new Map<string, Claim>();
  readonly #conflicts = new Map<string, number>();
  readonly #waiters: Map<string, number>;
  #news: string[] = [];

  constructor({ manager, agentId }: ToolsOwner, options: ContextToolsOptions) {
    this.manager = manager;
    this.agentId = agentId;
    this.agent = manager.agent(agentId);
    const { claims = false, claimTtlMs = 30_000, maxClaimMs = 120_000, maxTokens = 2_000, maxConflicts = 3 } = options;
    this.options = { claims, claimTtlMs, maxClaimMs, maxTokens, maxConflicts };
    this.#waiters = waitersOf.get(manager) ?? new Map<string, number>();
    waitersOf.set(manager, this.#waiters);
  }

  /** The version as the model sees it, and as it comes back in `base_version`. */
  show(context: ToolsSnapshot): string {
    const version = versionOf(context);
    const key = `${version} ${context.contextId}`;
    this.#shown.delete(key);
    this.#shown.set(key, context);
    if (this.#shown.size > SNAPSHOTS_KEPT) {
      for (const oldest of this.#shown.keys()) {
        this.#shown.delete(oldest);
        break;
      }
    }
    return version;
  }

  /** The snapshot of a version: it has been shown, or the history still has it. */
  async find(contextId: string, version: string): Promise<ToolsSnapshot | undefined> {
    const shown = this.#shown.get(`${version} ${contextId}`);
    if (shown !== undefined) return shown;
    const kept = await this.manager.history(contextId);
    return kept.find((context) => versionOf(context) === version);
  }

  /** Who writes: the lease where the agent has claimed the context, so that a lost claim is never overlooked. */
  writer(contextId: string): ToolsWriter {
    return this.#claims.get(contextId)?.lease ?? this.agent;
  }

  /** @returns how many there have been in a row. */
  countConflict(contextId: string): number {
    const conflicts = (this.#conflicts.get(contextId) ?? 0) + 1;
    this.#conflicts.delete(contextId);
    this.#conflicts.set(contextId, conflicts);
    if (this.#conflicts.size > SNAPSHOTS_KEPT) this.#conflicts.delete([...this.#conflicts.keys()][0] ?? contextId);
    return conflicts;
  }

  countSuccess(contextId: string): void {
    this.#conflicts.delete(contextId);
  }

  get claimed(): string[] {
    return [...this.#claims.keys()];
  }

  async claim(contextId: string, timeoutMs: number, signal: AbortSignal | undefined): Promise<Date | null> {
    const held = this.#claims.get(contextId);
    if (held !== undefined) return held.lease.expiresAt; // renewed when the call began
    const { claimTtlMs: ttlMs, maxClaimMs } = this.options;
    // The lease does not renew itself: only calls of the model show that it is still there.
    const options = { ttlMs, maxHoldMs: 0, timeoutMs, ...(signal && { signal }) };
    const lease = await this.agent.acquire(contextId, options);
    this.#claims.set(contextId, { lease, renewUntilMs: performance.now() + maxClaimMs, ttlMs });
    return lease.expiresAt;
  }

  /** @returns whether there was a claim to give back; when that fails it is kept, for another call. */
  async release(contextId: string): Promise<boolean> {
    const claim = this.#claims.get(contextId);
    if (claim === undefined) return false;
    this.#claims.delete(contextId);
    try {
      await claim.lease.release();
      return true;
    } catch (error) {
      if (isGone(error)) return false;
      this.#claims.set(contextId, claim);
      throw error;
    }
  }

  /** The same after a write that has landed, and that a refusal must not hide. */
  async releaseAfterWrite(contextId: string): Promise<boolean> {
    const released = await unlessRefused(() => this.release(contextId));
    if (released === undefined) {
      this.tell(`Written, but your claim on ${describe(contextId)} could not be given back: call context_release.`);
    }
    return released === true;
  }

  forget(contextId: string): void {
    this.#claims.delete(contextId);
  }

  /** Every call of the owner renews what it has claimed. */
  async renewClaims(): Promise<void> {
    for (const [contextId, { lease, renewUntilMs }] of this.#claims) {
      try {
        if (performance.now() < renewUntilMs) await lease.renew();
        else if (lease.expiresAt === null || lease.expiresAt.getTime() <= Date.now()) await this.#drop(contextId);
      } catch (error) {
        if (!isGone(error)) throw error;
        this.#claims.delete(contextId);
        this.#news.push(
          `Your claim on ${describe(contextId)} is lost: another agent may have written. Read it again before you write.`,
        );
      }
    }
  }

  async #drop(contextId: string): Promise<void> {
    await this.release(contextId);
    this.#news.push(
      `Your claim on ${describe(contextId)} has ended: you held it too long. Read again before you write.`,
    );
  }

  tell(news: string): void {
    this.#news.push(news);
  }

  /** What every result ends with. */
  async notices(): Promise<string[]> {
    const news = this.#news;
    this.#news = [];
    if (this.#claims.size === 0) return news;
    // What the call has come to is told also where the storage does not say who waits.
    const { queues = [] } = (await unlessRefused(() => this.manager.stats())) ?? {};
    for (const [contextId, { lease, renewUntilMs, ttlMs }] of this.#claims) {
      const queued = queues.find((queue) => queue.contextId === contextId)?.waiting ?? 0;
      const waiting = queued + (this.#waiters.get(contextId) ?? 0);
      if (waiting > 0) {
        news.push(`${waiting} wait for ${describe(contextId)}, which you have claimed: finish and release it.`);
      }
      if (renewUntilMs - performance.now() < ttlMs) {
        const ends = lease.expiresAt ? formatTime(lease.expiresAt) : "soon";
        news.push(`Your claim on ${describe(contextId)} expires at ${ends} and is not renewed any more: finish now.`);
      }
    }
    return news;
  }

  /** While `work` runs, whoever has claimed the context is told that somebody waits. */
  async waiting<Result>(contextId: string, work: () => Promise<Result>): Promise<Result> {
    this.#waiters.set(contextId, (this.#waiters.get(contextId) ?? 0) + 1);
    try {
      return await work();
    } finally {
      const rest = (this.#waiters.get(contextId) ?? 1) - 1;
      if (rest === 0) this.#waiters.delete(contextId);
      else this.#waiters.set(contextId, rest);
    }
  }
}

/** `incarnation.version`: tells a context that was deleted and created again from the one that was read. */
export function versionOf(context: ToolsSnapshot): string {
  const { incarnation = 0, version } = context;
  return `${incarnation}.${version}`;
}

/** What is good to know and not worth a refusal. */
export async function unlessRefused<Result>(look: () => Result | PromiseLike<Result>): Promise<Result | undefined> {
  try {
    return await look();
  } catch (error) {
    if (!isContextError(error)) throw error;
    return undefined;
  }
}

function isGone(error: unknown): boolean {
  return isContextError(error, "LEASE_LOST") || isContextError(error, "NOT_FOUND");
}
