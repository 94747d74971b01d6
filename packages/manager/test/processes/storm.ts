/** What a process does in a storm: a few tasks at once, each at random one thing after another until the time is up. */

import { setTimeout as sleep } from "node:timers/promises";
import type { AsyncAgent, AsyncLease, JsonObject, PatchOperation, SharedContext } from "shared-context-manager";
import { type Board, type Ending, type Recorder, stateOf } from "./history.ts";
import { isContextError, type Manager } from "./package.ts";

export interface StormJob {
  readonly process: number;
  readonly ids: readonly string[];
  readonly ms: number;
}

type Snapshot = SharedContext<Board>;
/** Agents and leases write alike. */
type Hand = Pick<AsyncAgent<Board>, "agentId" | "patch" | "update"> & { readonly token?: number | null };

const TASKS = 3;
const REMEMBERED = 20;

export async function storm(manager: Manager, recorder: Recorder, job: StormJob, random: () => number): Promise<void> {
  const endsAt = performance.now() + job.ms;
  const tasks = Array.from({ length: TASKS }, (_, index) => new Task(manager, recorder, job, random, index));
  await Promise.all(tasks.map((task) => task.work(endsAt)));
}

class Task {
  readonly #manager: Manager;
  readonly #recorder: Recorder;
  readonly #ids: readonly string[];
  readonly #random: () => number;
  readonly #slot: string;
  readonly #agent: AsyncAgent<Board>;
  readonly #remembered: Snapshot[] = [];
  #writes = 0;
  #leases = 0;

  constructor(manager: Manager, recorder: Recorder, { process, ids }: StormJob, random: () => number, index: number) {
    this.#manager = manager;
    this.#recorder = recorder;
    this.#ids = ids;
    this.#random = random;
    this.#slot = `p${process}t${index}`;
    this.#agent = manager.agent(this.#slot);
  }

  async work(endsAt: number): Promise<void> {
    while (performance.now() < endsAt) {
      const dice = this.#random();
      if (dice < 0.2) await this.#read(this.#one());
      else if (dice < 0.3) await this.#readAll();
      else if (dice < 0.55) await this.#update(this.#agent, this.#one());
      else if (dice < 0.75) await this.#patch(this.#agent, this.#one());
      else if (dice < 0.88) await this.#transact();
      else await this.#hold();
    }
  }

  async #read(id: string): Promise<Snapshot> {
    const snapshot = await this.#recorder.record(
      { does: "read", ids: [id] },
      () => this.#manager.get(id),
      (seen) => ({ states: { [id]: stateOf(seen!) } }),
      endingOf,
    );
    this.#remembered.push(snapshot!);
    if (this.#remembered.length > REMEMBERED) this.#remembered.shift();
    return snapshot!;
  }

  /** What it has just read, or what it has read some time ago. */
  async #base(id: string): Promise<Snapshot> {
    const old = this.#remembered.find(({ contextId }) => contextId === id);
    return old !== undefined && this.#random() < 0.3 ? old : this.#read(id);
  }

  async #update(hand: Hand, id: string): Promise<void> {
    const base = await this.#base(id);
    const note = this.#note();
    const { count, marks } = base.data;
    const board = { count: count + 1, marks: { ...marks, [this.#slot]: note } };
    const expected = this.#random() < 0.5 ? base : base.version;
    await this.#recorder.record(
      { does: "update", ids: [id], ...byWhom(hand), note, expected: base.version },
      () => hand.update(id, board, expected, { note }),
      (left) => ({ states: { [id]: stateOf(left) } }),
      endingOf,
    );
  }

  async #patch(hand: Hand, id: string): Promise<void> {
    const base = this.#random() < 0.5 ? await this.#base(id) : undefined;
    const note = this.#note();
    await this.#recorder.record(
      { does: "patch", ids: [id], ...byWhom(hand), note, expected: base?.version ?? null },
      () => hand.patch(id, this.#change(note), base, { note }),
      (left) => ({ states: { [id]: stateOf(left) } }),
      endingOf,
    );
  }

  async #readAll(): Promise<void> {
    const ids = this.#some(3);
    await this.#recorder.record(
      { does: "read", ids },
      () => this.#agent.transact(async (tx) => Promise.all(ids.map((id) => tx.get(id)))),
      (seen) => ({ states: Object.fromEntries(seen.map((context) => [context!.contextId, stateOf(context!)])) }),
      endingOf,
    );
  }

  async #transact(): Promise<void> {
    const ids = this.#some(3);
    const written = ids.slice(0, 1 + Math.floor(this.#random() * 2));
    const note = this.#note();
    const { agentId } = this.#agent;
    await this.#recorder.record(
      { does: "transact", ids, agentId, note, expected: null, token: null },
      () =>
        this.#agent.transact(async (tx) => {
          const seen: Snapshot[] = [];
          for (const id of ids) seen.push((await tx.get(id))!);
          for (const id of written) await tx.patch(id, this.#change(note), undefined, { note });
          return seen;
        }),
      (seen) => ({ states: Object.fromEntries(seen.map((context) => [context.contextId, stateOf(context)])) }),
      endingOf,
    );
  }

  /** Takes a lease and writes through it; some hang on to it until it has long lapsed, and some for good. */
  async #hold(): Promise<void> {
    const ids = this.#some(2);
    const agentId = `${this.#slot}-${++this.#leases}`;
    const ttlMs = 20 + Math.floor(this.#random() * 30);
    const hangs = this.#random() < 0.4;
    const options = { ttlMs, timeoutMs: 200, ...(hangs && { maxHoldMs: 0 }) };
    const lease = await this.#recorder.record(
      { does: "acquire", ids, agentId, ttlMs },
      () => this.#manager.agent(agentId).acquire(ids, options),
      ({ token }) => ({ states: {}, token }),
      endingOf,
    );
    if (lease === undefined) return;
    if (this.#random() < 0.3) void lease.signal.aborted; // it listens
    await this.#write(lease);
    if (hangs) await sleep(ttlMs * 2 * this.#random());
    if (hangs && this.#random() < 0.3) return;
    await this.#write(lease);
    await this.#recorder.record(
      { does: "release", ids, token: lease.token },
      () => lease.release(),
      () => ({ states: {} }),
      endingOf,
    );
  }

  async #write(lease: AsyncLease<Board>): Promise<void> {
    const id = lease.contextIds[0]!;
    await (this.#random() < 0.5 ? this.#update(lease, id) : this.#patch(lease, id));
  }

  #change(note: string): PatchOperation[] {
    return [
      { op: "set", path: `/marks/${this.#slot}`, value: note },
      { op: "increment", path: "/count", value: 1 },
    ];
  }

  #note(): string {
    return `${this.#slot}#${++this.#writes}`;
  }

  #one(): string {
    return this.#ids[Math.floor(this.#random() * this.#ids.length)]!;
  }

  #some(most: number): string[] {
    const first = Math.floor(this.#random() * this.#ids.length);
    const count = 1 + Math.floor(this.#random() * most);
    return Array.from({ length: count }, (_, index) => this.#ids[(first + index) % this.#ids.length]!);
  }
}

function byWhom({ agentId, token = null }: Hand): { readonly agentId: string; readonly token: number | null } {
  return { agentId, token };
}

export function endingOf(error: unknown): Ending {
  if (!isContextError(error)) throw error;
  if (error.code === "INDETERMINATE") return { kind: "info" };
  const details = error.details as JsonObject & { readonly holder?: { readonly owner: string } | null };
  const current = "current" in details ? (details["current"] as unknown as Snapshot | undefined) : undefined;
  const owner = (details["owner"] as string | undefined) ?? details.holder?.owner ?? null;
  const contextId = details["contextId"] as string | undefined;
  return { kind: "fail", code: error.code, contextId, owner, current: current && stateOf(current) };
}
