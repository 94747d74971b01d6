/** What agents do while the server under them dies: one thing after another, and each thing that they are told is recorded. */

import { setTimeout as sleep } from "node:timers/promises";
import type { AsyncAgent, AsyncLease, PatchOperation } from "shared-context-manager";
import { type Board, type Ending, type Recorder, stateOf } from "../processes/history.ts";
import type { Manager } from "../processes/package.ts";
import { endingOf } from "../processes/storm.ts";

/** No machine is so busy that something takes as long as this and does not hang. */
const HANGS_MS = 90_000;
const PAUSE_MS = 20;
/** Short enough that some leases are lost while the server is away, and long enough that others are not. */
const TTL_MS = 800;
const WRITES_OF_A_LEASE = 10;

type Hand = Pick<AsyncAgent<Board>, "agentId" | "patch"> & { readonly token?: number | null };

export interface Member {
  readonly manager: Manager;
  readonly recorder: Recorder;
  readonly slot: string;
  /** The mistake of the mutant: it takes as done what it has only begun. */
  readonly isHasty: boolean;
}

export class Worker {
  /** How many of its writes were acknowledged, by context. */
  readonly acknowledged = new Map<string, number>();
  readonly #manager: Manager;
  readonly #recorder: Recorder;
  readonly #slot: string;
  readonly #isHasty: boolean;
  #writes = 0;
  #leases = 0;
  #successes = 0;
  #onSuccess: (() => void) | undefined;

  constructor({ manager, recorder, slot, isHasty }: Member) {
    this.#manager = manager;
    this.#recorder = recorder;
    this.#slot = slot;
    this.#isHasty = isHasty;
  }

  /** Resolves when another write has been acknowledged. */
  async succeeds(): Promise<void> {
    const before = this.#successes;
    while (this.#successes === before) {
      await new Promise<void>((resolve) => {
        this.#onSuccess = resolve;
      });
    }
  }

  /** Writes to all of the contexts in turn, and reads. */
  async write(ids: readonly string[], over: AbortSignal): Promise<void> {
    const agent = this.#manager.agent(this.#slot);
    for (let turn = 0; !over.aborted; turn++) {
      const id = ids[turn % ids.length]!;
      await this.#patch(agent, id);
      if (turn % 5 === 0) await this.#read(id);
    }
  }

  /** Takes a lease, writes through it, and gives it back. */
  async hold(id: string, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      const agentId = `${this.#slot}-${++this.#leases}`;
      const lease = await this.#record<AsyncLease<Board>>(
        { does: "acquire", ids: [id], agentId, ttlMs: TTL_MS },
        () => this.#manager.agent(agentId).acquire(id, { ttlMs: TTL_MS }),
        ({ token }) => ({ states: {}, token }),
      );
      if (lease === undefined) continue;
      for (let writes = 0; writes < WRITES_OF_A_LEASE; writes++) {
        await this.#patch(lease, id);
        await sleep(PAUSE_MS);
      }
      await this.#record(
        { does: "release", ids: [id], token: lease.token },
        () => lease.release(),
        () => ({ states: {} }),
      );
      // Between managers whoever comes first gets a free lock, and that is the one who has just let it go.
      await sleep(PAUSE_MS);
    }
  }

  async #patch(hand: Hand, id: string): Promise<void> {
    const { agentId, token = null } = hand;
    const note = `${this.#slot}#${++this.#writes}`;
    const change: PatchOperation[] = [
      { op: "increment", path: "/count", value: 1 },
      { op: "set", path: `/marks/${this.#slot}`, value: note },
    ];
    const patch = (): ReturnType<Hand["patch"]> => hand.patch(id, change, undefined, { note });
    const hasten = async (): Promise<undefined> => {
      patch().catch(() => undefined);
      await sleep(PAUSE_MS);
    };
    let isDone = false;
    await this.#record(
      { does: "patch", ids: [id], agentId, note, expected: null, token },
      async () => (this.#isHasty ? hasten() : patch()),
      (left) => {
        isDone = true;
        return { states: left === undefined ? {} : { [id]: stateOf(left) } };
      },
    );
    if (!isDone) return;
    this.acknowledged.set(id, (this.acknowledged.get(id) ?? 0) + 1);
    this.#successes += 1;
    this.#onSuccess?.();
  }

  async #read(id: string): Promise<void> {
    await this.#record(
      { does: "read", ids: [id] },
      () => this.#manager.get(id),
      (seen) => ({ states: seen === undefined ? {} : { [id]: stateOf(seen) } }),
    );
  }

  async #record<Result>(
    intent: Parameters<Recorder["record"]>[0],
    run: () => Promise<Result>,
    seen: (result: Result) => Omit<Ending & { readonly kind: "ok" }, "kind">,
  ): Promise<Result | undefined> {
    let isRefused = false;
    const result = await this.#recorder.record(
      intent,
      () => inTime(run()),
      seen,
      (error) => {
        isRefused = true;
        return endingOf(error);
      },
    );
    // While there is no server, every answer is a quick one.
    if (isRefused) await sleep(PAUSE_MS);
    return result;
  }
}

/** What hangs is an error. */
export async function inTime<Result>(work: Promise<Result>): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing within ${HANGS_MS} ms`)), HANGS_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
