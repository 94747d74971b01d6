/** What of new data is shared with the old: what the store has already, and nothing of the caller's. */

import { type JsonObject, type PatchOperation, SharedContextManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { refusal } from "./support.ts";

const DEEPEST = 512;

/** A value in so many arrays. */
function nested(levels: number, value: unknown = 1): unknown {
  let inner = value;
  for (let level = 0; level < levels; level++) inner = [inner];
  return inner;
}

function patched(data: unknown, ...patch: PatchOperation[]): SharedContextManager {
  const manager = new SharedContextManager();
  manager.create("a", data as JsonObject);
  manager.agent("ann").patch("a", patch);
  return manager;
}

/** Whether what is at `key` can be nested in so many more arrays. */
function fits(manager: SharedContextManager, levels: number): boolean {
  try {
    manager.create(`b${levels}`, { deep: nested(levels, manager.get("a")?.data["list"]) as never });
    return true;
  } catch {
    return false;
  }
}

const SHALLOW: [string, PatchOperation[]][] = [
  ["its deepest value is set", [{ op: "set", path: "/list/1", value: 1 }]],
  ["its deepest value is removed", [{ op: "remove", path: "/list/1" }]],
  [
    "its deepest value is removed and another appended",
    [
      { op: "remove", path: "/list/1" },
      { op: "append", path: "/list", value: 1 },
    ],
  ],
  [
    "something is appended and its deepest value removed",
    [
      { op: "append", path: "/list", value: [1] },
      { op: "remove", path: "/list/1" },
    ],
  ],
];

it.each(SHALLOW)("a list counts as less deep when %s", (_name, patch) => {
  const manager = patched({ list: [nested(1), nested(300), nested(1)] }, ...patch);
  // The list is two levels now, and the data itself is one.
  expect([fits(manager, DEEPEST - 3), fits(manager, DEEPEST - 2)]).toEqual([true, false]);
});

it("a list counts as deeper when something deeper comes, and as deep as before when as deep a value stays", () => {
  const deeper = patched({ list: [nested(1)] }, { op: "set", path: "/list/0", value: nested(10) as never });
  expect([fits(deeper, DEEPEST - 12), fits(deeper, DEEPEST - 11)]).toEqual([true, false]);
  const asDeep = patched({ list: [nested(4), nested(4)] }, { op: "remove", path: "/list/0" });
  expect([fits(asDeep, DEEPEST - 6), fits(asDeep, DEEPEST - 5)]).toEqual([true, false]);
});

it("what would be too deep is INVALID, and nothing is changed", () => {
  const manager = new SharedContextManager();
  manager.create("a", { list: [nested(DEEPEST - 3)] as never });
  const before = manager.get("a");
  const patch = [{ op: "append" as const, path: "/list", value: nested(DEEPEST) as never }];
  refusal("INVALID", () => manager.agent("ann").patch("a", patch));
  refusal("INVALID", () =>
    manager.agent("ann").patch("a", [{ op: "set", path: "/list/0", value: nested(DEEPEST - 1) as never }]),
  );
  expect(manager.get("a")).toEqual(before);
});

/** Whether all that is in it is frozen. */
function isFrozen(part: unknown): boolean {
  return typeof part !== "object" || part === null || (Object.isFrozen(part) && Object.values(part).every(isFrozen));
}

it("every level of what a patch has made is frozen, and belongs to nobody else", () => {
  const value = { id: 7, tags: ["x"] };
  const manager = patched(
    { list: [{ id: 1, tags: ["a"] }], plan: { steps: { one: { done: false } } } },
    { op: "append", path: "/list", value },
    { op: "append", path: "/list/0/tags", value: "b" },
    { op: "set", path: "/plan/steps/one/done", value: true },
    { op: "set", path: "/plan/steps/two/done", value: false },
    { op: "set", path: "/plan/__proto__", value: { own: true } },
    { op: "remove", path: "/plan/steps/one" },
  );
  value.tags.push("y");
  const data = manager.get("a")?.data;
  expect(JSON.stringify(data)).toBe(
    '{"list":[{"id":1,"tags":["a","b"]},{"id":7,"tags":["x"]}],"plan":{"steps":{"two":{"done":false}},"__proto__":{"own":true}}}',
  );
  expect(isFrozen(data)).toBe(true);
});

it("what was put into a list is found where it has moved to", () => {
  const manager = patched(
    { list: [[1], [2], [3], [4]] },
    { op: "set", path: "/list/2", value: nested(10) as never },
    { op: "remove", path: "/list/0" },
  );
  expect(isFrozen(manager.get("a")?.data)).toBe(true);
  expect([fits(manager, DEEPEST - 12), fits(manager, DEEPEST - 11)]).toEqual([true, false]);
});

it("a number that is no number any more is INVALID, with its path", () => {
  const manager = new SharedContextManager();
  manager.create("a", { list: [Number.MAX_VALUE] });
  const { details } = refusal("INVALID", () =>
    manager.agent("ann").patch("a", [{ op: "increment", path: "/list/0", value: Number.MAX_VALUE }]),
  );
  expect(details.path).toBe("/list/0");
});

it.each<[string, (levels: number) => PatchOperation]>([
  ["a value is set", (levels) => ({ op: "set", path: "/a".repeat(levels), value: 1 })],
  ["a part is set", (levels) => ({ op: "set", path: "/a".repeat(levels - 10), value: nested(10) as never })],
  ["a part is appended", (levels) => ({ op: "append", path: "/list", value: nested(levels - 2) as never })],
  ["a value is appended", (levels) => ({ op: "append", path: `/deep${"/0".repeat(levels - 2)}`, value: 1 })],
])("the deepest level is as deep for a patch as for an update when %s", (_name, patchOf) => {
  const begin = { list: [], deep: nested(DEEPEST - 1) as JsonObject[string] };
  expect(() => patched(begin, patchOf(DEEPEST))).not.toThrow();
  expect(() => patched(begin, patchOf(DEEPEST + 1))).toThrow(/512 levels|expected/);
});

it("what a patch sets anew is shared where versions are kept and it equals what was there", () => {
  const manager = new SharedContextManager({ historyLimit: 1 });
  const before = manager.create("a", { plan: { steps: [{ id: 1 }, { id: 2 }], done: false } }).data as never as {
    readonly plan: { readonly steps: readonly object[] };
  };
  const value = { steps: [{ id: 1 }, { id: 3 }], done: true };
  const after = manager.agent("ann").patch("a", [{ op: "set", path: "/plan", value }]).data as never as typeof before;
  expect(after.plan.steps[0]).toBe(before.plan.steps[0]);
  expect(after).toEqual({ plan: value });
});

it("a part of what a patch has made itself does not come to stand in two places", () => {
  const manager = new SharedContextManager({ historyLimit: 1 });
  manager.create("a", { list: [{ v: 1 }] });
  const { data } = manager.agent("ann").patch("a", [
    { op: "set", path: "/list/0/v", value: 2 },
    { op: "set", path: "/list", value: [{ v: 2 }, { v: 9 }, { v: 2 }] },
    { op: "set", path: "/list/0/v", value: 3 },
  ]);
  expect(data).toEqual({ list: [{ v: 3 }, { v: 9 }, { v: 2 }] });
});

it("a patch that sets the whole data takes one level of it where the isolation is shallow", () => {
  const manager = new SharedContextManager({ isolation: "shallow" });
  manager.create("a", { step: 1 });
  const value: Record<string, number> = { step: 2 };
  manager.agent("ann").patch("a", [{ op: "set", path: "", value }]);
  value["step"] = 3;
  expect(manager.get("a")?.data).toEqual({ step: 2 });
  expect(Object.isFrozen(value)).toBe(false);
});

interface Task {
  readonly id: number;
  readonly tags: readonly string[];
}

function tasks(count: number): Task[] {
  return Array.from({ length: count }, (_, id) => ({ id, tags: ["x"] }));
}

/** How many of the elements of a list are the very objects that they were, once `change` has been made to it. */
function kept(count: number, change: (list: readonly Task[]) => readonly Task[], historyLimit: number): number {
  const manager = new SharedContextManager<{ list: Task[] }>({ historyLimit });
  const before = manager.create("a", { list: tasks(count) });
  const sent = change(before.data.list);
  const after = manager.update("a", { list: sent }, before);
  expect(after.data.list).toEqual(sent);
  expect(isFrozen(after.data)).toBe(true);
  const owned = new Set<unknown>(before.data.list);
  return after.data.list.filter((task) => owned.has(task)).length;
}

describe.each([
  ["without history", 0],
  ["with history", 4],
])("what stays in a list of 100 is shared, %s", (_name, historyLimit) => {
  it.each<[string, number, (list: readonly Task[]) => readonly Task[]]>([
    ["one is replaced", 99, (list) => list.map((task) => (task.id === 50 ? { id: 50, tags: ["y"] } : task))],
    ["one comes first", 100, (list) => [{ id: 100, tags: [] }, ...list]],
    ["one comes last", 100, (list) => [...list, { id: 100, tags: [] }]],
    ["one in the middle goes", 98, (list) => list.filter(({ id }) => id !== 50)],
  ])("when %s", (_change, least, change) => {
    expect(kept(100, change, historyLimit)).toBeGreaterThanOrEqual(least);
  });

  it("for the most part when all are moved", () => {
    expect(kept(100, (list) => [...list].reverse(), historyLimit)).toBeGreaterThanOrEqual(70);
  });
});

it("what is nested stays shared where its container is new", () => {
  const manager = new SharedContextManager<{ plan: { steps: string[]; done: boolean } }>();
  const before = manager.create("a", { plan: { steps: ["x"], done: false } });
  const after = manager.update("a", { plan: { ...before.data.plan, done: true } }, before);
  expect(after.data.plan.steps).toBe(before.data.plan.steps);
  expect(after.data.plan).not.toBe(before.data.plan);
});

it("frozen data of the caller is no data of the store's: its children are copied", () => {
  const manager = new SharedContextManager<{ list: { tags: string[] }[] }>();
  const tags = ["x"];
  const mine = Object.freeze({ list: Object.freeze([Object.freeze({ tags })]) });
  const before = manager.create("a", mine);
  const after = manager.update("a", mine, before);
  tags.push("y");
  expect([before.data, after.data]).toEqual([{ list: [{ tags: ["x"] }] }, { list: [{ tags: ["x"] }] }]);
});

it("a part that is put at another place, or into another context, changes with neither of them", () => {
  const manager = new SharedContextManager<Record<string, { tags: readonly string[] }>>();
  const before = manager.create("a", { one: { tags: ["x"] } });
  const { one } = before.data;
  if (one === undefined) throw new Error("it was created");
  const after = manager.update("a", { two: one, three: one }, before);
  const other = manager.create("b", { one });
  expect([after.data, other.data]).toEqual([{ two: one, three: one }, { one }]);
  expect([isFrozen(after.data), isFrozen(other.data)]).toEqual([true, true]);
});

describe("with something on Object.prototype", () => {
  it("what is only inherited is not taken for what the store has", () => {
    const shared = { tags: ["x"] };
    Reflect.defineProperty(Object.prototype, "polluted", { value: shared, configurable: true });
    try {
      const manager = new SharedContextManager();
      const before = manager.create("a", { step: 1 });
      const own = Object.defineProperty({}, "polluted", { value: shared, enumerable: true });
      const after = manager.update("a", own, before);
      shared.tags.push("y");
      expect(JSON.stringify(after.data)).toBe('{"polluted":{"tags":["x"]}}');
    } finally {
      Reflect.deleteProperty(Object.prototype, "polluted");
    }
  });

  it("nor is the prototype itself, under the key __proto__", () => {
    const manager = new SharedContextManager();
    const before = manager.create("a", { step: 1 });
    const data = JSON.parse('{"__proto__":null}') as Record<string, unknown>;
    Object.defineProperty(data, "__proto__", { value: Object.prototype, enumerable: true });
    const after = manager.update("a", data as JsonObject, before);
    expect(Object.getOwnPropertyDescriptor(after.data, "__proto__")?.value).not.toBe(Object.prototype);
    expect(Object.isFrozen(Object.prototype)).toBe(false);
  });
});
