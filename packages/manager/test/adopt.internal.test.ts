/** What a patch makes is the store's own without being copied once more: frozen, and as deep as it is. */

import { SharedContextManager } from "shared-context-manager";
import { expect, it } from "vitest";
import { isOwned, type JsonObject } from "../src/data.ts";
import type { PatchOperation } from "../src/patch.ts";
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
  expect(isOwned(manager.get("a")?.data["list"] as object)).toBe(true);
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
