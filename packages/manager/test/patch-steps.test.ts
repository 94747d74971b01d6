/** Steps of one patch that depend on one another, on data that others have changed since. */

import { type JsonObject, type PatchOperation, type SharedContext, SharedContextManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { refusal } from "./support.ts";

/** A context that bob has changed since ann has read it. */
function changedBehind(
  data: JsonObject,
  theirs: JsonObject | readonly PatchOperation[],
): {
  readonly read: SharedContext;
  readonly data: () => unknown;
  readonly patch: (patch: readonly PatchOperation[]) => unknown;
} {
  const manager = new SharedContextManager();
  const read = manager.create("x", data);
  manager.agent("bob").patch("x", theirs);
  return {
    read,
    data: () => manager.get("x")?.data,
    patch: (patch) => manager.agent("ann").patch("x", patch, read).data,
  };
}

describe("steps that build on one another", () => {
  it.each<[string, JsonObject, PatchOperation[], JsonObject]>([
    [
      "an increment of what the patch itself appends is done once",
      { a: [] },
      [
        { op: "append", path: "/a", value: 0 },
        { op: "increment", path: "/a/0" },
      ],
      { a: [1] },
    ],
    [
      "an increment of an element that gets another id afterwards is kept",
      { l: [{ id: 1, n: 0 }] },
      [
        { op: "increment", path: "/l/id=1/n" },
        { op: "set", path: "/l/id=1/id", value: 9 },
      ],
      { l: [{ id: 9, n: 1 }] },
    ],
    [
      "an append to an element that gets another id afterwards is kept",
      { l: [{ id: 1, s: [] }] },
      [
        { op: "append", path: "/l/id=1/s", value: 1 },
        { op: "set", path: "/l/id=1/id", value: 9 },
      ],
      { l: [{ id: 9, s: [1] }] },
    ],
  ])("%s", (_name, before, patch, after) => {
    const { patch: apply } = changedBehind(before, { other: 1 });
    expect(apply(patch)).toEqual({ ...after, other: 1 });
  });

  it.each<[string, JsonObject, PatchOperation[], PatchOperation[]]>([
    [
      "a test of what it has incremented itself",
      { n: 0 },
      [{ op: "increment", path: "/n" }],
      [
        { op: "increment", path: "/n" },
        { op: "test", path: "/n", value: 1 },
      ],
    ],
    [
      "a test of what it has set itself, where others have changed what is beside",
      { task: { owner: null, status: "open" } },
      [{ op: "set", path: "/task/status", value: "closed" }],
      [
        { op: "set", path: "/task/owner", value: "ann" },
        { op: "test", path: "/task", value: { owner: "ann", status: "open" } },
      ],
    ],
    [
      "the same increment of an element that only its index names",
      { l: [1, 2] },
      [{ op: "increment", path: "/l/0" }],
      [{ op: "increment", path: "/l/0" }],
    ],
  ])("are a CONFLICT with others for %s", (_name, before, theirs, patch) => {
    const { patch: apply, data } = changedBehind(before, theirs);
    const left = data();
    refusal("CONFLICT", () => apply(patch));
    expect(data()).toEqual(left);
  });
});

describe("what a refusal shows", () => {
  it("is frozen, also where it is the whole data", () => {
    const manager = new SharedContextManager();
    manager.create("x", { n: 1 });
    const patch: PatchOperation[] = [{ op: "test", path: "", value: {} }];
    const { details } = refusal("CONFLICT", () => manager.agent("ann").patch("x", patch));
    expect(Object.isFrozen(details.conflicts[0]?.theirs)).toBe(true);
    expect(details.conflicts[0]?.theirs).toEqual({ n: 1 });
  });

  it("names a long path in full", () => {
    const manager = new SharedContextManager();
    manager.create("x", { a: { of: { many: { levels: { and: { names: 1 } } } } } });
    const path = "/a/of/many/levels/and/names";
    const patch: PatchOperation[] = [{ op: "test", path, value: 2 }];
    expect(refusal("CONFLICT", () => manager.agent("ann").patch("x", patch)).message).toContain(`"${path}"`);
  });
});

it("a schema that keeps what it is shown cannot change the store", () => {
  const shown: Record<string, unknown>[] = [];
  const schema = {
    "~standard": {
      version: 1 as const,
      vendor: "test",
      validate(value: unknown) {
        shown.push(value as Record<string, unknown>);
        return { value: value as JsonObject };
      },
    },
  };
  const manager = new SharedContextManager({ schema });
  manager.create("x", { n: 1 });
  expect(() => Object.assign(shown[0] ?? {}, { n: 99 })).toThrow(TypeError);
  expect(manager.get("x")?.data).toEqual({ n: 1 });
});

it("a removal that the schema undoes makes no version", () => {
  const schema = {
    "~standard": {
      version: 1 as const,
      vendor: "test",
      validate: (value: unknown) => ({ value: { step: 1, ...(value as JsonObject) } }),
    },
  };
  const manager = new SharedContextManager({ schema });
  manager.create("x", { step: 1 });
  expect(manager.agent("ann").patch("x", [{ op: "remove", path: "/step" }]).version).toBe("1");
});
