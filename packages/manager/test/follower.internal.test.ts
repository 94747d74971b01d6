/** What watchers over a storage ask it for. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Change } from "../src/changes.ts";
import { systemClock } from "../src/clock.ts";
import type { Engine } from "../src/engine.ts";
import { MemoryEngine } from "../src/engines/memory.ts";
import { type AsyncAgent, type AsyncSharedContextManager, managerOver } from "../src/index.ts";
import { refusalOf } from "./support.ts";

let engine: MemoryEngine;
/** What the reads of the log wait for. */
let gate: Promise<unknown>;
let reads: number;
let manager: AsyncSharedContextManager;
let ann: AsyncAgent;

beforeEach(async () => {
  engine = new MemoryEngine(systemClock, { historyLimit: 0, changeLogLimit: 300 });
  gate = Promise.resolve();
  const counted = new Proxy<Engine>(engine, {
    get(target, name: keyof Engine) {
      if (name === "changes") {
        return async (options: Parameters<Engine["changes"]>[0]) => {
          reads += 1;
          await gate;
          return target.changes(options);
        };
      }
      const member = target[name];
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  manager = await managerOver(counted);
  ann = manager.agent("ann");
  for (const id of ["a", "b", "c"]) await manager.create(id, { step: 0 });
});

afterEach(async () => manager.close());

type Watcher = AsyncIterableIterator<Change, undefined>;

/** Watchers that have heard how things are and wait. */
async function waiting(count: number, filter?: string): Promise<Watcher[]> {
  const watchers = Array.from({ length: count }, () => manager.watch(filter));
  const contexts = filter === undefined ? 3 : 1;
  for (const watcher of watchers) for (let index = 0; index < contexts; index++) await watcher.next();
  return watchers;
}

const steps = (changes: readonly IteratorResult<Change, undefined>[]): unknown[] =>
  changes.map(({ value }) => [value?.contextId, value?.context?.data["step"]]);

describe("watchers who wait for the same change", () => {
  it("are told it, and the log is read once for all of them", async () => {
    const watchers = await waiting(100, "a");
    const coming = watchers.map(async (watcher) => watcher.next());
    await new Promise(setImmediate);
    reads = 0;
    await ann.patch("a", { step: 1 });
    expect(new Set(steps(await Promise.all(coming)).map(String))).toEqual(new Set(["a,1"]));
    expect(reads).toBeLessThan(5);
  });

  it("are told each change of a transaction once, in their order, with one reading too", async () => {
    const watchers = await waiting(50);
    const coming = watchers.map(async (watcher) => [await watcher.next(), await watcher.next(), await watcher.next()]);
    await new Promise(setImmediate);
    reads = 0;
    await ann.transact(async (tx) => {
      for (const id of ["c", "a", "b"]) await tx.patch(id, { step: 1 });
    });
    for (const changes of await Promise.all(coming)) {
      expect(steps(changes)).toEqual([
        ["c", 1],
        ["a", 1],
        ["b", 1],
      ]);
    }
    expect(reads).toBeLessThan(5);
  });

  it("are told COMPACTED where the log has gone on without their change, whatever was read last", async () => {
    const other = (await managerOver(engine)).agent("other");
    const [watcher] = (await waiting(1, "a")) as [Watcher];
    const coming = watcher.next();
    await new Promise(setImmediate);
    await other.patch("b", { step: 1 }); // read for all, and not for this one
    await new Promise(setImmediate);
    let open = (): void => undefined;
    gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    await other.patch("a", { step: 1 });
    for (let step = 2; step < 700; step++) await other.patch("b", { step });
    open();
    expect((await refusalOf("COMPACTED", coming)).details.after).toBe(3);
  });

  it("miss nothing where some of them are slow", async () => {
    const [fast, slow] = (await waiting(2, "a")) as [Watcher, Watcher];
    for (let step = 1; step <= 200; step++) {
      const heard = fast.next();
      await ann.patch("a", { step });
      expect(steps([await heard])).toEqual([["a", step]]);
    }
    for (let step = 1; step <= 200; step++) expect(steps([await slow.next()])).toEqual([["a", step]]);
  });
});
