/**
 * What changed between two versions. Patches are applied by two packages that know nothing of this one, and by ten lines
 * of RFC 6902 for the keys that the packages refuse. A failure prints seed and path; replay with FC_SEED.
 */

import fastJsonPatch from "fast-json-patch";
import fc from "fast-check";
import * as rfc6902 from "rfc6902";
import { diff, type JsonPatchOperation, SharedContextManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { refusal } from "./support.ts";
import { vectorsOf } from "./vectors.ts";

type Diff = typeof diff;
type Loose = Record<string, unknown>;
type Patch = readonly { readonly op: string; readonly path: string }[];
/** Takes copies, so that it may change what it is given. */
type Apply = (document: unknown, patch: Patch) => unknown;

const libraries: Record<"fast-json-patch" | "rfc6902", Apply> = {
  "fast-json-patch": (document, patch) =>
    fastJsonPatch.applyPatch(document, patch as fastJsonPatch.Operation[]).newDocument,
  // It cannot replace the whole document: a document is put below a key, and so is each path.
  rfc6902: (document, patch) => {
    const wrapped = { root: document };
    const below = (path: unknown): unknown => (typeof path === "string" ? `/root${path}` : path);
    const moved = patch.map((step) => ({
      ...step,
      path: below(step.path),
      ...("from" in step && { from: below(step.from) }),
    }));
    const errors = rfc6902.applyPatch(wrapped, moved as rfc6902.Operation[]).filter((error) => error !== null);
    if (errors[0]) throw errors[0];
    return wrapped.root;
  },
};

/** `add`, `remove` and `replace` of RFC 6902, for own keys of any name. */
const byTheBook: Apply = (document, patch) => {
  const root = { "": document };
  for (const { op, path, ...rest } of patch as JsonPatchOperation[]) {
    const tokens = path.split("/").map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = tokens.pop()!;
    const parent = tokens.reduce<unknown>((value, token) => ownOf(value, token), root) as Loose;
    if (op !== "add") ownOf(parent, last);
    if (Array.isArray(parent)) {
      if (!/^(0|[1-9]\d*)$/.test(last) || Number(last) > parent.length) throw new RangeError(path);
      parent.splice(Number(last), op === "add" ? 0 : 1, ...Object.values(rest));
    } else if (op === "remove") {
      Reflect.deleteProperty(parent, last);
    } else {
      setOwn(parent, last, Object.values(rest)[0]);
    }
  }
  return root[""];
};

function ownOf(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) throw new RangeError(`no ${key}`);
  return (value as Loose)[key];
}

function setOwn(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
}

const everybody: readonly Apply[] = [byTheBook, ...Object.values(libraries)];

/** As text: the same for the same JSON value, whatever the order of its keys. */
function textOf(value: unknown): string {
  const sorted = (part: unknown): unknown => {
    if (typeof part !== "object" || part === null) return part;
    if (Array.isArray(part)) return part.map(sorted);
    const entries = Object.entries(part).filter(([, child]) => child !== undefined);
    return {
      entries: entries.map(([key, child]) => [key, sorted(child)] as const).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    };
  };
  return JSON.stringify(sorted(value));
}

function cloneOf<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** What a patch must be: it gives `after` with whoever applies it, and there is none when nothing changed. */
function check(subject: Diff, before: unknown, after: unknown, appliers: readonly Apply[] = [byTheBook]): void {
  const texts = [JSON.stringify(before), JSON.stringify(after)];
  const patch = subject(before, after);
  expect([JSON.stringify(before), JSON.stringify(after)]).toEqual(texts);
  expect(JSON.stringify(subject(before, after))).toBe(JSON.stringify(patch));
  for (const apply of appliers) expect(textOf(apply(cloneOf(before), cloneOf(patch)))).toBe(textOf(after));
  expect(patch.length === 0).toBe(textOf(before) === textOf(after));
  expect(subject(after, cloneOf(after))).toEqual([]);
  for (const { op } of patch) expect(["add", "remove", "replace"]).toContain(op);
}

/** Refused or misread by the packages, as a defence against polluted prototypes. */
const REFUSED = ["__proto__", "constructor", "prototype"];

const key = fc.oneof(
  fc.constantFrom("", "/", "~", "~1", "~0", "~01", "a/b", "0", "-", "id", ...REFUSED),
  fc.constantFrom("a", "b"),
  fc.string({ maxLength: 3 }),
);

const { document } = fc.letrec<{ document: unknown }>((tie) => ({
  document: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.jsonValue({ maxDepth: 2 }),
    fc.array(tie("document"), { maxLength: 6 }),
    fc.array(fc.tuple(key, tie("document")), { maxLength: 6 }).map(Object.fromEntries),
  ),
}));

interface Edit {
  readonly steps: readonly number[];
  readonly does: "set" | "insert" | "remove" | "move";
  readonly key: string;
  readonly value: unknown;
}

/** A copy that shares with `value` whatever the edit leaves alone, as versions of a context do. */
function edited(value: unknown, edit: Edit): unknown {
  if (typeof value !== "object" || value === null) return edit.value;
  const [step = 0, ...steps] = edit.steps;
  const keys = Object.keys(value);
  const at = keys[step % keys.length];
  if (steps.length > 0 && at !== undefined) {
    const copy = Array.isArray(value) ? [...(value as unknown[])] : { ...value };
    setOwn(copy, at, edited(ownOf(value, at), { ...edit, steps }));
    return copy;
  }
  if (Array.isArray(value)) {
    const index = step % (value.length + 1);
    if (edit.does === "insert") return (value as unknown[]).toSpliced(index, 0, edit.value);
    const rest = (value as unknown[]).toSpliced(index, 1);
    if (edit.does === "set") rest.splice(index, 0, edit.value);
    if (edit.does === "move") rest.splice((step * 7) % (rest.length + 1), 0, ...value.slice(index, index + 1));
    return rest;
  }
  const entries = Object.entries(value).filter(([name]) => name !== at || edit.does === "insert");
  return Object.fromEntries(edit.does === "remove" ? entries : [...entries, [edit.key, edit.value]]);
}

const edit: fc.Arbitrary<Edit> = fc.record({
  steps: fc.array(fc.nat(9), { maxLength: 4 }),
  does: fc.constantFrom("set", "insert", "remove", "move"),
  key,
  value: document,
});

const withIds = fc.uniqueArray(fc.record({ id: fc.oneof(fc.nat(9), fc.constantFrom("", "1", "a")), v: fc.nat(2) }), {
  selector: ({ id }) => id,
  comparator: "SameValue",
  maxLength: 10,
});

type Pair = readonly [before: unknown, after: unknown];

function versionsOf(documents: fc.Arbitrary<unknown>): fc.Arbitrary<Pair> {
  return fc
    .tuple(documents, fc.array(edit, { maxLength: 4 }))
    .map(([first, edits]) => [first, edits.reduce(edited, first)]);
}

/** Unrelated documents, versions of one document, and lists of things with ids. */
const pair: fc.Arbitrary<Pair> = fc.oneof(
  fc.tuple(document, document),
  versionsOf(document),
  fc.tuple(withIds, withIds),
  versionsOf(withIds),
  fc.tuple(withIds, withIds, key).map(([before, after, name]): Pair => [{ [name]: [before] }, { [name]: [after] }]),
);

const acceptable = pair.filter((documents) => {
  const names = new Set<string>();
  JSON.stringify(documents, (name, value: unknown) => {
    names.add(name);
    return value;
  });
  return !REFUSED.some((name) => names.has(name));
});

const seed = process.env["FC_SEED"];
const runs = { numRuns: 1_000, ...(seed && { seed: Number(seed) }) };
/** Whoever waits for the result waits less; `.ci/run` takes more. */
const some = { ...runs, numRuns: Number(process.env["SHARED_CONTEXT_SEEDS"] ?? 200) };

function right(subject: Diff, pairs: fc.Arbitrary<Pair>, appliers?: readonly Apply[]): fc.IProperty<[Pair]> {
  return fc.property(pairs, ([before, after]) => check(subject, before, after, appliers));
}

/** Neither compares nor shows itself: whoever looks inside fails. */
function untouchable(): object {
  const fail = (): never => {
    throw new Error("a shared part was read");
  };
  return new Proxy({}, { get: fail, has: fail, ownKeys: fail, getPrototypeOf: fail, getOwnPropertyDescriptor: fail });
}

function skipsWhatIsShared(subject: Diff): void {
  const shared = untouchable();
  const before = { step: 1, shared, list: [shared, { deep: [shared, 1] }, shared], things: [{ id: 1, shared, v: 1 }] };
  const after = { step: 2, shared, list: [shared, { deep: [shared, 2] }, shared], things: [{ id: 1, shared, v: 2 }] };
  expect(subject(before, after).map(({ path }) => path)).toEqual(["/step", "/list/1/deep/1", "/things/0/v"]);
}

describe("a diff", () => {
  it("leads from one document to the other, whatever their keys", () => {
    fc.assert(right(diff, pair), some);
  });

  it("is applied by fast-json-patch and by rfc6902 with the same result", () => {
    fc.assert(right(diff, acceptable, everybody), some);
  });

  it("does not look into what both documents share", () => {
    skipsWhatIsShared(diff);
    const shared = untouchable();
    expect(diff(shared, shared)).toEqual([]);
  });

  it("takes the data of two snapshots, whatever their type", () => {
    interface Step {
      id: string;
      done?: boolean;
    }
    interface Plan {
      goal: string;
      steps: Step[];
    }
    const manager = new SharedContextManager<Plan>();
    const old = manager.create("plan", { goal: "ship", steps: [{ id: "a" }, { id: "b" }] });
    const [first, second] = old.data.steps;
    const next = manager.update("plan", { ...old.data, steps: [first!, { ...second!, done: true }] }, old);
    const patch: JsonPatchOperation[] = diff(old.data, next.data);
    expect(patch).toEqual([{ op: "add", path: "/steps/1/done", value: true }]);
  });

  it("holds parts of the later document, not copies", () => {
    const after = { added: {}, replaced: {}, list: [{}] };
    const values = diff({ replaced: 1, list: [] }, after).map((step) =>
      step.op === "remove" ? undefined : step.value,
    );
    expect(values).toHaveLength(3);
    expect(values[0]).toBe(after.replaced);
    expect(values[1]).toBe(after.list[0]);
    expect(values[2]).toBe(after.added);
  });

  it("takes undefined properties for absent", () => {
    expect(diff({ a: undefined }, {})).toEqual([]);
    expect(diff({}, { a: undefined })).toEqual([]);
    expect(diff([{ a: undefined }, 1], [{}, 1])).toEqual([]);
    expect(diff({ a: undefined, b: 1 }, { a: 1, b: undefined })).toEqual([
      { op: "remove", path: "/b" },
      { op: "add", path: "/a", value: 1 },
    ]);
  });

  it.each<[string, unknown, unknown]>([
    ["an object by an array", {}, []],
    ["an array by an object", [1], { 0: 1 }],
    ["an object by null", {}, null],
    ["a number by its text", 1, "1"],
  ])("replaces the whole document where the kind differs: %s", (_name, before, after) => {
    expect(diff(before, after)).toEqual([{ op: "replace", path: "", value: after }]);
  });

  it("knows own keys only, and __proto__ and constructor are keys", () => {
    const nasty = JSON.parse('{"__proto__":{"x":1},"constructor":{"prototype":1},"":1,"/":2,"~":3,"~1":4}') as Loose;
    expect(diff(nasty, {}).map(({ path }) => path)).toEqual(["/__proto__", "/constructor", "/", "/~1", "/~0", "/~01"]);
    expect(diff({}, nasty).map(({ op }) => op)).toEqual(Array.from({ length: 6 }, () => "add"));
    expect(diff(nasty, JSON.parse(JSON.stringify(nasty).replace('"x":1', '"x":2')))).toEqual([
      { op: "replace", path: "/__proto__/x", value: 2 },
    ]);
    check(diff, nasty, {});
    check(diff, {}, nasty);
  });

  it.each(["objects", "arrays"])("copes with 512 levels of %s", (kind) => {
    const nested = (leaf: unknown): unknown => {
      let value = leaf;
      for (let level = 0; level < 511; level++) value = kind === "arrays" ? [0, value, 0] : { down: value };
      return value;
    };
    const patch = diff(nested([1]), nested([2]));
    expect(patch).toHaveLength(1);
    expect(patch[0]?.path.split("/")).toHaveLength(513);
    check(diff, nested([1]), nested([2]));
  });

  it.each<[string, (value: unknown) => unknown, (value: unknown) => unknown]>([
    ["objects", (value) => ({ down: value }), (value) => ({ down: value })],
    ["arrays", (value) => [value], (value) => [value]],
    ["arrays that grow", (value) => [value], (value) => [value, 0]],
  ])("refuses 200,000 levels of %s, and does not look into what both share", (_kind, before, after) => {
    const nested = (leaf: unknown, around: (value: unknown) => unknown): unknown => {
      let value = leaf;
      for (let level = 0; level < 200_000; level++) value = around(value);
      return value;
    };
    const old = nested([1], before);
    for (const leaf of [1, 2]) {
      const { details } = refusal("INVALID", () => diff(old, nested([leaf], after)));
      expect(details).toMatchObject({ argument: "after", expected: "data of at most 512 levels" });
    }
    expect(diff({ old }, { old })).toEqual([]);
    expect(diff({ old }, { old: 1 })).toEqual([{ op: "replace", path: "/old", value: 1 }]);
  });
});

describe("a diff of arrays", () => {
  const ids = (...list: (string | number)[]): object[] => list.map((id) => ({ id, text: `about ${id}` }));

  it.each<[string, unknown[], unknown[], string[]]>([
    ["an insertion", [1, 2, 3], [1, 9, 2, 3], ["add /1"]],
    ["a removal", [1, 2, 3], [1, 3], ["remove /1"]],
    ["several removals, from the end", [1, 2, 3, 4], [1], ["remove /3", "remove /2", "remove /1"]],
    ["a change in place", [1, 2, 3], [1, 9, 3], ["replace /1"]],
    ["elements of another kind", [{}, 1], [[], 1], ["replace /0"]],
    ["repeated elements", [1, 1, 1], [1, 1], ["remove /2"]],
    ["a removal by id", ids("a", "b", "c", "d"), ids("a", "c", "d"), ["remove /1"]],
    ["two removals by id", ids("a", "b", "c", "d", "e"), ids("a", "c", "e"), ["remove /3", "remove /1"]],
    ["two insertions by id", ids("a", "c", "e"), ids("a", "b", "c", "d", "e"), ["add /1", "add /3"]],
    ["a move to the end", ids(1, 2, 3, 4), ids(2, 3, 4, 1), ["remove /0", "add /3"]],
    ["a move to the front", ids(1, 2, 3, 4), ids(4, 1, 2, 3), ["remove /3", "add /0"]],
    ["ids 1 and '1', one id to a path: by place", ids(1, "1", 2), ids("1", 1, 2), ["replace /0/id", "replace /1/id"]],
    [
      "a removal, a change and an insertion",
      [...ids(1, 2), { id: 3, v: 1 }],
      [...ids(2), { id: 3, v: 2 }, ...ids(4)],
      ["remove /0", "replace /1/v", "add /2"],
    ],
    ["ids that repeat: by place", ids(1, 1, 2), ids(2, 1), ["remove /2", "replace /0/id", "replace /0/text"]],
    [
      "ids of another type: by place",
      [{ id: null }, { id: true }],
      [{ id: true }, { id: null }],
      ["replace /0/id", "replace /1/id"],
    ],
  ])("is as short as can be: %s", (_name, before, after, expected) => {
    expect(diff(before, after).map(({ op, path }) => `${op} ${path}`)).toEqual(expected);
    check(diff, before, after, everybody);
  });

  it("moves as few elements as can be", () => {
    expect(diff(ids(1, 2, 3, 4, 5, 6, 7), ids(7, 2, 1, 3, 6, 4, 5))).toHaveLength(6);
  });

  it("takes a list of 20,000 that was turned around", () => {
    const list = ids(...Array.from({ length: 20_000 }, (_, index) => index));
    expect(diff(list, list.toReversed())).toHaveLength(2 * 19_999);
  });
});

describe("a wrong diff is caught", () => {
  const withPaths = (change: (path: string) => string): Diff => {
    return (before, after) => diff(before, after).map((step) => ({ ...step, path: change(step.path) }));
  };
  const mutants: Record<string, Diff> = {
    "removes from the front to the end": (before, after) => {
      const patch = diff(before, after);
      const removals = patch.filter(({ op }) => op === "remove");
      return patch.map((step) => (step.op === "remove" ? removals.pop()! : step));
    },
    "does not escape keys": withPaths((path) => path.replaceAll("~1", "/").replaceAll("~0", "~")),
    "escapes in the wrong order": withPaths((path) => path.replaceAll("~0", "~").replaceAll("~", "~0")),
    "forgets the last operation": (before, after) => diff(before, after).slice(0, -1),
    "replaces what is equal": (_before, after) => [{ op: "replace", path: "", value: after as string }],
    "inserts after the index": (before, after) =>
      diff(before, after).map((step) =>
        step.op === "add" ? { ...step, path: step.path.replace(/\d+$/, (index) => `${Number(index) + 1}`) } : step,
      ),
  };

  it.each(Object.entries(mutants))("which %s", (_name, mutant) => {
    expect(() => fc.assert(right(mutant, pair), runs)).toThrow(/Property failed/);
  });

  it("which reads what is shared", () => {
    const looking: Diff = (before, after) => [JSON.stringify(before)].flatMap(() => diff(before, after));
    expect(() => skipsWhatIsShared(looking)).toThrow("a shared part was read");
  });
});

interface Vector {
  readonly comment?: string;
  readonly doc: unknown;
  readonly patch: Patch;
  readonly expected?: unknown;
  readonly disabled?: boolean;
}

describe.each(["spec_tests", "tests"])("the public vectors in %s.json", (name) => {
  const all = vectorsOf("diff.test.ts", name) as readonly Vector[] | undefined;
  const vectors = (all ?? [])
    .map((vector, index) => ({
      ...vector,
      title: `${name} ${index}: ${vector.comment ?? JSON.stringify(vector.patch)}`,
    }))
    .filter((vector) => vector.disabled !== true && "expected" in vector);

  it.skipIf(all === undefined).each(Object.entries(libraries))("are answered as they should by %s", (_name, apply) => {
    expect(vectors.length).toBeGreaterThan(10);
    for (const { doc, patch, expected, title } of vectors) {
      expect(textOf(apply(cloneOf(doc), cloneOf(patch))), title).toBe(textOf(expected));
    }
  });

  it.skipIf(all === undefined)("hold for a diff from each document to the next", () => {
    expect(vectors.length).toBeGreaterThan(10);
    for (const { doc, expected } of vectors) {
      check(diff, doc, expected, everybody);
      check(diff, expected, doc, everybody);
    }
  });
});
