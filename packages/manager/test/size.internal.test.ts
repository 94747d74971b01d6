import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { copyDeep } from "../src/data.ts";
import { byteSize, roughSize } from "../src/size.ts";

describe("about how large data is", () => {
  it("is no more than a few times off, also when it is asked again", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const data = copyDeep(value) as object;
        const exact = byteSize(data);
        for (const rough of [roughSize(data), roughSize(data)]) {
          expect(rough).toBeGreaterThan(exact / 6 - 1);
          expect(rough).toBeLessThan(exact * 3 + 10);
        }
      }),
    );
  });

  it("is remembered of large parts that versions share", () => {
    const list = Array.from({ length: 1_000 }, (_, id) => ({ id, text: "x".repeat(100) }));
    const data = copyDeep({ list }) as { list: object };
    const first = roughSize(data);
    expect(first).toBeGreaterThan(100_000);
    expect(roughSize({ ...data, step: 1 }) - first).toBeLessThan(50);
  });
});
