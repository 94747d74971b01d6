/**
 * How much a manager takes, and what: the options maxContexts, maxDataBytes and schema. A failure prints seed and
 * path; replay with FC_SEED.
 */

import fc from "fast-check";
import {
  type DataIssue,
  type JsonObject,
  type JsonValue,
  type SchemaOption,
  SharedContextManager,
  type SharedContextManagerOptions,
  type StandardSchema,
} from "shared-context-manager";
import * as v from "valibot";
import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { contentOf, refusal } from "./support.ts";

const seed = process.env["FC_SEED"];
const parameters = { numRuns: 500, ...(seed && { seed: Number(seed) }) };

function bytesOf(data: unknown): number {
  return Buffer.byteLength(JSON.stringify(data));
}

describe("maxContexts", () => {
  it("refuses one more with both numbers, and changes nothing", () => {
    const manager = new SharedContextManager({ maxContexts: 2 });
    manager.create("a", {});
    manager.create("b", {});
    const before = contentOf(manager);
    const { details, message, retryable } = refusal("LIMIT", () => manager.create("c", {}));
    expect(details).toEqual({ contextId: "c", contexts: 2, maxContexts: 2 });
    expect(message).toMatch(/the manager has 2 of at most 2; delete/);
    expect(retryable).toBe(false);
    refusal("LIMIT", () => manager.agent("ann").create("c", {}, { note: "one more" }));
    expect(contentOf(manager)).toBe(before);
    expect(manager.update("a", { n: 1 }, "1").version).toBe("2");
  });

  it("has room again after a deletion, and after clear()", () => {
    const manager = new SharedContextManager({ maxContexts: 1 });
    manager.create("a", {});
    manager.delete("a");
    manager.create("b", {});
    refusal("LIMIT", () => manager.create("a", {}));
    manager.agent("ann").delete("b");
    manager.create("c", {});
    manager.clear();
    expect(manager.create("d", {}).version).toBe("1");
  });

  it("comes after every other refusal", () => {
    const schema = z.object({ n: z.number() });
    const manager = new SharedContextManager({ maxContexts: 1, maxDataBytes: 20, schema });
    manager.create("a", { n: 1 });
    refusal("EXISTS", () => manager.create("a", { n: 1 }));
    refusal("INVALID", () => manager.create("b", { n: Number.NaN }));
    refusal("TOO_LARGE", () => manager.create("b", { n: "x".repeat(30) } as never));
    refusal("INVALID", () => manager.create("b", { n: "x" } as never));
    refusal("LIMIT", () => manager.create("b", { n: 1 }));
  });

  it("counts what was created while the data was read", () => {
    const manager = new SharedContextManager({ maxContexts: 1 });
    const data = {
      get n(): number {
        if (manager.size === 0) manager.create("inner", {});
        return 1;
      },
    };
    expect(refusal("LIMIT", () => manager.create("outer", data)).details.contexts).toBe(1);
    expect(manager.listContexts()).toEqual(["inner"]);
  });

  it("may be 0 or Infinity, and is no limit without it", () => {
    expect(refusal("LIMIT", () => new SharedContextManager({ maxContexts: 0 }).create("a", {})).details).toEqual({
      contextId: "a",
      contexts: 0,
      maxContexts: 0,
    });
    for (const options of [{}, { maxContexts: Infinity }]) {
      const manager = new SharedContextManager(options);
      for (let index = 0; index < 1_000; index++) manager.create(String(index), {});
      expect(manager.size).toBe(1_000);
    }
  });

  it("lets in what fromDict loads, and then nothing more", () => {
    const full = new SharedContextManager();
    for (const id of ["a", "b", "c"]) full.create(id, {});
    const manager = SharedContextManager.fromDict(full.toDict(), { maxContexts: 2 });
    expect(manager.size).toBe(3);
    expect(refusal("LIMIT", () => manager.create("d", {})).details).toMatchObject({ contexts: 3, maxContexts: 2 });
  });
});

describe("maxDataBytes", () => {
  const small = { text: "x".repeat(20) }; // 31 bytes
  const large = { text: "x".repeat(21) };

  function limited(): SharedContextManager {
    return new SharedContextManager({ maxDataBytes: bytesOf(small), historyLimit: 4 });
  }

  it("refuses larger data with both numbers in every way to write, and changes nothing", () => {
    const manager = limited();
    const ann = manager.agent("ann");
    const first = manager.create("a", small);
    const before = contentOf(manager);
    const tries: (() => unknown)[] = [
      () => manager.create("b", large),
      () => ann.create("b", large),
      () => manager.update("a", large, first),
      () => ann.update("a", large, first),
      () => ann.patch("a", large),
      () => ann.patch("a", [{ op: "set", path: "/text", value: large.text }], first),
      () => ann.merge(first, large),
      () => ann.modify("a", () => large),
      () => ann.modify("a", () => large, { merge: true }),
    ];
    for (const action of tries) {
      const { details, message, retryable } = refusal("TOO_LARGE", action);
      expect(details).toMatchObject({ bytes: bytesOf(large), maxDataBytes: bytesOf(small) });
      expect(message).toMatch(/takes 32 bytes of JSON, and at most 31 are allowed: split it/);
      expect(retryable).toBe(false);
    }
    expect(refusal("TOO_LARGE", () => manager.create("b", large)).details.contextId).toBe("b");
    expect(contentOf(manager)).toBe(before);
    expect(ann.patch("a", { text: null, b: "x" }).version).toBe("2");
    expect(ann.restore("a", "1").data).toEqual(small);
  });

  it("refuses what two edits come to that would fit alone", () => {
    const manager = limited();
    const [ann, bob] = [manager.agent("ann"), manager.agent("bob")];
    const first = manager.create("a", {});
    bob.patch("a", { bob: "x".repeat(15) });
    const before = contentOf(manager);
    expect(refusal("TOO_LARGE", () => ann.merge(first, { ann: "x".repeat(15) })).details.bytes).toBe(51 - 2);
    refusal("TOO_LARGE", () => ann.patch("a", { ann: "x".repeat(15) }, first));
    expect(contentOf(manager)).toBe(before);
  });

  /** Whatever JSON can hold, and what its text takes more or fewer bytes for than it has characters. */
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.string({
      unit: fc.constantFrom(
        '"',
        "\\",
        "/",
        "\b",
        "\n",
        "\u0000",
        "\u001F",
        "\u007F",
        "\u0080",
        "\u07FF",
        "\u0800",
        "\u2028",
        "\uD800",
        "\uDBFF",
        "\uDC00",
        "\uDFFF",
        "\uE000",
        "\uFFFF",
        "😀",
        "é",
      ),
    }),
  );
  const number = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.constantFrom(-0, 0, 1e20, 1e21, -1e21, 1e-6, 1e-7, 5e-324, Number.MAX_VALUE, 0.1 + 0.2),
  );
  const { json } = fc.letrec<{ json: JsonValue }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 4, depthSize: "small", withCrossShrink: true },
      fc.oneof(text, number, fc.boolean(), fc.constant(null)),
      fc.array(tie("json"), { maxLength: 4 }),
      fc.dictionary(text, tie("json"), { maxKeys: 4 }),
    ),
  }));
  const document = fc.dictionary(text, json, { maxKeys: 4 });

  it("counts what JSON.stringify writes, in UTF-8", () => {
    fc.assert(
      fc.property(document, (data) => {
        const bytes = bytesOf(data);
        expect(new SharedContextManager({ maxDataBytes: bytes }).create("x", data).version).toBe("1");
        const manager = new SharedContextManager({ maxDataBytes: bytes - 1 });
        expect(refusal("TOO_LARGE", () => manager.create("x", data)).details).toEqual({
          contextId: "x",
          bytes,
          maxDataBytes: bytes - 1,
        });
      }),
      parameters,
    );
  });

  it.each([0, 8])(
    "counts right whatever is shared with what was counted before, with %i versions kept",
    (historyLimit) => {
      const asks = (manager: SharedContextManager, action: () => unknown, expected: JsonObject): void => {
        expect(refusal("TOO_LARGE", action).details.bytes).toBe(bytesOf(expected));
        expect(manager.get("big")?.version).toBe("1");
      };
      fc.assert(
        fc.property(document, document, text, (a, b, key) => {
          // The one context that is there is as large as may be; everything beside it is larger.
          const fill = { a, b, fill: "x".repeat(2 * (bytesOf(a) + bytesOf(b))) };
          const manager = new SharedContextManager({ maxDataBytes: bytesOf(fill), historyLimit });
          const { data } = manager.create("big", fill);
          const ann = manager.agent("ann");
          const more = { ...data, again: data["fill"] ?? "", list: [data["a"] ?? {}, data["a"] ?? {}, b] };
          asks(manager, () => manager.update("big", more, "1"), more);
          const both = [data["a"], data["b"]] as JsonValue[];
          const step = { op: "set" as const, path: "/more", value: { both, [key]: both } };
          asks(manager, () => ann.patch("big", [step]), { ...data, more: step.value });
          asks(manager, () => ann.patch("big", { more: both }), { ...data, more: both });
          asks(manager, () => manager.create("other", { ...data, [`${key}!`]: 1 }), { ...data, [`${key}!`]: 1 });
        }),
        { ...parameters, numRuns: 200 },
      );
    },
  );

  it("leaves out what JSON leaves out", () => {
    const data = { gone: undefined, [Symbol("s")]: 1, list: [], inner: { gone: undefined, kept: {} } };
    expect(bytesOf(data)).toBe(31);
    expect(new SharedContextManager({ maxDataBytes: 31 }).create("x", data as never).version).toBe("1");
    refusal("TOO_LARGE", () => new SharedContextManager({ maxDataBytes: 30 }).create("x", data as never));
  });

  it("lets {} through at 2 and nothing at 0, and does not look at what fromDict loads", () => {
    expect(new SharedContextManager({ maxDataBytes: 2 }).create("x", {}).version).toBe("1");
    const nothing = new SharedContextManager({ maxDataBytes: 0 });
    expect(refusal("TOO_LARGE", () => nothing.create("x", {})).details).toMatchObject({ bytes: 2, maxDataBytes: 0 });
    const full = new SharedContextManager();
    full.create("x", { text: "x".repeat(100) });
    const manager = SharedContextManager.fromDict(full.toDict(), { maxDataBytes: 20 });
    expect(manager.get("x")?.data["text"]).toHaveLength(100);
    refusal("TOO_LARGE", () => manager.agent("ann").patch("x", { n: 1 }));
    expect(manager.agent("ann").patch("x", { text: null, n: 1 }).data).toEqual({ n: 1 });
  });

  it("is not asked where nothing changes", () => {
    const full = new SharedContextManager();
    full.create("x", large);
    const manager = SharedContextManager.fromDict(full.toDict(), { maxDataBytes: 20 });
    expect(manager.agent("ann").patch("x", large).version).toBe("1");
  });
});

describe("the options of a manager", () => {
  const any: StandardSchema<JsonObject> = {
    "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: value as JsonObject }) },
  };

  it.each<[string, unknown, string]>([
    ...["maxContexts", "maxDataBytes"].flatMap((option) =>
      [-1, 1.5, Number.NaN, -Infinity, "3", null].map((value): [string, unknown, string] => [
        `${option} ${String(value)}`,
        { [option]: value },
        `/${option}`,
      ]),
    ),
    ["a limit of bytes on shallow data", { isolation: "shallow", maxDataBytes: 100 }, "/maxDataBytes"],
    ["a limit of no bytes on shallow data", { isolation: "shallow", maxDataBytes: 0 }, "/maxDataBytes"],
    ["a schema that is none", { schema: { parse: () => 1 } }, "/schema"],
    ["a schema without validate", { schema: { "~standard": { version: 1 } } }, "/schema"],
    ["null for a schema", { schema: null }, "/schema"],
    ["a text for a schema", { schema: "plan" }, "/schema"],
  ])("refuse %s", (_name, options, path) => {
    const build = (): unknown => new SharedContextManager(options as SharedContextManagerOptions);
    expect(refusal("INVALID", build).details).toMatchObject({ argument: "options", path });
    const load = (): unknown => SharedContextManager.fromDict({}, options as SharedContextManagerOptions);
    expect(refusal("INVALID", load).details).toMatchObject({ argument: "options", path });
  });

  it.each<[string, SharedContextManagerOptions]>([
    ["any number of contexts on shallow data", { isolation: "shallow", maxContexts: 1 }],
    ["no limit of bytes on shallow data", { isolation: "shallow", maxDataBytes: Infinity }],
    ["a schema on shallow data", { isolation: "shallow", schema: any }],
    [
      "undefined for what is not wanted",
      { maxContexts: undefined, maxDataBytes: undefined, schema: undefined } as never,
    ],
    ["a schema that is a function, as ArkType's are", { schema: Object.assign(() => expect.fail("called"), any) }],
  ])("take %s", (_name, options) => {
    expect(new SharedContextManager(options).create("x", { n: 1 }).data).toEqual({ n: 1 });
  });
});

interface Task {
  readonly id: number;
  readonly owner: string | null;
}

interface Plan {
  readonly title: string;
  readonly "budget/EUR": number;
  readonly tasks: readonly Task[];
}

const zodPlan = z.object({
  title: z.string().min(3, "too short"),
  "budget/EUR": z.number().nonnegative("less than nothing"),
  tasks: z.array(z.object({ id: z.number(), owner: z.string().nullable() })),
});

const valibotPlan = v.object({
  title: v.pipe(v.string(), v.minLength(3, "too short")),
  "budget/EUR": v.pipe(v.number(), v.minValue(0, "less than nothing")),
  tasks: v.array(v.object({ id: v.number(), owner: v.nullable(v.string()) })),
});

const PLAN: Plan = { title: "ship", "budget/EUR": 10, tasks: [{ id: 1, owner: null }] };

describe.each<[string, StandardSchema<Plan>]>([
  ["zod", zodPlan],
  ["valibot", valibotPlan],
])("a schema of %s", (_name, schema) => {
  it("lets through what it accepts, in every way to write", () => {
    const manager = new SharedContextManager({ schema });
    const ann = manager.agent("ann");
    const first = manager.create("plan", PLAN);
    expect(first.data).toEqual(PLAN);
    const second = manager.update("plan", { ...PLAN, title: "launch" }, first);
    ann.patch("plan", [{ op: "set", path: "/tasks/id=1/owner", value: "ann" }]);
    ann.merge(second, { ...second.data, "budget/EUR": 20 });
    expect(ann.modify("plan", ({ data }) => ({ ...data, title: "done" })).data).toEqual({
      title: "done",
      "budget/EUR": 20,
      tasks: [{ id: 1, owner: "ann" }],
    });
    expectTypeOf(first.data.tasks[0]!.owner).toEqualTypeOf<string | null>();
  });

  it("refuses what it does not accept with every issue and its path, and changes nothing", () => {
    const manager = new SharedContextManager({ schema, historyLimit: 2 });
    const ann = manager.agent("ann");
    const first = manager.create("plan", PLAN);
    const before = contentOf(manager);
    const bad = { title: "x", "budget/EUR": -1, tasks: [{ id: 1, owner: 7 }] } as never;
    const tries: [string, () => unknown][] = [
      ["initialData", () => manager.create("other", bad)],
      ["data", () => manager.update("plan", bad, first)],
      ["data", () => ann.patch("plan", bad)],
      ["data", () => ann.merge(first, bad)],
      ["data", () => ann.modify("plan", () => bad)],
    ];
    for (const [argument, action] of tries) {
      const { details, message } = refusal("INVALID", action);
      expect(details).toMatchObject({ argument, path: "/title" });
      const issues: readonly DataIssue[] = details.issues ?? [];
      expect(issues.map(({ path }) => path)).toEqual(["/title", "/budget~1EUR", "/tasks/0/owner"]);
      expect(issues.map(({ message }) => message).slice(0, 2)).toEqual(["too short", "less than nothing"]);
      expect(issues[2]?.message).toMatch(/string/i);
      expect(message).toMatch(/at "\/title": expected .*; received .*too short \(and 2 more\)/);
    }
    const one = refusal("INVALID", () => ann.patch("plan", { title: "x" }));
    expect(one.details.issues).toEqual([{ path: "/title", message: "too short" }]);
    expect(one.message).toMatch(/too short$/);
    expect(contentOf(manager)).toBe(before);
  });
});

describe("a schema", () => {
  /** A Standard Schema of a few lines. */
  function schemaOf<Output extends object = JsonObject>(
    validate: (value: JsonObject) => unknown,
  ): StandardSchema<Output> {
    const run = validate as StandardSchema<Output>["~standard"]["validate"];
    return { "~standard": { version: 1, vendor: "test", validate: run } };
  }

  it("gives a manager the type of its data", () => {
    const manager = new SharedContextManager({ schema: z.object({ step: z.number(), owner: z.string().optional() }) });
    expectTypeOf(manager.create("x", { step: 1 }).data.step).toEqualTypeOf<number>();
    const other = new SharedContextManager({ schema: v.object({ step: v.number() }) });
    expectTypeOf(other.create("x", { step: 1 }).data.step).toEqualTypeOf<number>();
    expect([manager.size, other.size]).toEqual([1, 1]);
  });

  it.each<[string, StandardSchema<{ step: number; owner: string }>]>([
    ["zod", z.object({ step: z.number().default(1), owner: z.string().trim().toLowerCase().default("nobody") })],
    [
      "valibot",
      v.object({
        step: v.optional(v.number(), 1),
        owner: v.optional(v.pipe(v.string(), v.trim(), v.toLowerCase()), "nobody"),
      }),
    ],
  ])("of %s has its output stored: defaults, transforms, and no keys that it does not know", (_name, schema) => {
    const manager = new SharedContextManager({ schema });
    const first = manager.create("x", {} as never);
    expect(first.data).toEqual({ step: 1, owner: "nobody" });
    const second = manager.update("x", { owner: " ANN ", other: 1 } as never, first);
    expect(second.data).toEqual({ step: 1, owner: "ann" });
    const third = manager.agent("bob").patch("x", { owner: " Bob " }, second);
    expect(third.data).toEqual({ step: 1, owner: "bob" });
    expect(manager.agent("cyd").merge(second, { ...second.data, step: 2 }).data).toEqual({ step: 2, owner: "bob" });
    expect(Object.isFrozen(manager.get("x")?.data)).toBe(true);
  });

  it("has its output copied: what it keeps of it reaches nobody", () => {
    const kept: { list: number[] }[] = [];
    const schema = schemaOf<{ list: number[] }>(() => {
      kept.push({ list: [1] });
      return { value: kept.at(-1) };
    });
    const manager = new SharedContextManager({ schema });
    manager.create("x", { list: [] });
    const before = contentOf(manager);
    kept[0]?.list.push(2);
    kept[0]!.list = [];
    expect(contentOf(manager)).toBe(before);
    expect(manager.get("x")?.data).toEqual({ list: [1] });
  });

  it("gets no part of the store or of the caller's data that it could change below", () => {
    const schema = schemaOf((value) => {
      expect(Object.isFrozen(value["list"])).toBe(true);
      return { value };
    });
    const data = { list: [1] };
    expect(new SharedContextManager({ schema }).create("x", data).data).toEqual(data);
    expect(Object.isFrozen(data.list)).toBe(false);
  });

  it("may be a function of the id: a schema, or undefined for any data", () => {
    const asked: string[] = [];
    const schema: SchemaOption<JsonObject> = (contextId) => {
      asked.push(contextId);
      return contextId.startsWith("plan:") ? z.object({ step: z.number() }) : undefined;
    };
    const manager = new SharedContextManager({ schema });
    manager.create("note:1", { anything: [1] });
    manager.create("plan:1", { step: 1 });
    expect(refusal("INVALID", () => manager.create("plan:2", { step: "1" })).details.path).toBe("/step");
    refusal("INVALID", () => manager.agent("ann").patch("plan:1", { step: "1" }));
    manager.agent("ann").patch("note:1", { step: "1" });
    expect(asked).toEqual(["note:1", "plan:1", "plan:2", "plan:1", "note:1"]);
  });

  it.each([null, 1, {}, "plan"])("of an id that turns out to be %j is INVALID", (wrong) => {
    const manager = new SharedContextManager({ schema: () => wrong as never });
    const { details } = refusal("INVALID", () => manager.create("x", {}));
    expect(details.argument).toBe("schema");
    expect(details.expected).toContain('"x"');
    expect(manager.size).toBe(0);
  });

  it.each<[string, StandardSchema<{ n: number }>]>([
    ["zod", z.object({ n: z.number() }).refine(async () => Promise.resolve(true))],
    [
      "valibot",
      v.pipeAsync(
        v.objectAsync({ n: v.number() }),
        v.checkAsync(async () => Promise.resolve(true)),
      ),
    ],
    ["anybody", schemaOf(async () => Promise.reject(new Error("nobody hears this")))],
  ])("of %s that is asynchronous is INVALID, and nobody hears of its promise", async (_name, schema) => {
    const unheard: unknown[] = [];
    const hear = (reason: unknown): void => void unheard.push(reason);
    process.on("unhandledRejection", hear);
    const manager = new SharedContextManager({ schema });
    const { details } = refusal("INVALID", () => manager.create("x", { n: 1 }));
    expect(details).toMatchObject({ argument: "schema", path: "" });
    expect(details.expected).toContain("at once");
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    process.off("unhandledRejection", hear);
    expect(unheard).toEqual([]);
    expect(manager.size).toBe(0);
  });

  it("that throws stops the write with what it throws, and changes nothing", () => {
    const broken = new Error("broken");
    let isBroken = false;
    const schema: SchemaOption<JsonObject> = (contextId) => {
      if (isBroken && contextId === "function") throw broken;
      return schemaOf((value) => {
        if (isBroken) throw broken;
        return { value };
      });
    };
    const manager = new SharedContextManager({ schema });
    const ann = manager.agent("ann");
    for (const id of ["function", "schema"]) manager.create(id, { n: 1 });
    isBroken = true;
    const before = contentOf(manager);
    for (const id of ["function", "schema"]) {
      const first = manager.get(id)!;
      expect(() => manager.update(id, { n: 2 }, first)).toThrow(broken);
      expect(() => ann.patch(id, { n: 2 })).toThrow(broken);
      expect(() => ann.merge(first, { n: 2 })).toThrow(broken);
      expect(() => manager.create(`${id} too`, {})).toThrow(broken);
    }
    expect(contentOf(manager)).toBe(before);
    isBroken = false;
    expect(ann.patch("schema", { n: 2 }).version).toBe("2");
  });

  it("that writes to the context itself does not hide that from the write", () => {
    let writes = 0;
    const schema = schemaOf((value) => {
      if (value["n"] === 2 && writes++ === 0) manager.agent("bob").patch("x", { bob: Number(value["bob"] ?? 0) + 1 });
      return { value };
    });
    const manager: SharedContextManager = new SharedContextManager({ schema });
    const first = manager.create("x", { n: 1 });
    expect(refusal("CONFLICT", () => manager.update("x", { n: 2 }, first)).details.version).toBe("2");
    writes = 0;
    expect(manager.agent("ann").patch("x", { n: 2 }, manager.get("x")).data).toEqual({ n: 2, bob: 2 });
  });

  it("sees what a merge comes to: two edits that it accepts, and does not accept together", () => {
    const schema = z.object({ a: z.number(), b: z.number() }).refine(({ a, b }) => a + b <= 10, "more than 10");
    const manager = new SharedContextManager({ schema });
    const [ann, bob] = [manager.agent("ann"), manager.agent("bob")];
    const first = manager.create("x", { a: 1, b: 1 });
    bob.merge(first, { a: 9, b: 1 });
    const before = contentOf(manager);
    const tries = [
      () => ann.merge(first, { a: 1, b: 9 }),
      () => ann.patch("x", { b: 9 }, first),
      () => ann.patch("x", [{ op: "increment", path: "/b", value: 8 }], first),
    ];
    for (const action of tries) {
      const { details } = refusal("INVALID", action);
      expect(details).toMatchObject({ argument: "data", path: "" });
      expect(details.issues).toEqual([{ path: "", message: "more than 10" }]);
    }
    expect(contentOf(manager)).toBe(before);
    expect(ann.patch("x", { a: 1, b: 9 }).data).toEqual({ a: 1, b: 9 });
  });

  it("comes after INVALID and TOO_LARGE, and what it puts out is held against both again", () => {
    let asked = 0;
    const schema = schemaOf<Record<string, unknown>>(({ become }) => {
      asked += 1;
      if (become === "large") return { value: { text: "x".repeat(100) } };
      if (become === "a date") return { value: { at: new Date(0) } };
      if (become === "an array") return { value: [1] };
      return become === "nothing" ? { value: undefined } : { issues: [{ message: "no" }] };
    });
    const manager = new SharedContextManager<Record<string, unknown>>({ schema, maxDataBytes: 40 });
    expect(refusal("INVALID", () => manager.create("x", { at: new Date(0), text: "x".repeat(100) })).details.path).toBe(
      "/at",
    );
    expect(refusal("TOO_LARGE", () => manager.create("x", { text: "x".repeat(100) })).details.bytes).toBe(111);
    expect(asked).toBe(0);
    expect(refusal("INVALID", () => manager.create("x", {})).details.issues).toEqual([{ path: "", message: "no" }]);
    expect(asked).toBe(1);
    expect(refusal("TOO_LARGE", () => manager.create("x", { become: "large" })).details.bytes).toBe(111);
    expect(refusal("INVALID", () => manager.create("x", { become: "a date" })).details.path).toBe("/at");
    for (const become of ["an array", "nothing"]) {
      const { details } = refusal("INVALID", () => manager.create("x", { become }));
      expect(details).toMatchObject({ argument: "schema", expected: "a schema whose output is a plain object" });
    }
    expect(manager.size).toBe(0);
  });

  it("comes after every refusal that the data has no part in, and is not asked where nothing changes", () => {
    let asked = 0;
    const schema = schemaOf((value) => {
      asked += 1;
      return { value };
    });
    const manager = new SharedContextManager({ schema });
    const ann = manager.agent("ann");
    manager.create("x", { n: 1 });
    manager.lock("x", "bob");
    refusal("EXISTS", () => manager.create("x", {}));
    refusal("NOT_FOUND", () => ann.patch("nothing", {}));
    refusal("LOCKED", () => ann.patch("x", { n: 2 }));
    manager.unlock("x", "bob");
    refusal("CONFLICT", () => ann.update("x", { n: 2 }, "7"));
    refusal("CONFLICT", () => ann.patch("x", { n: 2 }, "7"));
    ann.patch("x", { n: 1 });
    expect(asked).toBe(1);
  });

  it("does not see again what fromDict loads, nor what restore brings back", () => {
    let isStrict = false;
    const schema = schemaOf((value) => (isStrict ? { issues: [{ message: "no" }] } : { value }));
    const full = new SharedContextManager({ schema, historyLimit: 4 });
    full.create("x", { n: 1 });
    full.update("x", { n: 2 }, "1");
    isStrict = true;
    const manager = SharedContextManager.fromDict(full.toDict(), { schema });
    expect(manager.get("x")?.data).toEqual({ n: 2 });
    refusal("INVALID", () => manager.agent("ann").patch("x", { n: 3 }));
    expect(full.agent("ann").restore("x", "1").data).toEqual({ n: 1 });
  });

  it.each([undefined, null, true, "fine", {}, { issues: "no" }])("that answers %j is INVALID", (answer) => {
    const manager = new SharedContextManager({ schema: schemaOf(() => answer) });
    const { details } = refusal("INVALID", () => manager.create("x", { n: 1 }));
    expect(details).toMatchObject({ argument: "schema", path: "" });
    expect(details.expected).toContain("{ value } or { issues }");
    expect(manager.size).toBe(0);
  });

  it("may speak of keys in any of the ways of Standard Schema", () => {
    const path = ["a/b", 0, { key: "m~n" }, { key: 1 }, Symbol("s")];
    const schema = schemaOf(() => ({
      issues: [
        { message: "no", path },
        { message: "nor that", path: undefined },
      ],
    }));
    const { details } = refusal("INVALID", () => new SharedContextManager({ schema }).create("x", {}));
    expect(details.issues).toEqual([
      { path: "/a~1b/0/m~0n/1/Symbol(s)", message: "no" },
      { path: "", message: "nor that" },
    ]);
    const silent = new SharedContextManager({ schema: schemaOf(() => ({ issues: [] })) });
    expect(refusal("INVALID", () => silent.create("x", {})).details).toMatchObject({ path: "", issues: [] });
  });
});
