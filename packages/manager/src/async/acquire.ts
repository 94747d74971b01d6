import type { AcquireCommand, AcquireOptions } from "../commands.ts";
import { holding } from "../entry.ts";
import { ContextError, type LockHolding } from "../errors.ts";
import { type AsyncLease, leaseOn } from "./lease.ts";
import { LATE, type Patience, within } from "./patience.ts";
import { Busy, type SharedStore } from "./shared-store.ts";
import type { Patient } from "./turnstile.ts";

/** How to acquire a lease over a storage: by the same options as in process. */
export type AsyncAcquireOptions = AcquireOptions;

/** All of the contexts or none: at once when they are free and nobody here waits for them, else after a wait. */
export async function acquire<Data extends object>(
  store: SharedStore,
  request: AcquireCommand,
): Promise<AsyncLease<Data>> {
  request.signal?.throwIfAborted();
  const seeker = new Seeker<Data>(store, request);
  return store.turnstile.noting(request.agentId, seeker.seek(), (reason) => seeker.fail(reason));
}

/** The lease, or the lock that is in the way. What is granted to somebody who waits no longer is given back. */
async function take<Data extends object>(
  store: SharedStore,
  request: AcquireCommand,
  patience: Patience,
): Promise<AsyncLease<Data> | Busy | typeof LATE> {
  const asked = ask<Data>(store, request);
  let outcome: AsyncLease<Data> | Busy | typeof LATE = LATE;
  try {
    outcome = await within(asked, patience);
    return outcome;
  } finally {
    if (outcome === LATE) asked.then((late) => (late instanceof Busy ? undefined : late.release())).catch(ignore);
  }
}

async function ask<Data extends object>(store: SharedStore, request: AcquireCommand): Promise<AsyncLease<Data> | Busy> {
  const granted = await store.grant(request);
  if (!(granted instanceof Busy)) return leaseOn<Data>(store, request, granted[0]?.lock?.token ?? 0);
  store.turnstile.holds(granted.contextId, granted.holder?.owner ?? null);
  return granted;
}

/** The caller has been told already. */
function ignore(): void {}

/** @returns the reason, when the lock is free again, or when that is not known soon. */
async function givenBack(lease: { release(): Promise<void> }, { clock }: Patience, reason: unknown): Promise<unknown> {
  await within(lease.release().catch(ignore), { clock, endsAtMs: 0, signal: undefined });
  return reason;
}

/** A lock that another process frees is raced for: not all at the same instant. */
const JITTER_MS = 2;
/** Hints may be lost; then this is how long a free lock stays unnoticed at most. */
const LONGEST_SLEEP_MS = 1_000;

/** One waiter: it is granted, fails, times out or is aborted, whichever comes first. */
class Seeker<Data extends object> implements Patient {
  readonly agentId: string;
  readonly contextIds: readonly string[];
  readonly #store: SharedStore;
  readonly #request: AcquireCommand;
  readonly #patience: Patience;
  #wake: (() => void) | undefined;
  #hasNews = true;
  #failure: { readonly reason: unknown } | undefined;
  #busy: Busy | undefined;

  constructor(store: SharedStore, request: AcquireCommand) {
    const { agentId, contextIds, timeoutMs, signal } = request;
    this.agentId = agentId;
    this.contextIds = contextIds;
    this.#store = store;
    this.#request = request;
    this.#patience = { clock: store.clock, endsAtMs: store.clock.leaseMs() + timeoutMs, signal };
  }

  async seek(): Promise<AsyncLease<Data>> {
    const { contextIds, timeoutMs, signal } = this.#request;
    const { turnstile } = this.#store;
    if (contextIds.some((contextId) => turnstile.isAwaited(contextId))) return this.#seekInLine();
    const outcome = await take<Data>(this.#store, this.#request, this.#patience);
    if (outcome === LATE) {
      const details = { contextId: contextIds[0] ?? "", timeoutMs, position: 1, holder: null };
      throw this.#store.refusal(new ContextError("TIMEOUT", details));
    }
    if (outcome instanceof Busy) return this.#seekInLine();
    // The abort has come between the grant and its receipt.
    if (signal?.aborted === true) this.fail(signal.reason);
    return this.#unlessTooLate(outcome);
  }

  async #seekInLine(): Promise<AsyncLease<Data>> {
    const { turnstile, follower } = this.#store;
    const { signal } = this.#request;
    const isKnown = turnstile.cycle(this) === undefined || (await this.#askHolders());
    // Nothing is waited for between here and its place in line: two who look at the same time would not see each other.
    if (this.#failure !== undefined) throw this.#failure.reason;
    const cycle = isKnown ? turnstile.cycle(this) : undefined;
    if (cycle !== undefined) throw this.#store.refusal(new ContextError("DEADLOCK", { cycle }));
    turnstile.join(this);
    this.#store.waits += 1;
    const stops = this.contextIds.map((contextId) =>
      follower.subscribe(
        contextId,
        ({ context }) => {
          turnstile.holds(contextId, context?.lockedBy ?? null);
          this.admit();
        },
        () => this.fail(new ContextError("CLOSED", {})),
      ),
    );
    const onAbort = (): void => this.fail(signal?.reason);
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted === true) onAbort(); // while it was tried for the first time
    try {
      return await this.#tryUntilGranted();
    } finally {
      for (const stop of stops) stop();
      signal?.removeEventListener("abort", onAbort);
      turnstile.leave(this);
    }
  }

  /**
   * Who holds what is known here from what has been told, and that may be late: asked again before it is decided on.
   *
   * @returns whether the answer has come in time.
   */
  async #askHolders(): Promise<boolean> {
    for (const contextId of this.contextIds) {
      const entry = await within(this.#store.load(contextId), this.#patience);
      if (entry === LATE) return false;
      this.#store.turnstile.holds(contextId, entry?.lock?.owner ?? null);
    }
    return true;
  }

  /** Something has happened: it may be first in line, or the lock may be free. */
  admit(): void {
    this.#hasNews = true;
    this.#wake?.();
  }

  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#wake?.();
  }

  async #tryUntilGranted(): Promise<AsyncLease<Data>> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.reason;
      if (this.#hasNews && this.#store.turnstile.isFirst(this)) {
        this.#hasNews = false;
        const outcome = await take<Data>(this.#store, this.#request, this.#patience);
        if (outcome === LATE) throw await this.#timeout();
        if (!(outcome instanceof Busy)) return this.#unlessTooLate(outcome);
        this.#busy = outcome;
      }
      if (this.#store.clock.leaseMs() >= this.#patience.endsAtMs) throw await this.#timeout();
      if (this.#failure === undefined && !(this.#hasNews && this.#store.turnstile.isFirst(this))) await this.#sleep();
    }
  }

  /** Until there is news, the lock lapses, or the time is up. */
  async #sleep(): Promise<void> {
    const leftMs = this.#patience.endsAtMs - this.#store.clock.leaseMs();
    // Whoever is not first in line is woken when it is.
    const lapsesInMs = this.#store.turnstile.isFirst(this) ? (this.#busy?.lapsesInMs ?? Infinity) : Infinity;
    let cancel: (() => void) | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      const sleepMs = Math.min(leftMs, Math.max(lapsesInMs, 0) + JITTER_MS * Math.random(), LONGEST_SLEEP_MS);
      cancel = this.#store.clock.setTimer(
        () => {
          this.#hasNews = true;
          resolve();
        },
        sleepMs,
        true,
      );
    });
    cancel?.();
    this.#wake = undefined;
    if (this.#failure === undefined && this.#hasNews && this.#store.supports.shared) {
      await new Promise<void>((resolve) => {
        this.#store.clock.setTimer(resolve, JITTER_MS * Math.random(), true);
      });
    }
  }

  async #unlessTooLate(lease: AsyncLease<Data>): Promise<AsyncLease<Data>> {
    if (this.#failure === undefined) return lease;
    throw await givenBack(lease, this.#patience, this.#failure.reason);
  }

  async #timeout(): Promise<ContextError> {
    const { timeoutMs } = this.#request;
    const { turnstile } = this.#store;
    const held = this.contextIds.find((id) => turnstile.holderOf(id) !== null);
    const contextId = this.#busy?.contextId ?? held ?? this.contextIds[0] ?? "";
    const position = turnstile.position(this, contextId);
    // One that was never first has never asked.
    const holder = this.#busy?.holder ?? (await this.#holderOf(contextId));
    return this.#store.refusal(new ContextError("TIMEOUT", { contextId, timeoutMs, position, holder }));
  }

  async #holderOf(contextId: string): Promise<LockHolding | null> {
    const entry = await within(this.#store.load(contextId), this.#patience);
    return entry === LATE || entry === undefined || entry.lock === null ? null : holding(entry.lock);
  }
}
