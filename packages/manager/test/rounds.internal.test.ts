/** Two commits under way at once: what is about one context stays in order, and each has its own true outcome. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../src/clock.ts";
import type { CommitOutcome, Engine, Transaction } from "../src/engine.ts";
import { MemoryEngine } from "../src/engines/memory.ts";
import { type AsyncSharedContextManager, managerOver } from "../src/index.ts";
import { refusalOf, settled } from "./support.ts";

/** A commit that has been sent. */
interface Sent {
  readonly ids: readonly string[];
  /** The storage does it. */
  land(): Promise<void>;
  /** Its answer arrives; without one it was cut off. */
  answer(): void;
  cut(): void;
}

let engine: Engine;
let sent: Sent[];
let isHeldUp: boolean;
let manager: AsyncSharedContextManager;

const cutOff: CommitOutcome = { kind: "indeterminate", cause: new Error("cut") };

function commit(transactions: readonly Transaction[]): Promise<CommitOutcome[]> {
  if (!isHeldUp) return engine.commit(transactions);
  return new Promise((resolve) => {
    let outcomes: CommitOutcome[] = [];
    sent.push({
      ids: transactions.flatMap(({ writes }) => writes.map(({ id }) => id)),
      async land() {
        outcomes = await engine.commit(transactions);
      },
      answer: () => resolve(outcomes),
      cut: () => resolve(transactions.map(() => cutOff)),
    });
  });
}

async function openOver(members: Partial<Engine>): Promise<void> {
  engine = new MemoryEngine(systemClock, { historyLimit: 8, changeLogLimit: 1_000 });
  sent = [];
  isHeldUp = false;
  const told = new Proxy(engine, {
    get(target, name: keyof Engine) {
      const member = members[name] ?? target[name];
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  manager = await managerOver(told);
  for (const id of ["a", "b", "c"]) await manager.create(id, { step: 0 });
  isHeldUp = true;
}

beforeEach(() => openOver({ commit, sent: () => Promise.resolve() }));
afterEach(() => manager.close());

async function add(id: string, value = 1): Promise<number> {
  const { data } = await manager.agent("ann").patch(id, [{ op: "increment", path: "/step", value }]);
  return (data as { step: number }).step;
}

const underWay = async (): Promise<(readonly string[])[]> => {
  await settled();
  return sent.map(({ ids }) => ids);
};
/** Those under way now are done, and so is what follows. */
async function letGo(): Promise<void> {
  isHeldUp = false;
  for (const one of sent.splice(0)) {
    await one.land();
    one.answer();
  }
}

describe("two commits", () => {
  it("are under way at once, about different contexts", async () => {
    const a = add("a");
    await settled();
    const all = [a, add("b"), add("a"), add("b"), add("c")];
    expect(await underWay()).toEqual([["a"], ["b", "b", "c"]]);
    await letGo();
    expect(await Promise.all(all)).toEqual([1, 1, 2, 2, 1]);
  });

  it("are not under way at once where nobody says that it is of use", async () => {
    await manager.close();
    await openOver({ commit });
    const a = add("a");
    await settled();
    const b = add("b");
    expect(await underWay()).toEqual([["a"]]);
    await letGo();
    await Promise.all([a, b]);
  });

  it("are planned one after the other: the first has been sent when the second is planned", async () => {
    await manager.close();
    const order: string[] = [];
    await openOver({
      commit(transactions) {
        order.push("commit");
        return commit(transactions);
      },
      sent() {
        order.push("sent");
        return Promise.resolve();
      },
    });
    isHeldUp = false;
    for (let index = 0; index < 40; index++) await manager.create(`many-${index}`, { step: 0 });
    isHeldUp = true;
    order.length = 0;
    const all = Array.from({ length: 40 }, (_, index) => add(`many-${index}`));
    await settled();
    expect(order).toEqual(["commit", "sent", "commit", "sent"]);
    await letGo();
    await Promise.all(all);
  });

  it("of which the later one is answered first are told to watchers in their order, each change once", async () => {
    const heard: [string | null, number][] = [];
    manager.subscribe(undefined, ({ contextId, revision }) => heard.push([contextId, revision]));
    const a = add("a");
    await settled();
    const b = add("b");
    await settled();
    const [first, second] = sent.splice(0);
    await first?.land();
    await second?.land();
    second?.answer();
    await b;
    first?.answer();
    await a;
    await settled();
    expect(heard).toEqual([
      ["a", 4],
      ["b", 5],
    ]);
  });

  it("of which both are cut off have each its own outcome: one has happened, one is done again, each once", async () => {
    const a = add("a");
    await settled();
    const b = add("b");
    await settled();
    const [first, second] = sent.splice(0);
    await second?.land();
    first?.cut();
    second?.cut();
    expect(await b).toBe(1);
    expect(await underWay()).toEqual([["a"]]);
    await letGo();
    expect(await a).toBe(1);
    const { changes } = await engine.changes({ after: 3, limit: 10 });
    expect(changes.map(({ contextId }) => contextId)).toEqual(["b", "a"]);
  });

  it("of which both are cut off are both INDETERMINATE where the log does not tell", async () => {
    await manager.close();
    await openOver({ commit, sent: () => Promise.resolve(), changes: () => Promise.reject(new Error("away")) });
    const refusals = [refusalOf("INDETERMINATE", add("a"))];
    await settled();
    refusals.push(refusalOf("INDETERMINATE", add("b")));
    await settled();
    for (const one of sent.splice(0)) one.cut();
    const told = await Promise.all(refusals);
    expect(told.map(({ details }) => details.contextIds)).toEqual([["a"], ["b"]]);
  });

  it("are waited for by close, which then has every outcome", async () => {
    const a = add("a");
    await settled();
    const b = add("b");
    await settled();
    let isClosed = false;
    const closed = manager.close().then(() => (isClosed = true));
    const [first, second] = sent.splice(0);
    await first?.land();
    first?.answer();
    expect(await a).toBe(1);
    await settled();
    expect(isClosed).toBe(false);
    await second?.land();
    second?.answer();
    expect(await b).toBe(1);
    await closed;
  });
});

describe("a write that another process was faster than", () => {
  it("goes again before what came later to the same context, while the other commit goes on", async () => {
    const a = add("a");
    await settled();
    const b = add("b");
    await settled();
    const next = add("a");
    const other = await managerOver(engine);
    await other.agent("bob").patch("a", [{ op: "set", path: "/step", value: 10 }]);
    const [first, second] = sent.splice(0);
    await first?.land();
    first?.answer();
    expect(await underWay()).toEqual([["a", "a"]]);
    await letGo();
    expect(await Promise.all([a, next])).toEqual([11, 12]);
    await second?.land();
    second?.answer();
    expect(await b).toBe(1);
  });
});

describe("a clear", () => {
  it("waits for what is under way, and what comes later waits for it", async () => {
    const a = add("a");
    await settled();
    const cleared = manager.clear();
    const late = refusalOf("NOT_FOUND", add("b"));
    expect(await underWay()).toEqual([["a"]]);
    await letGo();
    expect(await a).toBe(1);
    await cleared;
    await late;
  });
});
