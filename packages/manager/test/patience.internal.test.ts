/** A storage that does not answer keeps nobody longer than their signal and their time say, and keeps nothing for them. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../src/clock.ts";
import type { Engine } from "../src/engine.ts";
import { MemoryEngine } from "../src/engines/memory.ts";
import { type AsyncSharedContextManager, managerOver } from "../src/index.ts";
import { refusalOf } from "./support.ts";

type Method = "load" | "commit";

/** Calls of these methods reach the storage when it is thawed, and not before. */
class Frozen {
  readonly engine: Engine;
  readonly #memory = new MemoryEngine(systemClock, { historyLimit: 8, changeLogLimit: 1_000 });
  readonly #held: (() => void)[] = [];
  #methods: readonly Method[] = [];

  constructor() {
    const memory = this.#memory;
    this.engine = {
      supports: memory.supports,
      load: async (ids, counts) => {
        await this.#pass("load");
        return memory.load(ids, counts);
      },
      commit: async (transactions) => {
        await this.#pass("commit");
        return memory.commit(transactions);
      },
      list: (query) => memory.list(query),
      changes: (query) => memory.changes(query),
      history: (id) => memory.history(id),
      onWake: (listener) => memory.onWake(listener),
      close: () => memory.close(),
    };
  }

  freeze(...methods: Method[]): void {
    this.#methods = methods;
  }

  thaw(): void {
    this.#methods = [];
    for (const go of this.#held.splice(0)) go();
  }

  /** How many calls are under way. */
  get held(): number {
    return this.#held.length;
  }

  async kinds(): Promise<string[]> {
    return (await this.#memory.changes({ after: 0, limit: 100 })).changes.map(({ kind }) => kind);
  }

  async #pass(method: Method): Promise<void> {
    if (!this.#methods.includes(method)) return;
    await new Promise<void>((resolve) => {
      this.#held.push(resolve);
    });
  }
}

let storage: Frozen;
let manager: AsyncSharedContextManager<{ n: number }>;
let abort: AbortController;

beforeEach(async () => {
  storage = new Frozen();
  manager = await managerOver<{ n: number }>(storage.engine);
  await manager.create("a", { n: 0 });
  abort = new AbortController();
});

afterEach(async () => {
  storage.thaw();
  await manager.close();
});

/** What a promise rejects with; attached at once, so that it is never unheard. */
function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "it was done",
    (error: unknown) => error,
  );
}

/** Once the storage has been asked. */
async function asked(): Promise<void> {
  await vi.waitFor(() => expect(storage.held).toBeGreaterThan(0), { timeout: 10_000 });
}

describe("while the storage does not answer", () => {
  const reason = new Error("no longer wanted");

  it("acquire ends with its signal, and what is granted later is given back", async () => {
    storage.freeze("commit");
    const lease = manager.agent("ann").acquire("a", { signal: abort.signal });
    const failure = failureOf(lease);
    await asked();
    abort.abort(reason);
    expect(await failure).toBe(reason);
    expect(await storage.kinds()).toEqual(["created"]);
    storage.thaw();
    await vi.waitFor(async () => expect(await storage.kinds()).toEqual(["created", "locked", "unlocked"]));
  });

  it("acquire ends with its time, and what is granted later is given back", async () => {
    storage.freeze("load", "commit");
    const { details } = await refusalOf("TIMEOUT", manager.agent("ann").acquire("a", { timeoutMs: 1 }));
    expect(details).toEqual({ contextId: "a", timeoutMs: 1, position: 1, holder: null });
    storage.thaw();
    await vi.waitFor(async () => expect(await storage.kinds()).toEqual(["created", "locked", "unlocked"]));
  });

  it("acquire ends with its time while it is first in line, and says who was seen to hold the lock", async () => {
    await manager.lock("a", "bob");
    const waiting = manager.agent("ann").acquire("a", { timeoutMs: 1_000 });
    const refused = refusalOf("TIMEOUT", waiting);
    await vi.waitFor(async () => expect((await manager.stats()).lockWaits).toBe(1));
    await manager.create("b", { n: 0 }); // commands are carried out in their order
    storage.freeze("load", "commit");
    expect((await refused).details).toMatchObject({ contextId: "a", position: 1, holder: { owner: "bob" } });
  });

  it("acquire ends with its signal when it is tried again", async () => {
    await manager.lock("a", "bob");
    const waiting = manager.agent("ann").acquire("a", { signal: abort.signal });
    const failure = failureOf(waiting);
    await vi.waitFor(async () => expect((await manager.stats()).lockWaits).toBe(1));
    storage.freeze("load", "commit");
    await asked(); // it looks again now and then, since it may not be told
    abort.abort(reason);
    expect(await failure).toBe(reason);
  });

  it("acquire that only tries, with a timeout of 0, is given the answer that is under way", async () => {
    storage.freeze("load", "commit");
    const lease = manager.agent("ann").acquire("a", { timeoutMs: 0 });
    await asked();
    storage.thaw();
    await (await lease).release();
    expect(await storage.kinds()).toEqual(["created", "locked", "unlocked"]);
  });

  it.each<Method>(["load", "commit"])("modify ends with its signal: %s", async (method) => {
    storage.freeze(method);
    const { signal } = abort;
    const modified = manager.agent("ann").modify("a", ({ data }) => ({ n: data.n + 1 }), { signal });
    const failure = failureOf(modified);
    await asked();
    abort.abort(reason);
    expect(await failure).toBe(reason);
  });

  it("waitFor ends with its signal, and with its time, with the last that was told", async () => {
    const aborted = manager.waitFor("a", () => false, { signal: abort.signal });
    const seen = vi.fn<() => boolean>(() => false);
    const late = manager.waitFor("a", seen, { timeoutMs: 300 });
    const outcomes = Promise.all([failureOf(aborted), refusalOf("TIMEOUT", late)]);
    await vi.waitFor(() => expect(seen).toHaveBeenCalled());
    storage.freeze("load");
    abort.abort(reason);
    const [failure, { details }] = await outcomes;
    expect(failure).toBe(reason);
    expect(details.current?.data).toEqual({ n: 0 });
  });
});
