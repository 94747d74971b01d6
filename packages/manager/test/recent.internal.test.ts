import { describe, expect, it } from "vitest";
import { Recent } from "../src/recent.ts";

describe("what was put in last", () => {
  it("is there: at least as much as fits into half", () => {
    const recent = new Recent<{ turn: number }>(200_000);
    for (let turn = 0; turn < 1_000; turn++) {
      recent.set(`${turn}`, { turn }, 744);
      // With what it takes besides, 1,000 bytes each.
      for (const ago of [0, 1, 50, 99])
        if (turn >= ago) expect(recent.get(`${turn - ago}`)).toEqual({ turn: turn - ago });
      expect(recent.get(`${turn - 200}`)).toBeUndefined();
    }
  });

  it("hides what was there before", () => {
    const recent = new Recent<{ turn: number }>(4_000);
    recent.set("a", { turn: 1 }, 1_500);
    recent.set("b", { turn: 2 }, 1_500);
    recent.set("a", { turn: 3 }, 0);
    expect([recent.get("a"), recent.get("b")]).toEqual([{ turn: 3 }, { turn: 2 }]);
  });

  it("is there even if it alone is larger than all may be", () => {
    const recent = new Recent<{ turn: number }>(1_000);
    for (const turn of [1, 2, 3]) {
      recent.set("large", { turn }, 1_000_000);
      expect(recent.get("large")).toEqual({ turn });
    }
  });
});

it("nothing is there once it is cleared", () => {
  const recent = new Recent<{ turn: number }>(2_000);
  for (const [turn, key] of ["a", "b", "c", "d"].entries()) recent.set(key, { turn }, 300);
  recent.clear();
  expect(["a", "b", "c", "d"].map((key) => recent.get(key))).toEqual([undefined, undefined, undefined, undefined]);
});
