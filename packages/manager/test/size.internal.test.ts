/** Counting by what differs comes to the same as counting all. A failure prints seed and path; replay with FC_SEED. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byteSize, Sizes } from "../src/size.ts";

const seed = process.env["FC_SEED"];
const parameters = { numRuns: 500, ...(seed && { seed: Number(seed) }) };

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

const bytesOf = (data: unknown): number => Buffer.byteLength(JSON.stringify(data));

/** Documents made of the same few parts, so that they share some, in other places and more than once. */
function pairOf(parts: readonly Json[]): fc.Arbitrary<{ before: object; after: object }> {
  const part = fc.constantFrom(...parts);
  const { value } = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3, depthSize: "small" },
      { weight: 4, arbitrary: part },
      { weight: 2, arbitrary: fc.array(tie("value"), { maxLength: 6 }) },
      { weight: 1, arbitrary: fc.dictionary(fc.constantFrom("a", "b", "é", "toString"), tie("value"), { maxKeys: 4 }) },
    ),
  }));
  const document = fc.dictionary(fc.constantFrom("a", "b", "c", "__proto__"), value, { maxKeys: 4 });
  return fc.record({ before: document, after: document });
}

const pairs = fc
  .array(fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>, { minLength: 1, maxLength: 4 })
  .chain((values) => pairOf([...values, 1, "text", null, {}, [], [0, 0], { id: 1 }]));

describe("the size of data", () => {
  it("counted by how it differs from what it replaces is the size of its JSON", () => {
    fc.assert(
      fc.property(pairs, ({ before, after }) => {
        const sizes = new Sizes();
        sizes.remember(before, sizes.of(before, undefined), undefined);
        expect(sizes.of(after, before)).toBe(bytesOf(after));
        expect(byteSize(after)).toBe(bytesOf(after));
      }),
      parameters,
    );
  });

  it("does not look into what both share, wherever it stands in a list", () => {
    let reads = 0;
    const watched = (id: number): object =>
      new Proxy({ id }, { ownKeys: (target) => ((reads += 1), Reflect.ownKeys(target)) });
    const before = { list: Array.from({ length: 10 }, (_, id) => watched(id)), part: watched(10) };
    const [first, second, third, ...rest] = before.list;
    const sizes = new Sizes();
    sizes.remember(before, sizes.of(before, undefined), undefined);
    const readAtFirst = reads;
    expect(readAtFirst).toBeGreaterThanOrEqual(11);
    const after = { part: before.part, list: [third, { id: 99 }, first, ...rest, second] };
    const size = sizes.of(after, before);
    expect(reads).toBe(readAtFirst);
    expect(size).toBe(bytesOf(after));
  });

  it("is counted whole where what is replaced has not been counted", () => {
    const sizes = new Sizes();
    sizes.remember({ a: 1 }, 1_000, undefined);
    expect(sizes.of({ a: 1 }, { a: 1 })).toBe(7);
  });
});
