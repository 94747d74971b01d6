/**
 * What a patch leaves is kept as it is, without another copy, and what is known of a list goes over to the list that takes
 * its place. Held against the plain way, which copies everything and remembers nothing. A failure prints seed and path;
 * replay with FC_SEED.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Admission, admission } from "../src/admission.ts";
import { copyDeep, DEEP, DEEP_AND_SHARING, type Isolation, SHALLOW } from "../src/data.ts";
import type { Edited, Version } from "../src/edited.ts";
import { placeOfId } from "../src/elements.ts";
import { isEqual } from "../src/equal.ts";
import { KnownLists } from "../src/known-lists.ts";
import { applyEdit, type PatchOperation } from "../src/patch.ts";
import { readPatch } from "../src/patch-argument.ts";
import type { Rejection } from "../src/rejection.ts";

type Fields = Record<string, unknown>;

const seed = process.env["FC_SEED"];
const runs = { numRuns: 1_000, ...(seed && { seed: Number(seed) }) };

/** Few ids, so that they meet: some that only look alike, some that are none. */
const id = fc.constantFrom<unknown>(1, 2, 3, "1", "2", "01", "a", "a/b", null, 1.5, "__proto__");
const scalar = fc.constantFrom<unknown>(0, 1, "x", null, true);
const element: fc.Arbitrary<unknown> = fc.oneof(
  { arbitrary: fc.record({ id, v: scalar, n: fc.nat(3), tags: fc.array(scalar, { maxLength: 2 }) }), weight: 6 },
  { arbitrary: fc.record({ id, sub: fc.array(fc.record({ id, n: fc.nat(3) }), { maxLength: 3 }) }), weight: 3 },
  { arbitrary: fc.record({ v: scalar }), weight: 1 },
  { arbitrary: fc.oneof(scalar, fc.array(scalar, { maxLength: 2 })), weight: 1 },
);
const list = fc.array(element, { maxLength: 6 });
const document = fc.record({ list, plan: fc.record({ list, n: fc.nat(3) }) });

const token = fc.oneof(
  { arbitrary: id.map((one) => `id=${String(one).replaceAll("/", "~1")}`), weight: 5 },
  { arbitrary: fc.nat(5).map(String), weight: 1 },
);
const place = fc.oneof(
  fc.tuple(fc.constantFrom("list", "plan/list"), token).map(([at, one]) => `/${at}/${one}`),
  fc.tuple(token, token).map(([one, other]) => `/list/${one}/sub/${other}`),
);
const field = fc.constantFrom("v", "n", "id", "tags", "more");
const path = fc.oneof(
  { arbitrary: fc.tuple(place, field).map((parts) => parts.join("/")), weight: 6 },
  { arbitrary: place, weight: 2 },
  { arbitrary: fc.constantFrom("/list", "/plan/list", "/plan/n", "/plan", ""), weight: 1 },
);
const value = fc.oneof(
  { arbitrary: scalar, weight: 2 },
  { arbitrary: id, weight: 2 },
  { arbitrary: element, weight: 2 },
  { arbitrary: list, weight: 1 },
);
const operation = fc.oneof(
  { arbitrary: fc.record({ op: fc.constant("set"), path, value }), weight: 5 },
  { arbitrary: fc.record({ op: fc.constant("remove"), path }), weight: 1 },
  {
    arbitrary: fc.record({
      op: fc.constant("append"),
      path: fc.oneof(fc.constantFrom("/list", "/plan/list"), path),
      value: element,
    }),
    weight: 2,
  },
  { arbitrary: fc.record({ op: fc.constant("increment"), path, value: fc.constantFrom(0, 1, -1) }), weight: 1 },
  { arbitrary: fc.record({ op: fc.constant("test"), path, value: scalar }), weight: 1 },
) as fc.Arbitrary<PatchOperation>;

/** Patches one after the other. What one leaves may be lost, as when it is refused after all: then the next begins where it did. */
const patches = fc.array(
  fc.record({ operations: fc.array(operation, { minLength: 1, maxLength: 3 }), isLost: fc.boolean() }),
  { maxLength: 6 },
);

function versionOf(data: object): Version {
  return { version: "1", data, chains: undefined };
}

/** What two ways have come to, without what only says how. */
function outcomeOf(edited: Edited): unknown {
  return "data" in edited ? { data: edited.data } : edited;
}

function isFrozen(part: unknown): boolean {
  return typeof part !== "object" || part === null || (Object.isFrozen(part) && Object.values(part).every(isFrozen));
}

/** What is done with each patch on each way: the whole data that is left, or why there is none. */
type Admit = (edited: { readonly data: object }, previous: object) => object | Rejection;

function admitting({ admit }: Admission): Admit {
  return (edited, previous) => admit("a", "data", edited, previous);
}

interface Subject {
  readonly keeping: Pick<Admission, "copyPart" | "lists">;
  readonly admit: Admit;
}

function subjectOf(isolation: Isolation, lists = new KnownLists(0, 1)): Subject {
  const { copyPart, ...rest } = admission(isolation);
  return { keeping: { copyPart, lists }, admit: admitting({ copyPart, ...rest }) };
}

const keptAsIs = (open: () => Subject): fc.IProperty<unknown> =>
  fc.property(document, patches, (begin, all) => {
    const { keeping, admit } = open();
    let present = copyDeep(begin) as object;
    for (const { operations, isLost } of all) {
      const edit = readPatch(operations, copyDeep);
      const text = JSON.stringify(present);
      const edited = applyEdit(edit, versionOf(present), versionOf(present), keeping);
      const plain = applyEdit(edit, versionOf(present), versionOf(present));
      expect(outcomeOf(edited)).toEqual(outcomeOf(plain));
      if (!("data" in edited && "data" in plain)) continue;
      if (edited.differs === true) expect(isEqual(edited.data, present)).toBe(false);
      if (isEqual(plain.data, present)) continue;
      const next = admit(edited, present) as Fields;
      expect(next).toEqual(copyDeep(plain.data));
      expect(Object.values(next).every(isFrozen)).toBe(true);
      expect(JSON.stringify(present)).toBe(text);
      if (!isLost) present = next;
    }
  });

class KnowsTheFirst extends KnownLists {
  override placeOfId(elements: readonly unknown[], id: string): number | undefined {
    return super.placeOfId(elements, id) ?? placeOfId(elements.slice(0, 2), id);
  }
}

class NeverForgets extends KnownLists {
  override forget(): void {
    // The ids may have changed.
  }
}

class HearsOfNothingNew extends KnownLists {
  override append(): void {
    // There may be one more id.
  }
}

/** What one list is told, the other one knows too. */
class SharesWhatItKnows extends KnownLists {
  readonly #heirs = new Map<readonly unknown[], readonly unknown[]>();

  override succeed(elements: readonly unknown[], successor: readonly unknown[]): void {
    this.#heirs.set(elements, successor);
    super.succeed(elements, successor);
  }

  override placeOfId(elements: readonly unknown[], id: string): number | undefined {
    const heir = this.#heirs.get(elements);
    return heir === undefined ? super.placeOfId(elements, id) : this.placeOfId(heir, id);
  }
}

const mutants: Record<string, () => Subject> = {
  "does not forget a list whose ids change": () => subjectOf(DEEP, new NeverForgets(0, 1)),
  "does not learn what was appended": () => subjectOf(DEEP, new HearsOfNothingNew(0, 1)),
  "takes the first of two with the same id": () => subjectOf(DEEP, new KnowsTheFirst(0, 1)),
  "knows of a list what became of it later": () => subjectOf(DEEP, new SharesWhatItKnows(0, 1)),
  "leaves what it has made as it is": () => ({ ...subjectOf(DEEP), admit: ({ data }) => data }),
  "freezes nothing but what it was given": () => subjectOf({ ...DEEP, isDeep: false }),
};

describe("what a patch leaves", () => {
  it.each<[string, Isolation]>([
    ["deep", DEEP],
    ["deep, with versions kept", DEEP_AND_SHARING],
  ])("is what a copy of it would be, and known as it would be looked through: %s", (_name, isolation) => {
    fc.assert(
      keptAsIs(() => subjectOf(isolation)),
      runs,
    );
  });

  it.each(Object.keys(mutants))("would be caught if it %s", (name) => {
    expect(() => fc.assert(keptAsIs(mutants[name]!), runs)).toThrow(/Property failed/);
  });

  it("is tried with patches that are done, often", () => {
    const samples = fc.sample(fc.tuple(document, patches), runs);
    let done = 0;
    for (const [begin, all] of samples) {
      for (const { operations } of all) {
        const base = versionOf(copyDeep(begin) as object);
        const edited = applyEdit(readPatch(operations, copyDeep), base, base);
        if ("data" in edited && !isEqual(edited.data, base.data)) done += 1;
      }
    }
    expect(done).toBeGreaterThan(300);
  });

  it("holds what it was given where the isolation is shallow", () => {
    const { copyPart, lists, admit } = admission(SHALLOW);
    const given = { at: new Date(0) };
    const before = { tasks: [{ id: 1 }], plan: { step: 1 } };
    const steps = [
      { op: "set", path: ["plan", "draft"], value: given },
      { op: "append", path: ["tasks"], value: given },
    ] as const;
    const edited = applyEdit({ kind: "steps", steps }, versionOf(before), versionOf(before), { copyPart, lists });
    const data = "data" in edited && admit("a", "data", edited, before);
    expect(data).toEqual({ tasks: [{ id: 1 }, given], plan: { step: 1, draft: given } });
    expect((data as { plan: { draft: unknown } }).plan.draft).toBe(given);
    for (const part of [data, ...Object.values(data)]) expect(Object.isFrozen(part)).toBe(false);
    expect(before).toEqual({ tasks: [{ id: 1 }], plan: { step: 1 } });
    expect(lists).toBeUndefined();
  });
});

describe("a list", () => {
  it("is looked through a few times before its places are kept, and then no more", () => {
    const looked: string[] = [];
    const elements = Array.from({ length: 20 }, (_, index) =>
      Object.defineProperty({}, "id", {
        get: () => {
          if (index === 0) looked.push("look");
          return index;
        },
        enumerable: true,
      }),
    );
    const lists = new KnownLists();
    for (let time = 0; time < 8; time++) expect(lists.placeOfId(elements, "7")).toBe(7);
    const before = looked.length;
    for (let time = 0; time < 8; time++) expect(lists.placeOfId(elements, String(time))).toBe(time);
    expect(before).toBeGreaterThan(7);
    expect(looked.length).toBe(before);
  });
});
