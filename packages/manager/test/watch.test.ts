/** Watching: an iterator over what happens, from how things are or from a revision on. */

import { getEventListeners } from "node:events";
import { type Agent, type Change, type ContextFilter, SharedContextManager } from "shared-context-manager";
import { beforeEach, describe, expect, it } from "vitest";
import { brief, follow, type ManualClock, manualClock, refusal, refusalOf, settled, take } from "./support.ts";

interface Step {
  readonly step?: number;
}

let clock: ManualClock;
let manager: SharedContextManager<Step>;
let ann: Agent<Step>;
let bob: Agent<Step>;

function start(changeLogLimit = 0): void {
  clock = manualClock();
  manager = new SharedContextManager<Step>({ clock, changeLogLimit });
  ann = manager.agent("ann");
  bob = manager.agent("bob");
}

beforeEach(() => start());

/** So many changes of a context. */
function write(contextId: string, times: number): void {
  for (let step = 0; step < times; step++) ann.modify(contextId, () => ({ step }));
}

/** What a call makes watchers hear, all of it. */
async function heardOf(call: () => unknown, filter?: ContextFilter): Promise<Change<Step>[]> {
  const { changes } = follow(manager.watch(filter, { after: manager.stats().revision }));
  call();
  await settled();
  return changes;
}

describe("watch without after", () => {
  it("begins with how things are, in the order of revisions, and goes on with every change", async () => {
    for (const id of ["a", "b", "c"]) ann.create(id, { step: 0 }, { note: `draft of ${id}` });
    ann.update("a", { step: 1 }, "1", { note: "better" });
    const stream = manager.watch();
    expect(await take(stream, 3)).toEqual(["2 current b", "3 current c", "4 current a"]);
    bob.update("b", { step: 1 }, "1");
    manager.delete("c");
    expect(await take(stream, 2)).toEqual(["5 updated b", "6 deleted c"]);
  });

  it("tells of what is there who wrote it and what they said, and of no state before", async () => {
    ann.create("a", { step: 7 }, { note: "draft" });
    const { value } = await manager.watch("a").next();
    expect(value).toEqual({
      revision: 1,
      kind: "current",
      contextId: "a",
      agentId: "ann",
      note: "draft",
      context: manager.get("a"),
      previous: undefined,
    });
    expect(value?.context?.data).toEqual({ step: 7 });
  });

  it("looks when it is first asked", async () => {
    const stream = manager.watch();
    manager.create("a", {});
    manager.update("a", { step: 1 }, "1");
    expect(await take(stream, 1)).toEqual(["2 current a"]);
  });

  it("shows locks that are held", async () => {
    manager.create("a", {});
    ann.lock("a");
    const { value } = await manager.watch().next();
    expect([value?.revision, value?.context?.lockedBy]).toEqual([2, "ann"]);
  });

  it("gives each watcher a change of its own: what one does to it, no other sees", async () => {
    const streams = [manager.watch("a"), manager.watch("a")];
    const coming = streams.map((stream) => stream.next());
    ann.create("a", { step: 0 });
    const [mine, theirs] = (await Promise.all(coming)).map(({ value }) => value);
    Object.assign(mine as object, { kind: "deleted", contextId: "b" });
    expect(brief(theirs as Change<Step>)).toBe("1 created a");
    expect(mine?.context).not.toBe(theirs?.context);
  });

  it("waits where there is nothing yet, and hears of the first change", async () => {
    const following = follow(manager.watch());
    await settled();
    manager.create("a", {});
    manager.update("a", { step: 1 }, "1");
    await settled();
    expect(following.told).toEqual(["1 created a", "2 updated a"]);
  });

  it("hears of a context that does not exist yet", async () => {
    manager.create("other", {});
    const following = follow(manager.watch("a"));
    await settled();
    manager.create("a", {});
    await settled();
    expect(following.told).toEqual(["2 created a"]);
  });
});

describe("watch with after", () => {
  it("tells every change past that revision, and nothing of how things are", async () => {
    start(100);
    manager.create("a", {});
    write("a", 3);
    const following = follow(manager.watch(undefined, { after: 2 }));
    write("a", 1);
    await settled();
    expect(following.told).toEqual(["3 updated a", "4 updated a", "5 updated a"]);
  });

  it("tells everything from 0 on", async () => {
    start(100);
    manager.create("a", {});
    manager.delete("a");
    expect(await take(manager.watch(undefined, { after: 0 }), 2)).toEqual(["1 created a", "2 deleted a"]);
  });

  it("goes on from the last revision without a change log", async () => {
    manager.create("a", {});
    const stream = manager.watch(undefined, { after: 1 });
    manager.update("a", { step: 1 }, "1");
    expect(await take(stream, 1)).toEqual(["2 updated a"]);
  });

  it("loses nothing between two watchers that follow one another", async () => {
    start(Infinity);
    manager.create("a", {});
    write("a", 300);
    const told: string[] = [];
    let after = 0;
    while (after < 301) {
      for await (const change of manager.watch("a", { after })) {
        told.push(brief(change));
        ({ revision: after } = change);
        if (after % 50 === 0 || after === 301) break;
      }
    }
    expect(told).toEqual(["1 created a", ...Array.from({ length: 300 }, (_, index) => `${index + 2} updated a`)]);
  });

  it("is COMPACTED when that revision is yet to come", async () => {
    manager.create("a", {});
    const { details, message } = await refusalOf("COMPACTED", manager.watch(undefined, { after: 2 }).next());
    expect(details).toEqual({ after: 2, oldest: 2, head: 1 });
    expect(message).toContain("there is no revision 2 yet");
  });

  it("is COMPACTED with what is still kept, and goes on from there", async () => {
    start(3);
    manager.create("a", {});
    write("a", 9);
    const { details, message } = await refusalOf("COMPACTED", manager.watch("a", { after: 3 }).next());
    expect(details).toEqual({ after: 3, oldest: 8, head: 10 });
    expect(message).toContain("only those from 8 on");
    await refusalOf("COMPACTED", manager.watch("a", { after: details.oldest - 2 }).next());
    const stream = manager.watch("a", { after: details.oldest - 1 });
    expect(await take(stream, 3)).toEqual(["8 updated a", "9 updated a", "10 updated a"]);
  });

  it("is COMPACTED for anything but the last revision where nothing is kept", async () => {
    manager.create("a", {});
    write("a", 1);
    const { details } = await refusalOf("COMPACTED", manager.watch("b", { after: 1 }).next());
    expect(details).toEqual({ after: 1, oldest: 3, head: 2 });
  });

  it("is COMPACTED before a dump, and goes on after it", async () => {
    manager.create("a", {});
    write("a", 4);
    const again = SharedContextManager.fromDict<Step>(manager.toDict(), { changeLogLimit: 10 });
    const { details } = await refusalOf("COMPACTED", again.watch(undefined, { after: 4 }).next());
    expect(details).toEqual({ after: 4, oldest: 6, head: 5 });
    const stream = again.watch(undefined, { after: 5 });
    again.delete("a");
    expect(await take(stream, 1)).toEqual(["6 deleted a"]);
  });

  it("ends after COMPACTED", async () => {
    const stream = manager.watch(undefined, { after: 1 });
    await refusalOf("COMPACTED", stream.next());
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(manager.stats().watchers).toBe(0);
  });
});

describe("a filter", () => {
  const told = async (filter?: ContextFilter): Promise<string[]> => {
    const { told } = follow(manager.watch(filter, { after: 0 }));
    for (const id of ["task-1", "task", "tas", "plan", ""]) manager.create(id, {});
    manager.update("task-1", { step: 1 }, "1");
    ann.transact((tx) => {
      for (const id of ["plan", "task", "task-1"]) tx.patch(id, { step: 2 });
    });
    await settled();
    return told;
  };

  it("of an id lets only that context through", async () => {
    expect(await told("task")).toEqual(["2 created task", "7 updated task"]);
    start();
    expect(await told("")).toEqual(["5 created "]);
  });

  it("of a prefix lets through what begins so", async () => {
    expect(await told({ prefix: "task" })).toEqual([
      "1 created task-1",
      "2 created task",
      "6 updated task-1",
      "7 updated task",
      "7 updated task-1",
    ]);
    start();
    expect(await told({ prefix: "" })).toHaveLength(9);
  });

  it("that is none lets everything through", async () => {
    expect(await told()).toHaveLength(9);
  });

  it("applies to how things are, too", async () => {
    for (const id of ["task-1", "plan", "task-2"]) manager.create(id, {});
    expect(await take(manager.watch({ prefix: "task-" }), 2)).toEqual(["1 current task-1", "3 current task-2"]);
    expect(await take(manager.watch("plan"), 1)).toEqual(["2 current plan"]);
  });
});

describe("a change", () => {
  it("says who did it, what they said, what was there and what is there now", async () => {
    const [created] = await heardOf(() => ann.create("a", { step: 1 }, { note: "draft" }));
    const first = manager.get("a");
    expect(created).toEqual({
      revision: 1,
      kind: "created",
      contextId: "a",
      agentId: "ann",
      note: "draft",
      context: first,
      previous: undefined,
    });
    const [updated] = await heardOf(() => bob.update("a", { step: 2 }, "1", { note: "better" }));
    const second = manager.get("a");
    expect(updated).toEqual({
      revision: 2,
      kind: "updated",
      contextId: "a",
      agentId: "bob",
      note: "better",
      context: second,
      previous: first,
    });
    const [deleted] = await heardOf(() => ann.delete("a", undefined, { note: "all done" }));
    expect(deleted).toEqual({
      revision: 3,
      kind: "deleted",
      contextId: "a",
      agentId: "ann",
      note: "all done",
      context: undefined,
      previous: second,
    });
  });

  it("without a handle is by nobody", async () => {
    manager.create("a", {});
    const changes = await heardOf(() => {
      manager.update("a", {}, "1");
      manager.delete("a");
    });
    expect(changes.map(({ kind, agentId, note }) => [kind, agentId, note])).toEqual([
      ["updated", null, null],
      ["deleted", null, null],
    ]);
  });

  it("of the data is told by patch, merge, modify and restore as by update", async () => {
    manager = new SharedContextManager<Step>({ clock, historyLimit: 9 });
    ann = manager.agent("ann");
    const base = ann.create("a", {});
    const changes = await heardOf(() => {
      ann.patch("a", { step: 1 }, undefined, { note: "patch" });
      ann.merge(base, { step: 1 }); // makes no difference
      ann.patch("a", { step: 1 }); // nor does this
      ann.modify("a", () => ({ step: 3 }), { note: "modify" });
      ann.restore("a", "1", { note: "restore" });
      ann.restore("a", "4"); // is there already
    });
    expect(changes.map(({ kind, note }) => [kind, note])).toEqual([
      ["updated", "patch"],
      ["updated", "modify"],
      ["updated", "restore"],
    ]);
  });

  it("of a lock is told with its owner; taking it again, renewing it and failing to take it are no changes", async () => {
    manager.create("a", {});
    const changes = await heardOf(() => {
      ann.lock("a", { ttlMs: 100 });
      ann.lock("a");
      ann.lock("a", { ttlMs: 500 });
      bob.lock("a");
      bob.unlock("a");
      manager.unlock("a", "ann");
      ann.unlock("a");
    });
    expect(changes.map(brief)).toEqual(["2 locked a", "4 unlocked a"]);
    expect(changes.map(({ agentId, note }) => [agentId, note])).toEqual([
      ["ann", null],
      ["ann", null],
    ]);
    expect(changes.map(({ context, previous }) => [previous?.lockedBy, context?.lockedBy])).toEqual([
      [null, "ann"],
      ["ann", null],
    ]);
  });

  it("is not made by a lease that renews itself", async () => {
    for (const id of ["a", "b"]) manager.create(id, {});
    const { told } = follow(manager.watch(undefined, { after: 2 }));
    const lease = await ann.acquire(["a", "b"], { ttlMs: 300 });
    lease.renew();
    clock.advance(1_000);
    expect(manager.stats().revision).toBeGreaterThan(5);
    const { revision } = manager.stats();
    lease.release();
    await settled();
    expect(told).toEqual(["3 locked a", "3 locked b", `${revision + 1} unlocked a`, `${revision + 1} unlocked b`]);
  });

  it("of a lapsed lock that is taken over is told as expired and locked, at one revision", async () => {
    manager.create("a", {});
    ann.lock("a", { ttlMs: 100 });
    const before = manager.get("a");
    clock.advance(100);
    const lease = bob.acquire("a");
    const changes = await heardOf(() => undefined);
    expect(changes).toEqual([]);
    await lease;
    start(10);
    manager.create("a", {});
    ann.lock("a", { ttlMs: 100 });
    clock.advance(100);
    await bob.acquire("a");
    const stream = manager.watch("a", { after: 2 });
    const [expired, locked] = [(await stream.next()).value, (await stream.next()).value];
    expect([expired, locked].map((change) => change && brief(change))).toEqual(["3 expired a", "3 locked a"]);
    expect([expired?.agentId, locked?.agentId]).toEqual(["bob", "bob"]);
    expect([expired?.previous?.lockedBy, locked?.context?.lockedBy]).toEqual([before?.lockedBy, "bob"]);
  });

  it("of the data through a lapsed lock is told as expired and updated, at one revision", async () => {
    manager.create("a", {});
    ann.lock("a", { ttlMs: 100 });
    clock.advance(100);
    const changes = await heardOf(() => bob.update("a", { step: 1 }, "1", { note: "took it" }));
    expect(changes.map(brief)).toEqual(["3 expired a", "3 updated a"]);
    expect(changes.map(({ agentId, note }) => [agentId, note])).toEqual([
      ["bob", null],
      ["bob", "took it"],
    ]);
    expect(changes[1]?.context?.lockedBy).toBeNull();
  });

  it("of the data by nobody through a lapsed lock is by nobody", async () => {
    manager.create("a", {});
    ann.lock("a", { ttlMs: 100 });
    clock.advance(100);
    const changes = await heardOf(() => manager.update("a", { step: 1 }, "1"));
    expect(changes.map(({ kind, agentId }) => [kind, agentId])).toEqual([
      ["expired", null],
      ["updated", null],
    ]);
  });

  it("by the owner leaves its lock, lapsed or not", async () => {
    manager.create("a", {});
    ann.lock("a", { ttlMs: 100 });
    clock.advance(100);
    expect((await heardOf(() => ann.update("a", { step: 1 }, "1"))).map(brief)).toEqual(["3 updated a"]);
    expect(manager.get("a")?.lockedBy).toBe("ann");
  });

  it("of a lock that is broken has the reason as its note, and who broke it", async () => {
    for (const id of ["a", "b"]) {
      manager.create(id, {});
      ann.lock(id);
    }
    const changes = await heardOf(() => {
      manager.forceUnlock("a", { reason: "it hangs", agentId: "operator" });
      manager.forceUnlock("b", { reason: "so does it" });
      manager.forceUnlock("b", { reason: "nobody holds it" });
    });
    expect(changes.map(({ kind, contextId, agentId, note }) => [kind, contextId, agentId, note])).toEqual([
      ["unlocked", "a", "operator", "it hangs"],
      ["unlocked", "b", null, "so does it"],
    ]);
  });

  it("is made of every lock that an agent leaves when it is closed", async () => {
    for (const id of ["a", "b"]) {
      manager.create(id, {});
      ann.lock(id);
    }
    const changes = await heardOf(() => ann.close());
    expect(changes.map(({ kind, contextId, agentId }) => [kind, contextId, agentId])).toEqual([
      ["unlocked", "a", "ann"],
      ["unlocked", "b", "ann"],
    ]);
  });

  it("that is a clearing is one, of no context, and is told to everybody", async () => {
    manager.create("a", {});
    manager.create("b", {});
    ann.lock("a");
    const all = (["a", "b", "nothing", { prefix: "z" }, { prefix: "a" }, undefined] as const).map((filter) =>
      follow(manager.watch(filter, { after: 3 })),
    );
    manager.clear();
    manager.clear(); // there is nothing to clear
    await settled();
    const cleared = { revision: 4, kind: "cleared", contextId: null, agentId: null, note: null };
    for (const { changes } of all) expect(changes).toEqual([{ ...cleared, context: undefined, previous: undefined }]);
  });

  it("goes on after a clearing: watchers stay", async () => {
    manager.create("a", {});
    const following = follow(manager.watch("a"));
    await settled();
    manager.clear();
    manager.create("a", {});
    await settled();
    expect(following.told).toEqual(["1 current a", "2 cleared *", "3 created a"]);
  });

  it("of a transaction is told together with its others, at one revision", async () => {
    for (const id of ["a", "b", "c"]) manager.create(id, {});
    const changes = await heardOf(() =>
      ann.transact((tx) => {
        tx.get("c");
        tx.update("b", { step: 1 }, undefined, { note: "b" });
        tx.delete("a", undefined, { note: "a" });
        tx.create("d", {}, { note: "d" });
      }),
    );
    expect(changes.map(brief)).toEqual(["4 updated b", "4 deleted a", "4 created d"]);
    expect(changes.map(({ agentId, note }) => [agentId, note])).toEqual([
      ["ann", "b"],
      ["ann", "a"],
      ["ann", "d"],
    ]);
  });

  it("of a context that one transaction deletes and creates again is two, and neither has the other's state", async () => {
    manager.create("a", { step: 1 });
    const changes = await heardOf(() =>
      ann.transact((tx) => {
        tx.delete("a");
        tx.create("a", { step: 2 });
      }),
    );
    expect(changes.map(brief)).toEqual(["2 deleted a", "2 created a"]);
    expect(changes.map(({ previous, context }) => [previous?.data.step, context?.data.step])).toEqual([
      [1, undefined],
      [undefined, 2],
    ]);
  });

  it("shows the same data as a snapshot, and never changes", async () => {
    manager.create("a", { step: 1 });
    const [change] = await heardOf(() => manager.update("a", { step: 2 }, "1"));
    manager.update("a", { step: 3 }, "2");
    expect([change?.previous?.data, change?.context?.data, change?.context?.revision]).toEqual([
      { step: 1 },
      { step: 2 },
      2,
    ]);
  });
});

it("keeps the filter that it was given, whatever becomes of the object", async () => {
  const filter = { prefix: "a" };
  const stream = follow(manager.watch(filter));
  const heard: unknown[] = [];
  const unsubscribe = manager.subscribe(filter, ({ contextId }) => heard.push(contextId));
  filter.prefix = "b";
  for (const id of ["a1", "b1"]) manager.create(id, {});
  await settled();
  expect([stream.told, heard]).toEqual([["1 created a1"], ["a1"]]);
  unsubscribe();
  expect(manager.stats().watchers).toBe(1);
});

describe("a slow consumer", () => {
  it("may lag 1,024 changes", async () => {
    manager.create("a", {});
    const stream = manager.watch("a", { after: 1 });
    write("a", 1_024);
    expect(await take(stream, 1_024)).toEqual(Array.from({ length: 1_024 }, (_, index) => `${index + 2} updated a`));
  });

  it("is COMPACTED when it lags more, and the rest of the iteration is empty", async () => {
    manager.create("a", {});
    const stream = manager.watch("a");
    expect(await take(stream, 1)).toEqual(["1 current a"]);
    write("a", 1_025);
    const { details } = await refusalOf("COMPACTED", stream.next());
    expect(details).toEqual({ after: 1, oldest: 1_027, head: 1_026 });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(manager.stats().watchers).toBe(0);
  });

  it("is COMPACTED with the oldest revision from which one can go on, where there is a log", async () => {
    start(2_000);
    manager.create("a", {});
    const stream = manager.watch("a");
    expect(await take(stream, 1)).toEqual(["1 current a"]);
    write("a", 2_500);
    const { details } = await refusalOf("COMPACTED", stream.next());
    expect(details).toEqual({ after: 1, oldest: 502, head: 2_501 });
    expect(await take(manager.watch("a", { after: details.oldest - 1 }), 1)).toEqual(["502 updated a"]);
  });

  it("gets first what it had in its hand", async () => {
    manager.create("a", {});
    const stream = manager.watch("a", { after: 1 });
    write("a", 10);
    expect(await take(stream, 1)).toEqual(["2 updated a"]);
    write("a", 1_500);
    expect(await take(stream, 9)).toEqual(Array.from({ length: 9 }, (_, index) => `${index + 3} updated a`));
    await refusalOf("COMPACTED", stream.next());
  });

  it("is not COMPACTED by changes that are not for it", async () => {
    manager.create("a", {});
    manager.create("b", {});
    const waiting = follow(manager.watch("a"));
    const resting = manager.watch("a", { after: 2 });
    follow(manager.watch("b"));
    await settled();
    for (let round = 0; round < 30; round++) {
      write("b", 100);
      await settled();
    }
    write("a", 1);
    await settled();
    expect(waiting.told).toEqual(["1 current a", "3003 updated a"]);
    expect(await take(resting, 1)).toEqual(["3003 updated a"]);
    expect(waiting.end).toBeUndefined();
  });

  it.each([0, 5])(
    "is not COMPACTED by them either while it has read not all that is for it, a log of %i",
    async (limit) => {
      start(limit);
      for (const id of ["a", "b", "c"]) manager.create(id, {});
      const slow = manager.watch("a", { after: 3 });
      follow(manager.watch("b"));
      for (const times of [1, 2, 3]) {
        write("a", times);
        for (let hundreds = 0; hundreds < 12; hundreds++) {
          write("b", 100);
          write("c", 100);
          await settled();
        }
      }
      write("a", 1_018);
      expect(manager.stats().lag).toBe(1_024);
      const told = await take(slow, 1_024);
      expect([told[0], told[1], told[6]]).toEqual(["4 updated a", "2405 updated a", "7210 updated a"]);
      write("a", 1_100);
      await refusalOf("COMPACTED", slow.next());
    },
  );

  it("does not take from a quick one what comes after its own fall", async () => {
    manager.create("a", {});
    const slow = manager.watch("a", { after: 1 });
    write("a", 1_024);
    const quick = manager.watch("a", { after: 1_025 });
    write("a", 3);
    expect(await take(quick, 3)).toEqual(["1026 updated a", "1027 updated a", "1028 updated a"]);
    await refusalOf("COMPACTED", slow.next());
  });

  it("does not make a quick one wait or fail", async () => {
    manager.create("a", {});
    const slow = manager.watch("a", { after: 1 });
    const quick = follow(manager.watch("a"));
    for (let round = 0; round < 40; round++) {
      await settled();
      write("a", 50);
      for (let turn = 0; turn < 20; turn++) await settled();
    }
    expect(quick.told).toHaveLength(2_001);
    await refusalOf("COMPACTED", slow.next());
  });

  it("hears the whole of a transaction that is larger than the log", async () => {
    start(3);
    const following = follow(manager.watch(undefined, { after: 0 }));
    ann.transact((tx) => {
      for (let index = 0; index < 2_000; index++) tx.create(`c${index}`, {});
    });
    for (let turn = 0; turn < 500; turn++) await settled();
    expect([following.end, following.told.length]).toEqual([undefined, 2_000]);
    expect(new Set(following.changes.map(({ revision }) => revision))).toEqual(new Set([1]));
  });
});

describe("the option changeLogLimit", () => {
  it("is how many changes are kept for those who come later", async () => {
    start(5);
    manager.create("a", {});
    write("a", 20);
    const { details } = await refusalOf("COMPACTED", manager.watch("a", { after: 0 }).next());
    expect(details.head - details.oldest + 1).toBe(5);
  });

  it("keeps everything when it is Infinity", async () => {
    start(Infinity);
    manager.create("a", {});
    write("a", 5_000);
    expect((await take(manager.watch("a", { after: 0 }), 5_001)).at(-1)).toBe("5001 updated a");
  });

  it("counts the changes of all contexts, and never cuts through a commit", async () => {
    start(4);
    for (const id of ["a", "b", "c"]) manager.create(id, {});
    ann.transact((tx) => {
      for (const id of ["a", "b", "c"]) tx.patch(id, { step: 1 });
    });
    write("a", 2);
    const { details } = await refusalOf("COMPACTED", manager.watch(undefined, { after: 0 }).next());
    expect(details).toEqual({ after: 0, oldest: 5, head: 6 });
  });

  it.each([-1, 1.5, Number.NaN, "5", null])("is INVALID when it is %j", (changeLogLimit) => {
    const { details } = refusal("INVALID", () => new SharedContextManager({ changeLogLimit } as never));
    expect([details.argument, details.path]).toEqual(["options", "/changeLogLimit"]);
  });
});

describe("watch with coalesce", () => {
  it("tells a consumer that keeps up every change", async () => {
    const following = follow(manager.watch("a", { after: 0, coalesce: true }));
    manager.create("a", {});
    await settled();
    write("a", 1);
    await settled();
    ann.lock("a");
    await settled();
    ann.delete("a");
    await settled();
    expect(following.told).toEqual(["1 created a", "2 updated a", "3 locked a", "4 deleted a"]);
  });

  it("tells a slow one the latest state of each context, in the order of revisions", async () => {
    for (const id of ["a", "b", "c"]) manager.create(id, {});
    const stream = manager.watch(undefined, { coalesce: true });
    expect(await take(stream, 3)).toEqual(["1 current a", "2 current b", "3 current c"]);
    write("c", 5);
    write("a", 5);
    write("c", 1);
    const { value } = await stream.next();
    expect(value && brief(value)).toBe("13 updated a");
    expect([value?.previous?.version, value?.context?.version]).toEqual(["1", "6"]);
    expect(await take(stream, 1)).toEqual(["14 updated c"]);
  });

  it("tells it what has been deleted, and not what came and went unseen", async () => {
    for (const id of ["a", "b"]) manager.create(id, {});
    const stream = manager.watch(undefined, { coalesce: true });
    await take(stream, 2);
    write("a", 1);
    manager.delete("a");
    manager.create("c", {});
    manager.delete("c");
    write("b", 1);
    expect(await take(stream, 2)).toEqual(["4 deleted a", "7 updated b"]);
  });

  it("tells a context that was deleted and created again as what it is now", async () => {
    manager.create("a", { step: 1 });
    const stream = manager.watch("a", { coalesce: true });
    await take(stream, 1);
    manager.delete("a");
    manager.create("a", { step: 2 });
    const { value } = await stream.next();
    expect([value?.revision, value?.context?.data, value?.context?.incarnation]).toEqual([3, { step: 2 }, 3]);
  });

  it("calls a change of the data so, whatever became of the lock afterwards", async () => {
    manager.create("a", {});
    const stream = manager.watch("a", { coalesce: true });
    await take(stream, 1);
    ann.update("a", { step: 1 }, "1");
    ann.lock("a");
    expect(await take(stream, 1)).toEqual(["3 updated a"]);
  });

  it("calls a context created that its consumer has not seen before", async () => {
    const stream = manager.watch("a", { after: 0, coalesce: true });
    manager.create("a", {});
    write("a", 1);
    ann.lock("a");
    expect(await take(stream, 1)).toEqual(["3 created a"]);
  });

  it("never fails on falling behind: it begins again with what is new to its consumer", async () => {
    for (const id of ["a", "b", "c", "d"]) manager.create(id, {});
    const stream = manager.watch(undefined, { coalesce: true });
    await take(stream, 4);
    write("a", 2_000);
    manager.delete("b");
    ann.create("e", { step: 9 });
    const head = manager.stats().revision;
    const told = await take(stream, 3);
    expect(told.toSorted()).toEqual([`${head - 2} current a`, `${head} current e`, `${head} deleted b`].toSorted());
    write("d", 1);
    expect(await take(stream, 1)).toEqual([`${head + 1} updated d`]);
  });

  it("tells a deletion once, also when it came before the first read and the consumer falls behind later", async () => {
    for (const id of ["a", "b"]) manager.create(id, {});
    const stream = manager.watch(undefined, { after: 2, coalesce: true });
    manager.delete("a");
    expect(await take(stream, 1)).toEqual(["3 deleted a"]);
    write("b", 2_000);
    expect(await take(stream, 1)).toEqual(["2003 current b"]);
    write("b", 1);
    expect(await take(stream, 1)).toEqual(["2004 updated b"]);
  });

  it("tells a clearing when it keeps up, and the deletions when it has fallen behind", async () => {
    for (const id of ["a", "b"]) manager.create(id, {});
    const stream = manager.watch(undefined, { coalesce: true });
    await take(stream, 2);
    manager.clear();
    manager.create("a", {});
    expect(await take(stream, 2)).toEqual(["3 cleared *", "4 created a"]);
    write("a", 1);
    await take(stream, 1);
    manager.create("b", {});
    await take(stream, 1);
    manager.clear();
    manager.create("c", {});
    write("c", 1_500);
    const told = await take(stream, 3);
    const head = manager.stats().revision;
    expect(told.toSorted()).toEqual([`${head} current c`, `${head} deleted a`, `${head} deleted b`].toSorted());
  });

  it("with after tells what has been deleted since", async () => {
    start(100);
    manager.create("a", {});
    manager.create("b", {});
    manager.delete("a");
    const following = follow(manager.watch(undefined, { after: 2, coalesce: true }));
    write("b", 1);
    await settled();
    expect(following.told).toEqual(["3 deleted a", "4 updated b"]);
  });

  it("with after tells of a deletion that comes at once", async () => {
    manager.create("a", {});
    const following = follow(manager.watch(undefined, { after: 1, coalesce: true }));
    manager.delete("a");
    await settled();
    expect(following.told).toEqual(["2 deleted a"]);
  });

  it("is COMPACTED below what is kept: what has been deleted since, nobody knows", async () => {
    for (const id of ["a", "b"]) manager.create(id, {});
    write("b", 1);
    await refusalOf("COMPACTED", manager.watch(undefined, { after: 2, coalesce: true }).next());
    expect(manager.stats().watchers).toBe(0);
  });

  it("is COMPACTED for a revision that is yet to come", async () => {
    await refusalOf("COMPACTED", manager.watch(undefined, { after: 1, coalesce: true }).next());
    expect(manager.stats().watchers).toBe(0);
  });
});

describe("the end of a watch", () => {
  let abort: AbortController;
  const listeners = (): number => getEventListeners(abort.signal, "abort").length;

  beforeEach(() => {
    abort = new AbortController();
    manager.create("a", {});
  });

  it.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
    [
      "leaving the loop",
      async (signal) => {
        for await (const { kind } of manager.watch("a", { signal })) if (kind === "current") break;
      },
    ],
    [
      "throwing in the loop",
      async (signal) => {
        for await (const { kind } of manager.watch("a", { signal })) throw new RangeError(kind);
      },
    ],
    ["return() before the first change", (signal) => manager.watch("a", { signal }).return!()],
    [
      "return() while a change is awaited",
      async (signal) => {
        const stream = manager.watch("a", { signal, after: 1 });
        const wait = stream.next();
        expect(await stream.return!()).toEqual({ done: true, value: undefined });
        expect(await wait).toEqual({ done: true, value: undefined });
      },
    ],
    [
      "throw()",
      async (signal) => {
        const stream = manager.watch("a", { signal });
        await stream.next();
        await expect(stream.throw!(new RangeError("enough"))).rejects.toThrow(new RangeError("enough"));
        expect(await stream.next()).toEqual({ done: true, value: undefined });
      },
    ],
    [
      "disposing of it",
      async (signal) => {
        const stream = manager.watch("a", { signal });
        await stream.next();
        await (stream as unknown as AsyncDisposable)[Symbol.asyncDispose]();
      },
    ],
    [
      "an abort while a change is awaited",
      async (signal) => {
        const { end } = await ending(manager.watch("a", { signal }), () => abort.abort(new RangeError("enough")));
        expect(end).toEqual(new RangeError("enough"));
      },
    ],
    ["COMPACTED", (signal) => refusalOf("COMPACTED", manager.watch("a", { signal, after: 9 }).next())],
  ])("by %s leaves no watcher and no listener on the signal", async (_name, run) => {
    await run(abort.signal).catch((error: unknown) => {
      if (!(error instanceof RangeError)) throw error;
    });
    expect([manager.stats().watchers, listeners()]).toEqual([0, 0]);
  });

  const ending = async (stream: AsyncIterable<Change<Step>>, act: () => void): Promise<{ end: unknown }> => {
    const following = follow(stream);
    await settled();
    act();
    await settled();
    return following;
  };

  it("is there before it begins when the signal has aborted already", async () => {
    abort.abort(new RangeError("enough"));
    for (const after of [undefined, 1]) {
      const stream = manager.watch("a", { signal: abort.signal, ...(after && { after }) });
      expect([manager.stats().watchers, listeners()]).toEqual([0, 0]);
      await expect(stream.next()).rejects.toThrow(new RangeError("enough"));
      expect(await stream.next()).toEqual({ done: true, value: undefined });
    }
  });

  it("comes with the reason as it is, whatever that is", async () => {
    const stream = manager.watch("a", { signal: abort.signal });
    abort.abort("no error at all");
    await expect(stream.next()).rejects.toBe("no error at all");
    const plain = new AbortController();
    const other = manager.watch("a", { signal: plain.signal });
    plain.abort();
    await expect(other.next()).rejects.toMatchObject({ name: "AbortError" });
  });

  it("comes at once with an abort between two changes, also when some are in hand", async () => {
    const stream = manager.watch("a", { signal: abort.signal, after: 1 });
    write("a", 3);
    expect(await take(stream, 1)).toEqual(["2 updated a"]);
    abort.abort(new RangeError("enough"));
    expect([manager.stats().watchers, listeners()]).toEqual([0, 0]);
    await expect(stream.next()).rejects.toThrow(new RangeError("enough"));
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it("tells the reason to one of those who wait, and the others that it is over", async () => {
    const stream = manager.watch("a", { signal: abort.signal, after: 1 });
    const waits = [stream.next(), stream.next(), stream.next()];
    abort.abort(new RangeError("enough"));
    const ends = await Promise.allSettled(waits);
    expect(ends.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
    expect(ends[1]).toEqual({ status: "fulfilled", value: { done: true, value: undefined } });
  });

  it("by return() is the end, whatever came before", async () => {
    const stream = manager.watch("a", { signal: abort.signal });
    await stream.next();
    abort.abort(new RangeError("enough"));
    await stream.return!();
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it("comes with close(), for those who wait and those who do not", async () => {
    const { signal } = abort;
    const waiting = follow(manager.watch("a", { signal }));
    const resting = manager.watch("a", { signal, after: 1 });
    await settled();
    write("a", 1);
    manager.close();
    expect(listeners()).toBe(0);
    await settled();
    expect(waiting.end).toBe("done");
    expect(await resting.next()).toEqual({ done: true, value: undefined });
    refusal("CLOSED", () => manager.watch("a"));
  });

  it("comes with close() also for one that has not been asked yet", async () => {
    const { signal } = abort;
    const fresh = manager.watch("a", { signal });
    manager.close();
    expect(await fresh.next()).toEqual({ done: true, value: undefined });
    expect(listeners()).toBe(0);
  });

  it("stays the end", async () => {
    const stream = manager.watch("a");
    await stream.next();
    await stream.return!();
    write("a", 1);
    for (let time = 0; time < 2; time++) {
      expect(await stream.next()).toEqual({ done: true, value: undefined });
      expect(await stream.return!()).toEqual({ done: true, value: undefined });
    }
    expect(manager.stats().watchers).toBe(0);
  });

  it("by a change in the loop, an abort or a close() does not disturb other watchers", async () => {
    const other = follow(manager.watch());
    const one = manager.watch("a", { signal: abort.signal });
    await one.next();
    await settled();
    abort.abort(new RangeError("enough"));
    write("a", 1);
    await settled();
    expect([other.told, manager.stats().watchers]).toEqual([["1 current a", "2 updated a"], 1]);
  });
});

describe("several calls of next() at once", () => {
  it("are answered in order", async () => {
    const stream = manager.watch("a", { after: 0 });
    const order: string[] = [];
    const waits = Array.from({ length: 5 }, async (_, index) => {
      const { value } = await stream.next();
      order.push(`${index}: ${value && brief(value)}`);
    });
    manager.create("a", {});
    write("a", 1);
    await settled();
    expect(order).toEqual(["0: 1 created a", "1: 2 updated a"]);
    write("a", 3);
    await Promise.all(waits);
    expect(order).toEqual(["0: 1 created a", "1: 2 updated a", "2: 3 updated a", "3: 4 updated a", "4: 5 updated a"]);
  });

  it("are answered in order from what is there and what comes", async () => {
    for (const id of ["a", "b"]) manager.create(id, {});
    const stream = manager.watch();
    const waits = Array.from({ length: 4 }, () => stream.next());
    manager.create("c", {});
    manager.create("d", {});
    const told = (await Promise.all(waits)).map(({ value }) => value && brief(value));
    expect(told).toEqual(["1 current a", "2 current b", "3 created c", "4 created d"]);
  });

  it("are all done at the end", async () => {
    const stream = manager.watch();
    const waits = Array.from({ length: 3 }, () => stream.next());
    await stream.return!();
    for (const end of await Promise.all(waits)) expect(end).toEqual({ done: true, value: undefined });
  });
});

describe("the arguments of watch", () => {
  it.each<[unknown, unknown, string, string]>([
    [1, undefined, "filter", ""],
    [null, undefined, "filter", ""],
    [{}, undefined, "filter", ""],
    [{ prefix: 1 }, undefined, "filter", ""],
    [["a"], undefined, "filter", ""],
    ["a", 1, "options", ""],
    ["a", null, "options", ""],
    ["a", { after: -1 }, "options", "/after"],
    ["a", { after: 1.5 }, "options", "/after"],
    ["a", { after: "1" }, "options", "/after"],
    ["a", { after: Infinity }, "options", "/after"],
    ["a", { coalesce: 1 }, "options", "/coalesce"],
    ["a", { coalesce: "yes" }, "options", "/coalesce"],
    ["a", { signal: {} }, "options", "/signal"],
  ])("filter %j and options %j are INVALID at once", (filter, options, argument, path) => {
    const { details } = refusal("INVALID", () => manager.watch(filter as never, options as never));
    expect([details.argument, details.path]).toEqual([argument, path]);
    expect(manager.stats().watchers).toBe(0);
  });

  it("leave no listener behind when one of them is wrong", () => {
    const { signal } = new AbortController();
    refusal("INVALID", () => manager.watch("a", { signal, after: -1 }));
    refusal("INVALID", () => manager.watch("a", { signal, coalesce: 1 as never }));
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});
