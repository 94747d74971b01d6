/**
 * Three-way merges and edits over random documents. For each property wrong merges show that it can fail. A failure
 * prints seed and path; replay with FC_SEED.
 */

import fastJsonPatch from "fast-json-patch";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEEP } from "../src/data.ts";
import { diff } from "../src/diff.ts";
import { isEqual } from "../src/equal.ts";
import { KnownLists } from "../src/known-lists.ts";
import { merge, type Overlap } from "../src/merge.ts";
import { applyEdit, type Edit, type Step } from "../src/patch.ts";
import type { Edited, Version } from "../src/edited.ts";
import { parsePath } from "../src/pointer.ts";

type Merge = typeof merge;
type Apply = typeof applyEdit;
type Fields = Record<string, unknown>;
type Three = readonly [base: Fields, yours: Fields, theirs: Fields];

const seed = process.env["FC_SEED"];
const runs = { numRuns: 1_000, ...(seed && { seed: Number(seed) }) };
/** Whoever waits for the result waits less; `.ci/run` takes more. */
const some = { ...runs, numRuns: Number(process.env["SHARED_CONTEXT_SEEDS"] ?? 200) };

function cloneOf<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** Whoever writes into it fails. */
function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) frozen(part);
  }
  return value;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function idOf(element: unknown): string | undefined {
  const id = isFields(element) ? element["id"] : undefined;
  return typeof id === "string" || typeof id === "number" ? String(id) : undefined;
}

/** The ids of an array whose elements all have one. */
function idsOf(value: unknown): string[] {
  return (value as unknown[]).map((element) => idOf(element) ?? expect.fail("an element without an id"));
}

/** A document of which everything may be merged: objects in objects, elements with ids, plain arrays and scalars. */
const scalar = fc.constantFrom<unknown>(0, 1, "x", null, true);
const id = fc.constantFrom<string | number>(1, 2, 3, 4, 5, "a", "b/c");
const key = fc.constantFrom("a", "b", "c", "list", "x/y", "~", "__proto__");

const { fields, value, elements } = fc.letrec<{ fields: Fields; value: unknown; elements: Fields[] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: "small", withCrossShrink: true },
    { arbitrary: scalar, weight: 3 },
    { arbitrary: fc.array(scalar, { maxLength: 3 }), weight: 1 },
    { arbitrary: tie("elements"), weight: 3 },
    { arbitrary: tie("fields"), weight: 3 },
  ),
  fields: fc.array(fc.tuple(key, tie("value")), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  elements: fc.uniqueArray(fc.record({ id, v: scalar, more: tie("value") }, { requiredKeys: ["id", "v"] }), {
    selector: ({ id }) => String(id),
    maxLength: 5,
  }),
}));

interface Change {
  readonly steps: readonly number[];
  readonly does: "set" | "insert" | "remove" | "move" | "replace";
  readonly key: string;
  readonly id: string | number;
  readonly value: unknown;
}

const change: fc.Arbitrary<Change> = fc.record({
  steps: fc.array(fc.nat(9), { minLength: 1, maxLength: 4 }),
  does: fc.constantFrom("set", "set", "insert", "insert", "remove", "move", "move", "replace"),
  key,
  id,
  value,
});

/** A copy that shares with `value` whatever the change leaves alone, as versions of a context do. */
function changed(value: unknown, { steps, ...rest }: Change): unknown {
  if (typeof value !== "object" || value === null) return rest.value;
  const [step = 0, ...deeper] = steps;
  const keys = Object.keys(value);
  const at = keys[step % Math.max(keys.length, 1)];
  if (deeper.length > 0 && at !== undefined) {
    const inside = changed((value as Fields)[at], { steps: deeper, ...rest });
    if (Array.isArray(value)) return (value as unknown[]).with(Number(at), inside);
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, name === at ? inside : part]));
  }
  return Array.isArray(value) ? changedList(value, step, rest) : changedFields(value as Fields, at, rest);
}

function changedList(list: readonly unknown[], step: number, { does, id, value }: Omit<Change, "steps">): unknown {
  const isKeyed = list.every((element) => idOf(element) !== undefined);
  const index = step % Math.max(list.length, 1);
  if (does === "insert") {
    if (!isKeyed) return list.toSpliced(step % (list.length + 1), 0, value);
    return list.some((element) => idOf(element) === String(id))
      ? list
      : list.toSpliced(step % (list.length + 1), 0, { id, v: value });
  }
  if (list.length === 0 || does === "replace") return value;
  const rest = list.toSpliced(index, 1);
  if (does === "remove") return rest;
  if (does === "move") return rest.toSpliced((step * 7) % (rest.length + 1), 0, list[index]);
  return list.with(index, isKeyed ? { ...(list[index] as Fields), v: value } : value);
}

function changedFields(
  fields: Fields,
  at: string | undefined,
  { does, key, value }: Omit<Change, "steps">,
): Record<string, unknown> {
  const entries = Object.entries(fields);
  if (does === "remove" || does === "move") {
    const rest = entries.filter(([name]) => name !== at);
    return Object.fromEntries(does === "remove" || at === undefined ? rest : [...rest, [at, fields[at]]]);
  }
  const name = does === "insert" || at === undefined ? key : at;
  return Object.fromEntries([...entries.filter(([other]) => other !== name), [name, value]]);
}

const changes = fc.array(change, { maxLength: 4 });

function sidesOf<Document>(documents: fc.Arbitrary<Document>): fc.Arbitrary<readonly [Document, Document, Document]> {
  return fc.tuple(documents, changes, changes, fc.boolean()).map(([base, yours, theirs, shares]) => {
    const side = (made: readonly Change[]): Document =>
      made.reduce<unknown>((document, one) => {
        const next = changed(document, one);
        return Array.isArray(next) === Array.isArray(base) && typeof next === typeof base && next !== null
          ? next
          : document;
      }, base) as Document;
    const sides = [base, side(yours), side(theirs)] as const;
    return frozen(shares ? sides : ([cloneOf(sides[0]), cloneOf(sides[1]), cloneOf(sides[2])] as const));
  });
}

const three: fc.Arbitrary<Three> = sidesOf(fields);

/** Elements with ids on all three sides. */
const threeLists: fc.Arbitrary<readonly [Fields[], Fields[], Fields[]]> = sidesOf(elements).filter((lists) =>
  lists.every((list) => {
    const ids = list.map(idOf);
    return !ids.includes(undefined) && new Set(ids).size === ids.length;
  }),
);

interface Merged {
  readonly data: unknown;
  readonly overlaps: readonly Overlap[];
}

function run(subject: Merge, base: unknown, yours: unknown, theirs: unknown): Merged {
  const overlaps: Overlap[] = [];
  const data = subject(base, yours, theirs, "", overlaps);
  return { data, overlaps: overlaps.sort((one, other) => (one.path < other.path ? -1 : 1)) };
}

/** Where there is an overlap, the data does not count. */
function expectMerged(merged: Merged, data: unknown): void {
  expect(merged.overlaps).toEqual([]);
  expect(isEqual(merged.data, data)).toBe(true);
}

const properties: Record<string, (subject: Merge) => fc.IProperty<unknown>> = {
  "merging nothing changes nothing, and what one side changed applies whole": (subject) =>
    fc.property(three, ([base, yours]) => {
      for (const same of [base, frozen(cloneOf(base))]) {
        expectMerged(run(subject, base, same, yours), yours);
        expectMerged(run(subject, base, yours, same), yours);
        expectMerged(run(subject, same, base, yours), yours);
        expectMerged(run(subject, same, yours, base), yours);
      }
      expectMerged(run(subject, base, yours, frozen(cloneOf(yours))), yours);
      expectMerged(run(subject, base, yours, yours), yours);
    }),

  "the order of elements is that of the side that moved them": (subject) =>
    fc.property(threeLists, (lists) => {
      const [base, yours, theirs] = lists.map(idsOf) as [string[], string[], string[]];
      const { data, overlaps } = run(subject, ...lists);
      if (overlaps.length > 0) return;
      const only = (ids: readonly string[], others: readonly string[]): string[] =>
        ids.filter((id) => others.includes(id));
      const all = idsOf(data);
      const common = only(only(yours, theirs), all);
      const [inYours, inTheirs, inBase] = [yours, theirs, base].map((ids) => only(ids, common));
      const expected = isEqual(inYours, inBase) ? inTheirs : inYours;
      expect(only(all, common)).toEqual(expected);
      expect(only(all, isEqual(expected, inTheirs) ? theirs : yours)).toEqual(
        only(isEqual(expected, inTheirs) ? theirs : yours, all),
      );
    }),

  "it does not matter which side came first": (subject) =>
    fc.property(three, ([base, yours, theirs]) => {
      const one = run(subject, base, yours, theirs);
      const other = run(subject, base, theirs, yours);
      expect(other.overlaps).toEqual(
        one.overlaps.map(({ path, base, yours, theirs }) => ({ path, base, yours: theirs, theirs: yours })),
      );
      if (one.overlaps.length === 0) expect(isEqual(one.data, other.data)).toBe(true);
      const copies = run(subject, frozen(cloneOf(base)), frozen(cloneOf(yours)), frozen(cloneOf(theirs)));
      expect(copies.overlaps).toEqual(one.overlaps);
      if (one.overlaps.length === 0) expect(isEqual(copies.data, one.data)).toBe(true);
    }),

  "every overlap is told: without them, the merge passes": (subject) =>
    fc.property(three, ([base, yours, theirs]) => {
      const { overlaps } = run(subject, base, yours, theirs);
      expect(new Set(overlaps.map(({ path }) => path)).size).toBe(overlaps.length);
      for (const overlap of overlaps) {
        expect(Object.keys(overlap)).toEqual(["path", "base", "yours", "theirs"]);
        expect(isEqual(overlap.yours, overlap.theirs)).toBe(false);
        expect(isEqual(overlap.base, overlap.yours)).toBe(false);
        expect(isEqual(overlap.base, overlap.theirs)).toBe(false);
        expect(overlap).toEqual({
          path: overlap.path,
          base: at(base, overlap.path),
          yours: at(yours, overlap.path),
          theirs: at(theirs, overlap.path),
        });
      }
      expect(run(subject, base, ...resolved(yours, theirs, overlaps)).overlaps).toEqual([]);
    }),

  "no element is lost, none is there twice, and none that was removed is there": (subject) =>
    fc.property(threeLists, (lists) => {
      const [base, yours, theirs] = lists.map(idsOf) as [string[], string[], string[]];
      const { data, overlaps } = run(subject, ...lists);
      if (overlaps.length > 0) return;
      const stays = (id: string): boolean =>
        base.includes(id) ? yours.includes(id) && theirs.includes(id) : yours.includes(id) || theirs.includes(id);
      const expected = [...new Set([...base, ...yours, ...theirs])].filter(stays);
      expect(idsOf(data).toSorted()).toEqual(expected.toSorted());
    }),

  "what only one side changed below is there, key by key": (subject) =>
    fc.property(three, ([base, yours, theirs]) => {
      const { data, overlaps } = run(subject, base, yours, theirs);
      if (overlaps.length > 0) return;
      for (const name of new Set([...Object.keys(base), ...Object.keys(yours), ...Object.keys(theirs)])) {
        const [old, mine, its] = [base, yours, theirs].map((side) => ownOf(side, name));
        const one = ownOf(data as Fields, name);
        if (isEqual(old, mine)) expect(isEqual(one, its)).toBe(true);
        else if (isEqual(old, its)) expect(isEqual(one, mine)).toBe(true);
      }
    }),
};

function ownOf(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

/** Where a token leads to: a key, or the index of the element with that id. */
function keyAt(parent: object, token: string): string {
  return Array.isArray(parent) && token.startsWith("id=")
    ? String(parent.findIndex((element) => idOf(element) === token.slice(3)))
    : token;
}

function at(document: unknown, path: string): unknown {
  return (parsePath(path) ?? []).reduce<unknown>(
    (value, token) =>
      typeof value === "object" && value !== null ? ownOf(value as Fields, keyAt(value, token)) : undefined,
    document,
  );
}

/** Makes both sides agree at these paths: on what theirs has, or on nothing where one of them has nothing. */
function resolved(yours: Fields, theirs: Fields, overlaps: readonly Overlap[]): [Fields, Fields] {
  const sides: [Fields, Fields] = [cloneOf(yours), cloneOf(theirs)];
  const deepestFirst = overlaps.toSorted((one, other) => other.path.length - one.path.length);
  for (const { path } of deepestFirst) {
    const [mine, its] = sides.map((side) => at(side, path));
    for (const side of sides) {
      const tokens = parsePath(path) ?? [];
      const last = tokens.pop() ?? expect.fail("an overlap of objects");
      const parent = tokens.reduce<unknown>(
        (value, token) => ownOf(value as Fields, keyAt(value as object, token)),
        side,
      );
      const place = keyAt(parent as object, last);
      if (mine !== undefined && its !== undefined) {
        Object.defineProperty(parent, place, { value: its, writable: true, enumerable: true, configurable: true });
      } else if (!Array.isArray(parent)) {
        Reflect.deleteProperty(parent as object, place);
      } else if (place !== "-1") {
        parent.splice(Number(place), 1);
      }
    }
  }
  return sides;
}

/** Each is wrong in a way that the property of that name must see. */
const wrong: Record<string, Record<string, Merge>> = {
  "merging nothing changes nothing, and what one side changed applies whole": {
    "takes theirs": (_base, _yours, theirs) => theirs,
    "knows what is shared only, and not what is equal": (base, yours, theirs, path, overlaps) => {
      if (base === theirs || yours === theirs) return yours;
      if (base !== yours) overlaps.push({ path, base, yours, theirs });
      return theirs;
    },
    "brings back what one side removed": (base, yours, theirs, path, overlaps) => {
      const data = merge(base, yours, theirs, path, overlaps);
      return isFields(data) && isFields(base) ? { ...base, ...data } : data;
    },
  },
  "the order of elements is that of the side that moved them": {
    "keeps the order of the base": (base, yours, theirs, path, overlaps) => {
      const data = merge(base, yours, theirs, path, overlaps);
      const places = idsOf(base);
      return overlaps.length > 0
        ? data
        : (data as unknown[]).toSorted((one, other) => places.indexOf(idOf(one)!) - places.indexOf(idOf(other)!));
    },
    "puts what is new at the end": (base, yours, theirs, path, overlaps) => {
      const data = merge(base, yours, theirs, path, overlaps);
      const isNew = (element: unknown): number => (idsOf(base).includes(idOf(element)!) ? 0 : 1);
      return overlaps.length > 0 ? data : (data as unknown[]).toSorted((one, other) => isNew(one) - isNew(other));
    },
  },
  "it does not matter which side came first": {
    "lets theirs win in silence": (base, yours, theirs, path) => {
      const overlaps: Overlap[] = [];
      const data = merge(base, yours, theirs, path, overlaps);
      return overlaps.length === 0 ? data : theirs;
    },
    "lets their removals win in silence": (base, yours, theirs, path, overlaps) => {
      const all: Overlap[] = [];
      const data = merge(base, yours, theirs, path, all);
      overlaps.push(...all.filter((overlap) => overlap.theirs !== undefined));
      return data;
    },
    "tells the sides of an overlap in one order": (base, yours, theirs, path, overlaps) => {
      const all: Overlap[] = [];
      const data = merge(base, yours, theirs, path, all);
      const text = (value: unknown): string => JSON.stringify(value) ?? "";
      for (const { yours, theirs, ...rest } of all) {
        const [lesser, greater] = text(yours) < text(theirs) ? [yours, theirs] : [theirs, yours];
        overlaps.push({ ...rest, yours: lesser, theirs: greater });
      }
      return data;
    },
    "puts yours in front of theirs": (base, yours, theirs, path, overlaps) => {
      const data = merge(base, yours, theirs, path, overlaps);
      const first = (value: unknown): unknown => {
        if (!isFields(value)) return value;
        return Object.fromEntries(
          Object.entries(value).map(([name, part]) => {
            const mine = isFields(yours) ? ownOf(yours, name) : undefined;
            if (!Array.isArray(part) || !Array.isArray(mine)) return [name, part];
            const ids = new Set(mine.map(idOf));
            return [name, part.toSorted((one, other) => Number(ids.has(idOf(other))) - Number(ids.has(idOf(one))))];
          }),
        );
      };
      return first(data);
    },
  },
  "every overlap is told: without them, the merge passes": {
    "stops at the first": (base, yours, theirs, path, overlaps) => {
      const all: Overlap[] = [];
      const data = merge(base, yours, theirs, path, all);
      overlaps.push(...all.slice(0, 1));
      return data;
    },
    "tells the whole instead of the part": (base, yours, theirs, path, overlaps) => {
      const all: Overlap[] = [];
      const data = merge(base, yours, theirs, path, all);
      overlaps.push(...all.map((overlap) => ({ ...overlap, path: overlap.path.replace(/(?<=.)\/[^/]*$/, "") })));
      return data;
    },
    "tells of the same change twice": (base, yours, theirs, path, overlaps) => {
      const data = merge(base, yours, theirs, path, overlaps);
      if (
        isFields(yours) &&
        isFields(theirs) &&
        overlaps.length === 0 &&
        !isEqual(base, yours) &&
        isEqual(yours, theirs)
      )
        overlaps.push({ path, base, yours, theirs });
      return data;
    },
  },
  "no element is lost, none is there twice, and none that was removed is there": {
    "puts both lists together": (_base, yours, theirs) => [...(yours as unknown[]), ...(theirs as unknown[])],
    "puts both lists together, each id once": (_base, yours, theirs) => {
      const ids = new Set(idsOf(theirs));
      return [...(theirs as unknown[]), ...(yours as unknown[]).filter((element) => !ids.has(idOf(element)!))];
    },
    "forgets what they added": (base, yours, theirs, path, overlaps) => {
      const known = new Set([...idsOf(base), ...idsOf(yours)]);
      const data = merge(base, yours, theirs, path, overlaps);
      return overlaps.length > 0 ? data : (data as unknown[]).filter((element) => known.has(idOf(element)!));
    },
  },
  "what only one side changed below is there, key by key": {
    "takes yours whole": (_base, yours) => yours,
    "takes their keys where yours changed nothing, and all of yours where both changed": (base, yours, theirs) =>
      isEqual(base, yours) ? theirs : yours,
  },
};

describe("a merge", () => {
  it.each(Object.entries(properties))("keeps to this: %s", (_name, property) => {
    fc.assert(property(merge), some);
  });

  it.each(
    Object.entries(wrong).flatMap(([name, mutants]) =>
      Object.entries(mutants).map((mutant) => [name, ...mutant] as const),
    ),
  )("would be caught by this: %s; if it %s", (name, _mutant, subject) => {
    expect(() => fc.assert(properties[name]!(subject), runs)).toThrow(/Property failed/);
  });

  it("would be caught if it changed what it is given", () => {
    const careless: Merge = (base, yours, theirs, path, overlaps) =>
      isFields(theirs) && isFields(yours) ? Object.assign(theirs, yours) : merge(base, yours, theirs, path, overlaps);
    const property = properties["it does not matter which side came first"]!;
    expect(fc.check(property(careless), runs).errorInstance).toBeInstanceOf(TypeError);
  });

  it("meets random sides that overlap often, and often not", () => {
    const overlapping = fc.sample(three, runs).filter((sides) => run(merge, ...sides).overlaps.length > 0);
    const share = overlapping.length / runs.numRuns;
    expect(share).toBeGreaterThan(0.1);
    expect(share).toBeLessThan(0.9);
  });

  it("shares with its sides what it took from them", () => {
    const [kept, mine, its] = [{ deep: 1 }, { deep: 2 }, { deep: 3 }];
    const base = { kept, a: {}, b: {} };
    const { data } = run(merge, base, { kept, a: mine, b: base.b }, { kept, a: base.a, b: its });
    expect([(data as Fields)["kept"], (data as Fields)["a"], (data as Fields)["b"]]).toEqual([kept, mine, its]);
    expect((data as Fields)["kept"]).toBe(kept);
    expect((data as Fields)["a"]).toBe(mine);
    expect((data as Fields)["b"]).toBe(its);
  });
});

describe("a merge of arrays", () => {
  const list = (...ids: (string | number)[]): Fields[] => ids.map((id) => ({ id }));
  const ids = (elements: unknown): unknown[] => (elements as Fields[]).map((element) => element["id"]);

  it.each<[string, unknown[], unknown[], unknown[], unknown[]]>([
    ["one moves, the other does nothing", [1, 2, 3], [3, 1, 2], [1, 2, 3], [3, 1, 2]],
    ["both move to the same order", [1, 2, 3], [3, 2, 1], [3, 2, 1], [3, 2, 1]],
    ["one moves, the other removes", [1, 2, 3, 4], [4, 1, 2, 3], [1, 3, 4], [4, 1, 3]],
    ["one moves what the other removes", [1, 2, 3], [3, 1, 2], [1, 2], [1, 2]],
    ["one moves, the other inserts behind what moved", [1, 2, 3], [3, 1, 2], [1, 2, 3, 9], [3, 9, 1, 2]],
    ["one moves, the other inserts at the front", [1, 2, 3], [2, 3, 1], [9, 1, 2, 3], [9, 2, 3, 1]],
    ["both insert at the same place", [1, 2], [1, 8, 2], [1, 9, 2], [1, 8, 9, 2]],
    ["both insert several at the same place", [1], [1, 9, 6], [1, 8, 7], [1, 8, 7, 9, 6]],
    ["both insert the same", [1, 2], [1, 2, 9], [1, 2, 9], [1, 2, 9]],
    ["both append", [1], [1, 2], [1, 3], [1, 2, 3]],
    ["both begin an array", [], ["b"], ["a"], ["a", "b"]],
    ["one inserts behind what the other removes", [1, 2, 3], [1, 2, 9, 3], [1, 3], [1, 9, 3]],
    ["both remove, the same and others", [1, 2, 3, 4], [1, 4], [1, 3], [1]],
    ["one removes all, the other adds", [1, 2], [], [1, 2, 3], [3]],
    ["moves that the other's removal makes the same", [1, 2, 3], [2, 1, 3], [2, 1], [2, 1]],
  ])("with ids puts both together: %s", (_name, base, yours, theirs, expected) => {
    const three = [base, yours, theirs].map((ids) => frozen(list(...(ids as number[])))) as [object, object, object];
    for (const sides of [three, [three[0], three[2], three[1]] as const]) {
      const { data, overlaps } = run(merge, ...sides);
      expect(overlaps).toEqual([]);
      expect(ids(data)).toEqual(expected);
    }
  });

  it.each<[string, unknown[], unknown[], unknown[]]>([
    ["both move, and differently", [1, 2, 3], [3, 1, 2], [2, 1, 3]],
    ["both insert the same at places that differ", [1, 2], [9, 1, 2], [1, 2, 9]],
  ])("with ids is an overlap of the whole array when %s", (_name, ...three) => {
    const [base, yours, theirs] = three.map((ids) => list(...(ids as number[])));
    expect(run(merge, { list: base }, { list: yours }, { list: theirs }).overlaps).toEqual([
      { path: "/list", base, yours, theirs },
    ]);
  });

  it("with ids keeps what both changed in an element that one moved", () => {
    const base = [{ id: 1, a: 1, b: 1 }, { id: 2 }, { id: "x/y", a: 1 }];
    const yours = [{ id: "x/y", a: 1 }, { id: 1, a: 2, b: 1 }, { id: 2 }];
    const theirs = [
      { id: 1, a: 1, b: 2 },
      { id: 2, c: 1 },
      { id: "x/y", a: 3 },
    ];
    expectMerged(run(merge, base, yours, theirs), [
      { id: "x/y", a: 3 },
      { id: 1, a: 2, b: 2 },
      { id: 2, c: 1 },
    ]);
    yours[0] = { id: "x/y", a: 2 };
    expect(run(merge, { list: base }, { list: yours }, { list: theirs }).overlaps).toEqual([
      { path: "/list/id=x~1y/a", base: 1, yours: 2, theirs: 3 },
    ]);
  });

  it.each<[string, unknown[], unknown[], unknown[]]>([
    ["without ids", [1, 2], [1, 2, 3], [0, 1, 2]],
    ["where one element has none", list(1, 2), [...list(1, 2), {}], list(1, 2, 3)],
    ["where an id is there twice", list(1), list(1, 1), list(1, 2)],
    ["where 1 and '1' are one id to a path", list(1), list(1, "1"), list(1, 2)],
    ["where the base had none", [1], list(1), list(2)],
  ])("%s is one value", (_name, base, yours, theirs) => {
    expect(run(merge, { list: base }, { list: yours }, { list: theirs }).overlaps).toEqual([
      { path: "/list", base, yours, theirs },
    ]);
    expectMerged(run(merge, { list: base }, { list: yours }, { list: cloneOf(base) }), { list: yours });
    expectMerged(run(merge, { list: base }, { list: yours }, { list: cloneOf(yours) }), { list: yours });
  });
});

/** The data with a step done, the long way round; `undefined` where it has no place. */
function stepped(document: Fields, { op, path, value }: Step): Fields | undefined {
  const root = { root: cloneOf(document) };
  const tokens = ["root", ...path];
  const last = tokens.pop()!;
  let parent: object = root;
  for (const token of tokens) {
    const place = keyAt(parent, token);
    if (Array.isArray(parent) && parent[Number(place)] === undefined) return op === "remove" ? document : undefined;
    const inside = ownOf(parent as Fields, place);
    if (inside === undefined && op === "remove") return document;
    if (inside === undefined && op !== "set") return undefined;
    if (inside !== undefined && (typeof inside !== "object" || inside === null)) return undefined;
    if (inside === undefined) setOwn(parent, place, {});
    parent = ownOf(parent as Fields, place) as object;
  }
  const place = keyAt(parent, last);
  const old = ownOf(parent as Fields, place);
  if (Array.isArray(parent) && old === undefined) return op === "remove" ? document : undefined;
  switch (op) {
    case "set":
      setOwn(parent, place, value);
      break;
    case "remove":
      if (Array.isArray(parent)) parent.splice(Number(place), 1);
      else Reflect.deleteProperty(parent, place);
      break;
    case "append":
      if (!Array.isArray(old)) return undefined;
      old.push(value);
      break;
    case "increment":
      if (typeof old !== "number") return undefined;
      setOwn(parent, place, old + (value as number));
      break;
    default:
  }
  return root.root;
}

function setOwn(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
}

interface Wish {
  readonly op: "set" | "remove" | "append" | "increment";
  readonly turns: readonly number[];
  readonly byId: boolean;
  readonly key: string;
  readonly beyond: readonly string[];
  readonly value: unknown;
  readonly by: number;
}

const wish: fc.Arbitrary<Wish> = fc.record({
  op: fc.constantFrom("set", "set", "remove", "append", "increment"),
  turns: fc.array(fc.nat(9), { maxLength: 4 }),
  byId: fc.boolean(),
  key,
  beyond: fc.array(key, { maxLength: 1 }),
  value,
  by: fc.constantFrom(1, 10, -3),
});

/** A step that the document has a place for: it walks down, and looks there for what the operation needs. */
function stepFor(document: Fields, { op, turns, byId, key, beyond, value, by }: Wish): Step | undefined {
  const fits = (part: unknown): boolean =>
    op === "append" ? Array.isArray(part) : op === "increment" ? typeof part === "number" : true;
  let part: unknown = document;
  const path: string[] = [];
  for (const turn of turns) {
    if (typeof part !== "object" || part === null || (path.length > 0 && op === "append" && fits(part))) break;
    const names = Object.keys(part);
    if (names.length === 0) break;
    const name = names[turn % names.length]!;
    const inside = (part as Fields)[name];
    const elementId = Array.isArray(part) ? idOf(inside) : undefined;
    const isOnly = Array.isArray(part) && part.filter((element) => idOf(element) === elementId).length === 1;
    path.push(byId && elementId !== undefined && isOnly ? `id=${elementId}` : name);
    part = inside;
  }
  if (op === "set" && isFields(part)) path.push(key, ...(Object.hasOwn(part, key) ? [] : beyond));
  if (path.length === 0 || !fits(part)) return undefined;
  return frozen({ op, path, value: op === "increment" ? by : op === "remove" ? undefined : value });
}

/** The steps that a document has room for, one after the other, and what the long way round makes of it. */
function stepsFor(document: Fields, wishes: readonly Wish[]): { steps: Step[]; data: Fields } {
  const steps: Step[] = [];
  let data = document;
  for (const one of wishes) {
    const step = stepFor(data, one);
    const next = step && stepped(data, step);
    if (step === undefined || next === undefined) continue;
    steps.push(step);
    data = next;
  }
  return { steps, data };
}

function versionOf(version: string, data: Fields, chains?: Version["chains"]): Version {
  return frozen({ version, data, chains });
}

function dataOf(edited: Edited): unknown {
  return "data" in edited ? edited.data : expect.fail(JSON.stringify(edited));
}

/** RFC 7386, section 2, word for word. */
function mergePatched(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const result = isFields(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, name);
    else setOwn(result, name, mergePatched(ownOf(result, name), value));
  }
  return result;
}

/** A diff is applied by a package that knows nothing of this one, but refuses `__proto__`. */
function expectDiffed(before: Fields, after: unknown, expected: Fields): void {
  expect(isEqual(after, expected)).toBe(true);
  const patch = diff(before, after);
  expect(patch.length === 0).toBe(isEqual(before, expected));
  if (/__proto__/.test(JSON.stringify([before, expected]))) return;
  const applied = fastJsonPatch.applyPatch(cloneOf(before), cloneOf(patch) as fastJsonPatch.Operation[]).newDocument;
  expect(isEqual(applied, expected)).toBe(true);
}

const edits: Record<string, (subject: Apply) => fc.IProperty<unknown>> = {
  "steps do one after the other what each says, and a diff tells it": (subject) =>
    fc.property(fields, fc.array(wish, { maxLength: 6 }), (before, wishes) => {
      const base = versionOf("1", before);
      const { steps, data } = stepsFor(base.data as Fields, wishes);
      expectDiffed(before, dataOf(subject({ kind: "steps", steps }, base, base)), data);
    }),

  "a merge patch does what RFC 7386 says, and a diff tells it": (subject) =>
    fc.property(fields, fields, (before, patch) => {
      const base = versionOf("1", before);
      const edit: Edit = { kind: "merge patch", patch: frozen(patch) };
      expectDiffed(before, dataOf(subject(edit, base, base)), mergePatched(before, patch) as Fields);
    }),

  "sets and removals meet others as a merge of the whole data does": (subject) =>
    fc.property(three, fc.array(wish, { maxLength: 4 }), ([before, , theirs], wishes) => {
      const plain = wishes.filter(({ op }) => op === "set" || op === "remove");
      const { steps, data } = stepsFor(before, plain);
      const merged = run(merge, before, data, theirs);
      const edited = subject({ kind: "steps", steps }, versionOf("1", before), versionOf("2", theirs));
      if (merged.overlaps.length > 0) expect(edited).toEqual({ overlaps: merged.overlaps });
      else expect(isEqual(dataOf(edited), merged.data)).toBe(true);
    }),

  "steps do the same when others have changed something else": (subject) =>
    fc.property(fields, fc.array(wish, { maxLength: 6 }), (document, wishes) => {
      const base = versionOf("1", { inner: document });
      const present = versionOf("2", { inner: cloneOf(document), other: 1 });
      const { steps, data } = stepsFor(document, wishes);
      const inside = steps.map((step) => frozen({ ...step, path: ["inner", ...step.path] }));
      expect(dataOf(subject({ kind: "steps", steps: inside }, base, present))).toEqual({ inner: data, other: 1 });
    }),

  "increments and appends come to the same whoever came first": (subject) =>
    fc.property(
      fc.record({ n: fc.nat(3), list: fc.array(fc.nat(9), { maxLength: 2 }), tasks: elements }),
      fc.array(commuting, { maxLength: 4 }),
      fc.array(commuting, { maxLength: 4 }),
      (document, yours, theirs) => {
        const base = versionOf("1", document);
        const one: Edit = { kind: "steps", steps: fitting(document, yours) };
        const other: Edit = { kind: "steps", steps: fitting(document, theirs) };
        const both = [
          [one, other],
          [other, one],
        ].map(([first, second]) => {
          const between = subject(first!, base, base);
          const present = versionOf("2", dataOf(between) as Fields, (between as { chains: Version["chains"] }).chains);
          return dataOf(subject(second!, base, present)) as typeof document;
        });
        const total = (path: string): number =>
          [...one.steps, ...other.steps].reduce(
            (sum, { op, path: at, value }) =>
              sum + (op === "increment" && at.join("/") === path ? (value as number) : 0),
            0,
          );
        for (const { n, list, tasks } of both) {
          expect(n).toBe(document.n + total("n"));
          for (const [index, { id, v }] of document.tasks.entries()) {
            expect(tasks[index]?.["v"]).toBe(typeof v === "number" ? v + total(`tasks/id=${String(id)}/v`) : v);
          }
          const appended = [...one.steps, ...other.steps].filter(({ path: [at] }) => at === "list");
          expect(list.slice(0, document.list.length)).toEqual(document.list);
          expect(list.slice(document.list.length).toSorted((a, b) => a - b)).toEqual(
            appended.map(({ value }) => value as number).toSorted((a, b) => a - b),
          );
        }
      },
    ),
};

const commuting: fc.Arbitrary<Step> = fc.oneof(
  fc.integer({ min: -9, max: 9 }).map((value): Step => ({ op: "increment", path: ["n"], value })),
  fc.nat(9).map((value): Step => ({ op: "append", path: ["list"], value })),
  fc.tuple(id, fc.nat(5)).map(([id, value]): Step => ({ op: "increment", path: ["tasks", `id=${id}`, "v"], value })),
);

function fitting(document: { readonly tasks: readonly Fields[] }, steps: readonly Step[]): Step[] {
  const numbers = new Set(document.tasks.filter(({ v }) => typeof v === "number").map((task) => `id=${idOf(task)}`));
  return steps.filter(({ path: [at, token = ""] }) => at !== "tasks" || numbers.has(token));
}

const wrongEdits: Record<string, Record<string, Apply>> = {
  "steps do one after the other what each says, and a diff tells it": {
    "forgets the last": (edit, base, present) =>
      applyEdit(edit.kind === "steps" ? { ...edit, steps: edit.steps.slice(0, -1) } : edit, base, present),
    "does them from the last to the first": (edit, base, present) =>
      applyEdit(edit.kind === "steps" ? { ...edit, steps: edit.steps.toReversed() } : edit, base, present),
    "takes every step for a set": (edit, base, present) =>
      applyEdit(
        edit.kind === "steps" ? { ...edit, steps: edit.steps.map((step) => ({ ...step, op: "set" as const })) } : edit,
        base,
        present,
      ),
  },
  "a merge patch does what RFC 7386 says, and a diff tells it": {
    "keeps null": (edit, base) => ({
      data: { ...base.data, ...(edit.kind === "merge patch" && edit.patch) },
      chains: undefined,
    }),
    "leaves what is there already": (edit, base) => ({
      data: { ...(edit.kind === "merge patch" && edit.patch), ...base.data },
      chains: undefined,
    }),
  },
  "sets and removals meet others as a merge of the whole data does": {
    "does them on what is there now": (edit, _base, present) => applyEdit(edit, present, present),
    "does them on what was read": (edit, base) => applyEdit(edit, base, base),
  },
  "steps do the same when others have changed something else": {
    "does them on what was read": (edit, base) => applyEdit(edit, base, base),
    "does increments and appends first": (edit, base, present) =>
      applyEdit(
        edit.kind === "steps"
          ? { ...edit, steps: edit.steps.toSorted((one, other) => Number(one.op < "j") - Number(other.op < "j")) }
          : edit,
        base,
        present,
      ),
  },
  "increments and appends come to the same whoever came first": {
    "does them on what was read": (edit, base) => applyEdit(edit, base, base),
    "does the first only": (edit, base, present) =>
      applyEdit(edit.kind === "steps" ? { ...edit, steps: edit.steps.slice(0, 1) } : edit, base, present),
  },
};

/** As rules do it: what it leaves is ready to be kept, and what was found by its id is known. */
const applyAndKeep: Apply = (edit, base, present) =>
  applyEdit(edit, base, present, { copyPart: DEEP.copyPart, lists: new KnownLists(0, 1) });

describe.each<[string, Apply]>([
  ["an edit", applyEdit],
  ["an edit of what is kept", applyAndKeep],
])("%s", (_name, apply) => {
  it.each(Object.entries(edits))("keeps to this: %s", (_property, property) => {
    fc.assert(property(apply), some);
  });
});

describe("an edit", () => {
  it.each(
    Object.entries(wrongEdits).flatMap(([name, mutants]) =>
      Object.entries(mutants).map((mutant) => [name, ...mutant] as const),
    ),
  )("would be caught by this: %s; if it %s", (name, _mutant, subject) => {
    expect(() => fc.assert(edits[name]!(subject), runs)).toThrow(/Property failed/);
  });

  it("is tried with every operation, often", () => {
    const samples = fc.sample(fc.tuple(fields, fc.array(wish, { maxLength: 6 })), runs);
    const counts = { set: 0, remove: 0, append: 0, increment: 0, test: 0 };
    for (const [document, wishes] of samples) for (const { op } of stepsFor(document, wishes).steps) counts[op] += 1;
    for (const op of ["set", "remove", "append", "increment"] as const) expect(counts[op]).toBeGreaterThan(50);
  });
});
