import type { Item } from "./agenda.ts";
import type { AcquireCommand } from "./commands.ts";
import { holderOf } from "./entry.ts";
import { ContextError } from "./errors.ts";
import { Hold } from "./hold.ts";
import { type Lease, leaseOn, releaseQuietly } from "./leases.ts";
import type { Waiting } from "./handovers.ts";
import type { Waiter } from "./queues.ts";
import type { Store } from "./store.ts";

/** All of the contexts or none: at once when they are free and nobody waits for them, else after a fair wait. */
export function acquire<Data extends object>(
  store: Store,
  request: AcquireCommand,
): Lease<Data> | Promise<Lease<Data>> {
  const { agentId, contextIds, signal } = request;
  signal?.throwIfAborted();
  const leaseMs = store.clock.leaseMs();
  let free = true;
  for (const contextId of contextIds) {
    const entry = store.entries.get(contextId);
    if (entry === undefined) throw store.refusal(new ContextError("NOT_FOUND", { contextId }));
    if (store.handovers.isAwaited(contextId) || holderOf(entry, leaseMs) !== null) free = false;
  }
  if (free) return leaseOn<Data>(new Hold(store, agentId, contextIds, request, leaseMs));
  const cycle = store.handovers.cycle(request);
  if (cycle !== undefined) throw store.refusal(new ContextError("DEADLOCK", { cycle }));
  const granted = new Promise<Lease<Data>>((resolve, reject) => {
    new InLine<Data>(store, request, leaseMs, resolve, reject).wait(leaseMs);
  });
  return signal === undefined ? granted : orGivenBack(granted, signal);
}

/** An abort that comes between the grant and its receipt gives the lease back. */
async function orGivenBack<Data extends object>(
  granted: Promise<Lease<Data>>,
  signal: AbortSignal,
): Promise<Lease<Data>> {
  const lease = await granted;
  if (signal.aborted) {
    releaseQuietly(lease);
    throw signal.reason;
  }
  return lease;
}

/** One waiter: granted, failed, timed out or aborted, whichever comes first. */
class InLine<Data extends object> implements Waiting, Item {
  readonly agentId: string;
  readonly contextIds: readonly string[];
  tickets: Waiter["tickets"] = undefined;
  readonly slackMs = 0;
  readonly atMs: number;
  previous: Item | undefined = undefined;
  next: Item | undefined = undefined;
  readonly #store: Store;
  readonly #request: AcquireCommand;
  readonly #resolve: (lease: Lease<Data>) => void;
  readonly #reject: (reason: unknown) => void;

  constructor(
    store: Store,
    request: AcquireCommand,
    leaseMs: number,
    resolve: (lease: Lease<Data>) => void,
    reject: (reason: unknown) => void,
  ) {
    this.agentId = request.agentId;
    this.contextIds = request.contextIds;
    this.atMs = leaseMs + request.timeoutMs;
    this.#store = store;
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  wait(leaseMs: number): void {
    const { signal, timeoutMs } = this.#request;
    this.#store.handovers.wait(this, leaseMs);
    if (timeoutMs === 0) {
      this.due();
      return;
    }
    signal?.addEventListener("abort", this);
    this.#store.deadlines.add(this);
  }

  grant(leaseMs: number): void {
    this.#stop();
    try {
      this.#resolve(leaseOn<Data>(new Hold(this.#store, this.agentId, this.contextIds, this.#request, leaseMs)));
    } catch (error) {
      this.#reject(error);
    }
  }

  fail(reason: unknown): void {
    this.#stop();
    this.#reject(reason);
  }

  /** The time is up. */
  due(): void {
    const { timeoutMs } = this.#request;
    const error = new ContextError("TIMEOUT", { timeoutMs, ...this.#store.handovers.obstacle(this) });
    this.#store.handovers.leave(this);
    this.fail(this.#store.refusal(error));
  }

  /** The signal has aborted. */
  handleEvent(): void {
    this.#store.handovers.leave(this);
    this.fail(this.#request.signal?.reason);
  }

  #stop(): void {
    this.#store.deadlines.remove(this);
    this.#request.signal?.removeEventListener("abort", this);
  }
}
