import { expect, it } from "vitest";
import { Roster } from "../src/roster.ts";

it("has what was set and not deleted since, whatever has come and gone meanwhile", () => {
  const roster = new Roster<string>();
  const map = new Map<string, string>();
  for (let turn = 0; turn < 5_000; turn++) {
    const key = `${(turn * 7_919) % 300}`;
    if (turn % 3 === 0 || turn > 4_000) {
      roster.delete(key);
      map.delete(key);
    } else {
      roster.set(key, `${turn}`);
      map.set(key, `${turn}`);
    }
    expect([roster.size, roster.get(key)]).toEqual([map.size, map.get(key)]);
    if (turn % 500 === 0) expect(new Map(roster)).toEqual(map);
  }
  expect(roster.values().toSorted()).toEqual([...map.values()].toSorted());
});
