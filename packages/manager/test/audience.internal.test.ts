/** Who listens to which contexts. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Audience, passes } from "../src/audience.ts";
import type { ContextFilter } from "../src/changes.ts";

function heardBy(audience: Audience<string>, contextId: string | null): string[] {
  return [...audience.of(contextId)];
}

describe("passes", () => {
  it.each<[ContextFilter | undefined, string | null, boolean]>([
    [undefined, "plan", true],
    [undefined, "", true],
    [undefined, null, true],
    ["plan", "plan", true],
    ["plan", "plan-2", false],
    ["plan", "pla", false],
    ["plan", null, true],
    ["", "", true],
    ["", "plan", false],
    [{ prefix: "plan" }, "plan", true],
    [{ prefix: "plan" }, "plan-2", true],
    [{ prefix: "plan" }, "a plan", false],
    [{ prefix: "plan" }, "pla", false],
    [{ prefix: "plan" }, null, true],
    [{ prefix: "" }, "plan", true],
    [{ prefix: "" }, "", true],
    [{ prefix: "__proto__" }, "__proto__", true],
  ])("%j lets %j through: %s", (filter, contextId, expected) => {
    expect(passes(filter, contextId)).toBe(expected);
  });
});

describe("an audience", () => {
  it("is found by id, by prefix, and by those who listen to everything", () => {
    const audience = new Audience<string>();
    audience.add(undefined, "all");
    audience.add("plan", "plan");
    audience.add({ prefix: "pl" }, "pl");
    audience.add({ prefix: "plan" }, "plan*");
    audience.add({ prefix: "" }, "*");
    audience.add("task", "task");
    expect(heardBy(audience, "plan").toSorted()).toEqual(["*", "all", "pl", "plan", "plan*"]);
    expect(heardBy(audience, "p").toSorted()).toEqual(["*", "all"]);
    expect(heardBy(audience, "task").toSorted()).toEqual(["*", "all", "task"]);
    expect(heardBy(audience, null).toSorted()).toEqual(["*", "all", "pl", "plan", "plan*", "task"]);
    expect(audience.all().toSorted()).toEqual(heardBy(audience, null).toSorted());
    expect(audience.size).toBe(6);
  });

  it("keeps those with one filter in the order in which they came", () => {
    const audience = new Audience<string>();
    for (const filter of [undefined, "plan", { prefix: "p" }]) {
      for (const name of ["first", "second", "third"]) audience.add(filter, name);
    }
    const heard = heardBy(audience, "plan");
    expect(heard).toHaveLength(9);
    for (let at = 0; at < 9; at += 3) expect(heard.slice(at, at + 3)).toEqual(["first", "second", "third"]);
  });

  it("has nobody when empty, and again when all have left", () => {
    const audience = new Audience<string>();
    const filters = [undefined, "plan", { prefix: "p" }, { prefix: "q" }];
    for (const filter of filters) audience.add(filter, "one");
    for (const filter of filters) audience.remove(filter, "one");
    expect([audience.size, heardBy(audience, "plan"), audience.all()]).toEqual([0, [], []]);
  });

  it("does not disturb whoever is going through it", () => {
    const audience = new Audience<string>();
    for (const name of ["ann", "bob", "cyd"]) audience.add("plan", name);
    const heard: string[] = [];
    for (const member of audience.of("plan")) {
      heard.push(member);
      audience.remove("plan", "bob");
      audience.add("plan", "dan");
    }
    expect(heard).toEqual(["ann", "bob", "cyd"]);
  });

  it("takes ids and prefixes that are names of an object's own", () => {
    const audience = new Audience<string>();
    audience.add("__proto__", "id");
    audience.add({ prefix: "constructor" }, "prefix");
    expect([heardBy(audience, "__proto__"), heardBy(audience, "constructor-1"), heardBy(audience, "toString")]).toEqual(
      [["id"], ["prefix"], []],
    );
  });

  it("agrees with passes, whoever comes and goes", () => {
    const seed = process.env["FC_SEED"];
    const text = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 3 });
    const filter = fc.oneof(fc.constant(undefined), text, fc.record({ prefix: text }));
    const step = fc.record({ filter, leaves: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), fc.array(text, { maxLength: 10 }), (steps, ids) => {
        const audience = new Audience<number>();
        const present: { filter: ContextFilter | undefined; member: number }[] = [];
        for (const [member, { filter, leaves }] of steps.entries()) {
          const leaver = leaves ? present.shift() : undefined;
          if (leaver !== undefined) audience.remove(leaver.filter, leaver.member);
          audience.add(filter, member);
          present.push({ filter, member });
        }
        expect(audience.size).toBe(present.length);
        for (const id of [...ids, null]) {
          const heard = [...audience.of(id)];
          const expected = present.filter(({ filter }) => passes(filter, id)).map(({ member }) => member);
          expect(heard.toSorted((a, b) => a - b)).toEqual(expected);
        }
      }),
      { numRuns: 300, ...(seed && { seed: Number(seed) }) },
    );
  });
});
