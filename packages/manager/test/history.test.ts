/**
 * The versions that a manager keeps: history, restore, and who wrote what. A failure prints seed and path;
 * replay with FC_SEED.
 */

import fc from "fast-check";
import { type BlameLine, type JsonObject, SharedContextManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { contentOf, manualClock, refusal } from "./support.ts";

const seed = process.env["FC_SEED"];
const parameters = seed === undefined ? {} : { seed: Number(seed) };

interface Plan {
  readonly title: string;
  readonly tasks: readonly { readonly id: number; readonly owner: string | null }[];
}

const FIRST: Plan = {
  title: "draft",
  tasks: [
    { id: 1, owner: null },
    { id: 2, owner: null },
    { id: 3, owner: null },
  ],
};

function fresh<T>(data: T): T {
  return JSON.parse(JSON.stringify(data)) as T;
}

function versionsOf(manager: SharedContextManager, contextId: string): string[] {
  return manager.history(contextId).map(({ version }) => version);
}

function counting(historyLimit: number, updates: number): SharedContextManager {
  const manager = new SharedContextManager({ historyLimit });
  manager.create("plan", { step: 1 });
  for (let step = 2; step <= updates + 1; step++) manager.update("plan", { step }, String(step - 1));
  return manager;
}

describe("history", () => {
  it("has the versions before the present one, oldest first, as many as the limit says", () => {
    expect(versionsOf(counting(3, 5), "plan")).toEqual(["3", "4", "5", "6"]);
    expect(versionsOf(counting(Infinity, 5), "plan")).toEqual(["1", "2", "3", "4", "5", "6"]);
    expect(counting(3, 5).history("plan")[0]?.data).toEqual({ step: 3 });
  });

  it("has the present version alone without a limit, and nothing of what does not exist", () => {
    expect(versionsOf(counting(0, 5), "plan")).toEqual(["6"]);
    expect(counting(3, 5).history("nothing")).toEqual([]);
  });

  it("has one snapshot for each version, however often the context was locked", () => {
    const manager = counting(8, 1);
    manager.lock("plan", "ann");
    manager.unlock("plan", "ann");
    expect(versionsOf(manager, "plan")).toEqual(["1", "2"]);
  });

  it("says who wrote each version, and why", () => {
    const manager = counting(8, 0);
    manager.agent("ann").update("plan", { step: 2 }, "1", { note: "reviewed" });
    manager.update("plan", { step: 3 }, "2");
    expect(manager.history("plan").map(({ updatedBy, note }) => [updatedBy, note])).toEqual([
      [null, null],
      ["ann", "reviewed"],
      [null, null],
    ]);
  });

  it.each<[string, (manager: SharedContextManager) => void]>([
    ["a deletion", (manager) => manager.delete("plan")],
    ["clear()", (manager) => manager.clear()],
  ])("ends with %s: a context of the same id begins anew", (_name, end) => {
    const manager = counting(8, 3);
    end(manager);
    expect(manager.history("plan")).toEqual([]);
    manager.create("plan", { step: 1 });
    expect(versionsOf(manager, "plan")).toEqual(["1"]);
  });

  it("is not what refused writes leave", () => {
    const manager = counting(8, 1);
    refusal("CONFLICT", () => manager.update("plan", { step: 9 }, "1"));
    refusal("INVALID", () => manager.update("plan", { step: Number.NaN }, "2"));
    expect(versionsOf(manager, "plan")).toEqual(["1", "2"]);
  });

  it.each([-1, 1.5, Number.NaN, "3", null])("refuses the limit %s", (historyLimit) => {
    const options = { historyLimit: historyLimit as number };
    expect(refusal("INVALID", () => new SharedContextManager(options)).details.path).toBe("/historyLimit");
  });
});

describe("a version in a history", () => {
  function edited(change: (plan: { title: string; tasks: { id: number; owner: string | null }[] }) => void): {
    before: Plan;
    after: Plan;
  } {
    const manager = new SharedContextManager<Plan>({ historyLimit: 8 });
    const before = manager.create("plan", FIRST);
    const data = fresh(FIRST) as Parameters<typeof change>[0];
    change(data);
    const after = manager.update("plan", data, before);
    expect(after.data).toEqual(data);
    return { before: before.data, after: after.data };
  }

  it("shares what did not change, also when the whole data was sent anew", () => {
    const { before, after } = edited((plan) => (plan.title = "final"));
    expect(after.tasks).toBe(before.tasks);
    const claimed = edited(({ tasks }) => tasks.splice(1, 1, { id: 2, owner: "ann" }));
    expect(claimed.after.tasks).not.toBe(claimed.before.tasks);
    expect(claimed.after.tasks[0]).toBe(claimed.before.tasks[0]);
    expect(claimed.after.tasks[2]).toBe(claimed.before.tasks[2]);
  });

  it("shares the elements of an array before and after an insertion", () => {
    const { before, after } = edited(({ tasks }) => tasks.splice(1, 0, { id: 9, owner: "ann" }));
    expect([after.tasks[0], after.tasks[2], after.tasks[3]].map((task) => before.tasks.indexOf(task as never))).toEqual(
      [0, 1, 2],
    );
  });

  it("holds what was written, whatever the version before", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()), (a, b) => {
        const manager = new SharedContextManager({ historyLimit: 2 });
        const first = manager.create("x", a);
        const second = manager.update("x", { ...(b as JsonObject), a: fresh(a) }, first);
        const third = manager.update("x", fresh(second.data), second);
        expect(JSON.stringify(third.data)).toBe(JSON.stringify({ ...b, a }));
        expect(third.data["a"]).toBe(second.data["a"]);
        expect(JSON.stringify(first.data)).toBe(JSON.stringify(a));
      }),
      parameters,
    );
  });

  it("keeps the order of the keys as it was written", () => {
    const manager = new SharedContextManager({ historyLimit: 2 });
    const first = manager.create("x", { at: { a: 1, b: 2 } });
    expect(JSON.stringify(manager.update("x", { at: { b: 2, a: 1 } }, first).data)).toBe('{"at":{"b":2,"a":1}}');
  });
});

describe("agent.restore", () => {
  it("writes old data as a new version, in the name of the agent", () => {
    const manager = counting(8, 3);
    const restored = manager.agent("ann").restore("plan", "2", { note: "4 was wrong" });
    expect(restored.data).toEqual({ step: 2 });
    expect([restored.version, restored.updatedBy, restored.note]).toEqual(["5", "ann", "4 was wrong"]);
    expect(versionsOf(manager, "plan")).toEqual(["1", "2", "3", "4", "5"]);
    expect(Object.isFrozen(restored.data)).toBe(true);
  });

  it("changes nothing when the version is the present one", () => {
    const manager = counting(8, 3);
    const before = contentOf(manager);
    expect(manager.agent("ann").restore("plan", "4").version).toBe("4");
    expect(contentOf(manager)).toBe(before);
  });

  it.each(["1", "7", "x"])("is NOT_FOUND for version %s, which is not kept", (version) => {
    const manager = counting(2, 4);
    const before = contentOf(manager);
    const { details, message } = refusal("NOT_FOUND", () => manager.agent("ann").restore("plan", version));
    expect(details).toEqual({ contextId: "plan", version });
    expect(message).toContain("historyLimit");
    expect(contentOf(manager)).toBe(before);
  });

  it("is NOT_FOUND for a context that is not there, and INVALID for what is no version", () => {
    const ann = counting(8, 1).agent("ann");
    expect(refusal("NOT_FOUND", () => ann.restore("nothing", "1")).details).toEqual({ contextId: "nothing" });
    expect(refusal("INVALID", () => ann.restore("plan", 1 as never)).details.argument).toBe("version");
  });

  it("respects the lock of another agent, before it looks for the version", () => {
    const manager = counting(8, 1);
    manager.lock("plan", "bob");
    expect(refusal("LOCKED", () => manager.agent("ann").restore("plan", "7")).details.owner).toBe("bob");
    expect(manager.agent("bob").restore("plan", "1").data).toEqual({ step: 1 });
    expect(manager.get("plan")?.lockedBy).toBe("bob");
  });
});

describe("blame", () => {
  const short = ({ path, version, agentId }: BlameLine): string => `${path} ${version} ${agentId ?? "nobody"}`;

  it("names for each path the version that brought its value, and its author", () => {
    const clock = manualClock();
    const manager = new SharedContextManager<Plan>({ historyLimit: 8, clock });
    manager.agent("ann").create("plan", FIRST, { note: "first draft" });
    clock.advance(1_000);
    const claimed = FIRST.tasks.map((task) => (task.id === 3 ? { ...task, owner: "bob" } : task));
    manager.agent("bob").update("plan", { ...FIRST, tasks: claimed }, "1", { note: "mine" });
    manager.update("plan", { title: "final", tasks: claimed.toReversed() }, "2");
    expect(manager.blame("plan").map(short)).toEqual([
      "/title 3 nobody",
      "/tasks/id=3/id 1 ann",
      "/tasks/id=3/owner 2 bob",
      "/tasks/id=2/id 1 ann",
      "/tasks/id=2/owner 1 ann",
      "/tasks/id=1/id 1 ann",
      "/tasks/id=1/owner 1 ann",
    ]);
    const line = manager.blame("plan").find(({ path }) => path === "/tasks/id=3/owner");
    expect(line).toMatchObject({ note: "mine", orEarlier: false });
    expect(line?.writtenAt.getTime()).toBe(Date.UTC(2026, 0, 31, 9, 30, 1));
  });

  it("says when a value may be older than what is kept", () => {
    const manager = new SharedContextManager({ historyLimit: 1 });
    manager.create("plan", { kept: 1, step: 1 });
    for (const step of [2, 3, 4]) manager.update("plan", { kept: 1, step }, String(step - 1));
    expect(manager.blame("plan")).toMatchObject([
      { path: "/kept", version: "3", orEarlier: true },
      { path: "/step", version: "4", orEarlier: false },
    ]);
  });

  it("is empty for a context that does not exist, and one line for empty data", () => {
    const manager = new SharedContextManager();
    expect(manager.blame("nothing")).toEqual([]);
    manager.create("empty", {});
    expect(manager.blame("empty")).toMatchObject([{ path: "", version: "1", orEarlier: false }]);
  });

  it("ends where shallow data is a circle", () => {
    const manager = new SharedContextManager<{ self?: object }>({ isolation: "shallow" });
    const circle: { self?: object; too?: object } = {};
    circle.self = circle;
    circle.too = circle;
    manager.create("circle", circle);
    expect(manager.blame("circle").map(({ path }) => path)).toEqual([
      "/self/self",
      "/self/too",
      "/too/self",
      "/too/too",
    ]);
  });

  /** The paths of plain data with their values as text, the long way round. */
  function flat(value: unknown, path = ""): [string, string][] {
    if (typeof value !== "object" || value === null) return [[path, JSON.stringify(value)]];
    const inside = Object.entries(value).flatMap(([key, child]) => {
      const id = Array.isArray(value) ? (child as { id?: number } | null)?.id : undefined;
      return flat(child, `${path}/${id === undefined ? key : `id=${id}`}`);
    });
    return inside.length === 0 ? [[path, JSON.stringify(value)]] : inside;
  }

  it("agrees with a comparison of all versions, value by value", () => {
    const leaf = fc.constantFrom(0, 1, "a", null, [], {});
    const task = fc.record({ id: fc.constantFrom(1, 2, 3), at: leaf });
    const document = fc.record(
      { a: leaf, b: fc.record({ c: leaf, d: leaf }, { requiredKeys: [] }), n: fc.array(leaf, { maxLength: 3 }) },
      { requiredKeys: [] },
    );
    const withTasks = fc
      .tuple(document, fc.uniqueArray(task, { selector: ({ id }) => id }))
      .map(([rest, tasks]) => ({ ...rest, tasks }));
    fc.assert(
      fc.property(fc.array(withTasks, { minLength: 1, maxLength: 6 }), (documents) => {
        const manager = new SharedContextManager({ historyLimit: 8 });
        for (const [index, data] of documents.entries()) {
          const agent = manager.agent(`agent-${index + 1}`);
          if (index === 0) agent.create("x", fresh(data));
          else agent.update("x", fresh(data), String(index));
        }
        const texts = documents.map((data) => new Map(flat(data)));
        const expected = [...(texts.at(-1) ?? [])].map(([path, text]) => {
          let version = texts.length;
          while (version > 1 && texts[version - 2]?.get(path) === text) version -= 1;
          return `${path} ${version} agent-${version}`;
        });
        expect(manager.blame("x").map(short)).toEqual(expected);
      }),
      parameters,
    );
  });
});
