/** Equality of JSON values, the ground that `diff` stands on. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isEqual } from "../src/equal.ts";

const json = fc.jsonValue({ maxDepth: 4 });
const parsed = (text: string): unknown => JSON.parse(text);

describe("two JSON values", () => {
  it.each<[string, unknown, unknown]>([
    ["whose keys are in another order", { a: 1, b: [{ c: 2, d: 3 }] }, { b: [{ d: 3, c: 2 }], a: 1 }],
    ["of which one has an undefined property", { a: 1, gone: undefined }, { a: 1 }],
    ["which differ in what is undefined", { a: undefined }, { b: undefined }],
    ["with a key __proto__", parsed('{"__proto__":{"x":1}}'), parsed('{"__proto__":{"x":1}}')],
    ["without prototype and with", Object.assign(Object.create(null), { x: 1 }), { x: 1 }],
  ])("are equal: %s", (_name, a, b) => {
    expect(isEqual(a, b)).toBe(true);
    expect(isEqual(b, a)).toBe(true);
  });

  it.each<[string, unknown, unknown]>([
    ["a number and its text", 1, "1"],
    ["null and a missing property", { a: null }, {}],
    ["null and an object", null, {}],
    ["an array and an object with its keys", ["x"], { 0: "x" }],
    ["an empty array and an empty object", [], {}],
    ["an array and a longer one", [1], [1, 1]],
    ["elements in another order", [1, 2], [2, 1]],
    ["keys of the same number", { a: 1 }, { b: 1 }],
    ["an inherited and an own constructor", {}, { constructor: Object }],
    ["an inherited and an own __proto__", {}, parsed('{"__proto__":{}}')],
    ["two keys __proto__", parsed('{"__proto__":{"x":1}}'), parsed('{"__proto__":{"x":2}}')],
    ["two dates", new Date(0), new Date(0)],
  ])("differ: %s", (_name, a, b) => {
    expect(isEqual(a, b)).toBe(false);
    expect(isEqual(b, a)).toBe(false);
  });

  it("are equal when they are the same object, which nobody reads", () => {
    const secret = new Proxy({}, { get: () => expect.fail("read"), ownKeys: () => expect.fail("read") });
    expect(isEqual({ a: [secret] }, { a: [secret] })).toBe(true);
  });

  it("are equal when their texts with sorted keys are, and only then", () => {
    const sorted = (value: unknown): unknown => {
      if (typeof value !== "object" || value === null) return value;
      if (Array.isArray(value)) return value.map(sorted);
      const entries = Object.entries(value).map(([key, child]) => [key, sorted(child)] as const);
      return { entries: entries.toSorted(([a], [b]) => (a < b ? -1 : 1)) };
    };
    const text = (value: unknown): string => JSON.stringify(sorted(value));
    const seed = process.env["FC_SEED"];
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(isEqual(a, JSON.parse(JSON.stringify(a)))).toBe(true);
        expect(isEqual(a, b)).toBe(text(a) === text(b));
        expect(isEqual([a, b], [b, a])).toBe(text(a) === text(b));
      }),
      { ...(seed && { seed: Number(seed) }) },
    );
  });
});
