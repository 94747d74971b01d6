/** An agent that does one thing after another at random, and says beforehand what each must come to. */

import {
  type AsyncAgent,
  type AsyncLease,
  type AsyncSharedContextManager,
  isContextError,
} from "shared-context-manager";
import type { Data, Effect, Intent, Journal, Snapshot } from "./journal.ts";
import type { Network } from "./network.ts";
import type { VirtualTime } from "./virtual-time.ts";

export const CONTEXTS = ["a", "b", "c"];
export const EMPTY: Data = { count: 0, marks: {} };
const THINKING_MS = 30;

type Writer = Pick<AsyncAgent<Data> & AsyncLease<Data>, "update" | "patch" | "merge">;

const increment: Effect = (before) => before && { ...before, count: before.count + 1 };

export class Actor {
  readonly #agent: AsyncAgent<Data>;
  readonly #manager: AsyncSharedContextManager<Data>;
  readonly #network: Network;
  readonly #journal: Journal;
  readonly #time: VirtualTime;
  /** What it has read some time ago. */
  readonly #remembered = new Map<string, Snapshot>();

  constructor(
    name: string,
    manager: AsyncSharedContextManager<Data>,
    network: Network,
    journal: Journal,
    time: VirtualTime,
  ) {
    this.#agent = manager.agent(name);
    this.#manager = manager;
    this.#network = network;
    this.#journal = journal;
    this.#time = time;
  }

  async live(steps: number): Promise<void> {
    const actions = [
      () => this.#update(),
      () => this.#update(),
      () => this.#increment(),
      () => this.#increment(),
      () => this.#merge(),
      () => this.#modify(),
      () => this.#lease(),
      () => this.#lease(),
      () => this.#move(),
      () => this.#witness(),
      () => this.#flag(),
      () => this.#waitFor(),
      () => this.#restore(),
      () => this.#recreate(),
    ];
    for (let step = 0; step < steps; step++) {
      await this.#time.pause(THINKING_MS);
      try {
        await this.#time.random.pick(actions)();
      } catch (error) {
        if (!isContextError(error)) throw error;
      }
    }
  }

  /** Gives back all that it still holds. */
  async leave(): Promise<void> {
    await this.#agent.close();
  }

  get #contextId(): string {
    return this.#time.random.pick(CONTEXTS);
  }

  #note<Value>(intent: Omit<Intent, "agentId">, run: (label: string) => Promise<Value>): Promise<Value> {
    return this.#journal.note(this.#network, { agentId: this.#agent.agentId, ...intent }, run);
  }

  async #get(contextId: string): Promise<Snapshot | undefined> {
    const found = await this.#note({ kind: "get", contextIds: [contextId] }, () => this.#manager.get(contextId));
    if (found !== undefined && this.#time.random.below(3) === 0) this.#remembered.set(contextId, found);
    await this.#time.pause(THINKING_MS);
    return found;
  }

  /** On what it reads now, or on what it has read before and may be old. */
  async #update(writer: Writer = this.#agent, token?: number, contextId = this.#contextId): Promise<void> {
    const isStale = this.#time.random.below(3) === 0;
    const base = (isStale ? this.#remembered.get(contextId) : undefined) ?? (await this.#get(contextId));
    if (base === undefined) return;
    const next = { ...base.data, count: base.data.count + 1 };
    const effects = new Map([[contextId, (_before: unknown, version: unknown) => requires(version, base, next)]]);
    const expected = this.#time.random.below(2) === 0 ? base : base.version;
    await this.#note({ kind: "update", contextIds: [contextId], token, expected: base.version, effects }, (note) =>
      writer.update(contextId, next, expected, { note }),
    );
  }

  async #increment(writer: Writer = this.#agent, token?: number, contextId = this.#contextId): Promise<void> {
    const operations = [{ op: "increment", path: "/count", value: 1 }] as const;
    await this.#note(
      { kind: "increment", contextIds: [contextId], token, effects: new Map([[contextId, increment]]) },
      (note) => writer.patch(contextId, operations, undefined, { note }),
    );
  }

  async #merge(writer: Writer = this.#agent, token?: number, contextId = this.#contextId): Promise<void> {
    const base = await this.#get(contextId);
    if (base === undefined) return;
    const own = this.#time.random.below(2 ** 30); // unlike any before: the same change made twice is none
    const mark: Effect = (before) => before && { ...before, marks: { ...before.marks, [this.#agent.agentId]: own } };
    const effects = new Map([[contextId, mark]]);
    await this.#note({ kind: "merge", contextIds: [contextId], token, expected: base.version, effects }, (note) =>
      writer.merge(base, mark(base.data, base.version) as Data, { note }),
    );
  }

  async #modify(): Promise<void> {
    const contextId = this.#contextId;
    const intent = { kind: "modify", contextIds: [contextId], effects: new Map([[contextId, increment]]) };
    await this.#note(intent, (note) =>
      this.#agent.modify(
        contextId,
        async ({ data }) => {
          await this.#time.pause(THINKING_MS);
          return { ...data, count: data.count + 1 };
        },
        { note },
      ),
    );
  }

  /** Whatever has happened since. */
  async #restore(): Promise<void> {
    const base = await this.#get(this.#contextId);
    if (base === undefined) return;
    const { contextId, version, data } = base;
    const effects = new Map<string, Effect>([[contextId, () => data]]);
    await this.#note({ kind: "restore", contextIds: [contextId], effects }, (note) =>
      this.#agent.restore(contextId, version, { note }),
    );
  }

  /** Some of the time it holds on for longer than it may, and writes all the same. */
  async #lease(): Promise<void> {
    const { random } = this.#time;
    const contextIds = random.below(3) === 0 ? ["a", "b"] : [this.#contextId];
    const abort = new AbortController();
    const timeoutMs = 200 + random.below(4_000);
    const hangs = random.below(3) === 0;
    const options = { ttlMs: 60 + random.below(200), maxHoldMs: hangs ? 0 : 5_000, timeoutMs, signal: abort.signal };
    if (random.below(10) === 0) this.#time.setTimer(() => abort.abort(new DOMException("enough")), random.below(500));
    let lease: AsyncLease<Data>;
    try {
      lease = await this.#note({ kind: "acquire", contextIds, timeoutMs }, () =>
        this.#agent.acquire(contextIds, options),
      );
    } catch (error) {
      if (error instanceof DOMException) return;
      throw error;
    }
    const write = (contextId: string): Promise<void> =>
      random.pick([
        () => this.#update(lease, lease.token, contextId),
        () => this.#increment(lease, lease.token, contextId),
        () => this.#merge(lease, lease.token, contextId),
      ])();
    for (let writes = 1 + random.below(3); writes > 0; writes--) {
      if (hangs) await this.#time.pause(400);
      try {
        await write(random.pick(contextIds));
      } catch (error) {
        if (isContextError(error, "LEASE_LOST")) return;
        if (!isContextError(error)) throw error;
      }
    }
    if (hangs && random.below(2) === 0) return;
    await this.#note({ kind: "release", contextIds, token: lease.token }, () => lease.release());
  }

  /** Takes from one and gives to another. */
  async #move(): Promise<void> {
    const effects = new Map<string, Effect>();
    await this.#note({ kind: "move", contextIds: ["a", "b"], effects }, (note) =>
      this.#agent.transact(async (tx) => {
        effects.clear();
        for (const [contextId, by] of [
          ["a", -1],
          ["b", 1],
        ] as const) {
          const found = await tx.get(contextId);
          if (found === undefined) continue;
          const next = { ...found.data, count: found.data.count + by };
          effects.set(contextId, (_before, version) => requires(version, found, next));
          await tx.update(contextId, next, found, { note });
          await this.#time.pause(THINKING_MS);
        }
      }),
    );
  }

  /** Writes into one context what it has read in another: what has only been read must still be so, too. */
  async #witness(): Promise<void> {
    const contextId = this.#contextId;
    const other = CONTEXTS.find((id) => id !== contextId) as string;
    const effects = new Map<string, Effect>();
    await this.#note({ kind: "witness", contextIds: [contextId, other], effects }, (note) =>
      this.#agent.transact(async (tx) => {
        effects.clear();
        const seen = await tx.get(other);
        await this.#time.pause(THINKING_MS);
        const found = await tx.get(contextId);
        if (found === undefined) return;
        const next = { ...found.data, saw: { [other]: seen?.version ?? "none" } };
        effects.set(contextId, (_before, version) => requires(version, found, next));
        await tx.update(contextId, next, found, { note });
      }),
    );
  }

  async #flag(): Promise<void> {
    const contextId = this.#contextId;
    const { random } = this.#time;
    const options = random.below(4) === 0 ? {} : { ttlMs: 20 + random.below(200) };
    const isHeld = await this.#note({ kind: "lock", contextIds: [contextId] }, () =>
      this.#agent.lock(contextId, options),
    );
    if (!isHeld) return;
    await this.#time.pause(THINKING_MS);
    // What has no end is given back, as often as it takes.
    for (;;) {
      try {
        await this.#note({ kind: "unlock", contextIds: [contextId] }, () => this.#agent.unlock(contextId));
        return;
      } catch (error) {
        if (isContextError(error, "NOT_FOUND") || !isContextError(error)) throw error;
      }
    }
  }

  async #waitFor(): Promise<void> {
    const contextId = this.#contextId;
    const least = this.#time.random.below(8);
    const timeoutMs = 50 + this.#time.random.below(1_000);
    await this.#note({ kind: "waitFor", contextIds: [contextId], timeoutMs }, () =>
      this.#manager.waitFor(contextId, ({ data }) => data.count >= least, { timeoutMs }),
    );
  }

  async #recreate(): Promise<void> {
    const contextId = this.#contextId;
    const base = await this.#get(contextId);
    if (base === undefined) {
      const effects = new Map<string, Effect>([[contextId, (before) => (before === undefined ? EMPTY : undefined)]]);
      await this.#note({ kind: "create", contextIds: [contextId], effects }, (note) =>
        this.#agent.create(contextId, EMPTY, { note }),
      );
    } else if (this.#time.random.below(2) === 0) {
      const effects = new Map<string, Effect>([[contextId, (_before, version) => void requires(version, base, EMPTY)]]);
      await this.#note({ kind: "delete", contextIds: [contextId], expected: base.version, effects }, (note) =>
        this.#agent.delete(contextId, base, { note }),
      );
    }
  }
}

function requires(version: unknown, base: Snapshot, next: Data): Data {
  if (version !== base.version) throw new Error(`it landed on version ${String(version)}, not on ${base.version}`);
  return next;
}
