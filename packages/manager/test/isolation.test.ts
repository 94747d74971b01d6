/** Law 1: snapshots are values. */

import fc from "fast-check";
import { SharedContextManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { contentOf, refusal } from "./support.ts";

type Loose = Record<PropertyKey, unknown>;

type Shared = SharedContextManager<Loose>;

function managerOf(data: object): Shared {
  const manager = new SharedContextManager<Loose>();
  manager.create("a", data as Loose);
  return manager;
}

/** What an agent might do to an object it was given, or gave away; what the object refuses is its own business. */
function vandalise(value: unknown, seen = new Set<unknown>()): void {
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  const target = value as Loose;
  for (const key of Reflect.ownKeys(target)) vandalise(Reflect.get(target, key), seen);
  if (Array.isArray(value) && !Object.isFrozen(value)) value.reverse().length = 0;
  for (const key of [...Reflect.ownKeys(target), "0", "added", "__proto__", "version", "data", "contextId"]) {
    if (key === "length") continue;
    Reflect.set(target, key, "vandalised");
    Reflect.defineProperty(target, key, { value: "vandalised", configurable: true });
    Reflect.deleteProperty(target, key);
  }
  Reflect.setPrototypeOf(target, { version: "vandalised", data: "vandalised" });
}

describe("what goes in", () => {
  it.each(["create", "update"] as const)("is copied by %s, nested parts too", (method) => {
    const manager = managerOf({});
    const data = { list: [{ id: 1 }], nested: { deep: { value: 1 } } };
    if (method === "create") manager.create("b", data);
    else manager.update("a", data, "1");
    const stored = contentOf(manager);
    data.list.push({ id: 2 });
    data.nested.deep.value = 2;
    expect(contentOf(manager)).toBe(stored);
  });

  it("is neither frozen nor changed", () => {
    const inner = { value: 1 };
    const data = { inner, list: [inner], gone: undefined };
    managerOf(data);
    expect(Object.isFrozen(data) || Object.isFrozen(inner) || Object.isFrozen(data.list)).toBe(false);
    expect(Reflect.ownKeys(inner)).toEqual(["value"]);
    expect(data).toEqual({ inner: { value: 1 }, list: [{ value: 1 }], gone: undefined });
  });

  it("is copied although it is frozen: what hangs below may not be", () => {
    const child = { value: 1 };
    const manager = managerOf(Object.freeze({ middle: Object.freeze({ child }) }));
    child.value = 2;
    expect(manager.get("a")?.data).toEqual({ middle: { child: { value: 1 } } });
  });

  it("may have any id and any key: __proto__, constructor, the empty string", () => {
    const manager = new SharedContextManager<Loose>();
    for (const id of ["__proto__", "constructor", "toString", "", "\0", "\ud800", "a/b"]) {
      expect(manager.get(id)).toBeUndefined();
      manager.create(id, { id });
      expect(manager.get(id)?.data).toEqual({ id });
    }
    const text =
      '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"":1,"list":[{"__proto__":{"x":[1]}}]}';
    manager.create("keys", JSON.parse(text) as Loose);
    expect(JSON.stringify(manager.get("keys")?.data)).toBe(text);
    expect(Object.getPrototypeOf(manager.get("keys")?.data)).toBe(Object.prototype);
    expect(manager.get("keys")?.data["polluted"]).toBeUndefined();
    expect(({} as Loose)["polluted"]).toBeUndefined();
  });

  it("may have no prototype, or the one of another realm", async () => {
    const { runInNewContext } = await import("node:vm");
    const bare = Object.assign(Object.create(null) as Loose, {
      nested: Object.assign(Object.create(null) as Loose, { x: 1 }),
    });
    const foreign = runInNewContext("({ list: [{ x: 1 }] })") as Loose;
    const manager = managerOf({ bare, foreign });
    expect(manager.get("a")?.data).toEqual({ bare: { nested: { x: 1 } }, foreign: { list: [{ x: 1 }] } });
    (foreign["list"] as Loose[])[0]!["x"] = 2;
    expect(manager.get("a")?.data["foreign"]).toEqual({ list: [{ x: 1 }] });
  });

  it("leaves out what JSON leaves out: undefined properties, symbol keys, hidden properties", () => {
    const symbol = Symbol("key");
    const level = (): Loose =>
      Object.defineProperty({ kept: 1, gone: undefined, [symbol]: { x: 1 }, last: 2 }, "hidden", { value: 1 });
    const data = managerOf({ ...level(), nested: level(), list: [level()] }).get("a")?.data as Loose;
    for (const part of [data["nested"], (data["list"] as unknown[])[0]]) {
      expect(Reflect.ownKeys(part as object)).toEqual(["kept", "last"]);
    }
    expect(Reflect.ownKeys(data)).toEqual(["kept", "last", "nested", "list"]);
  });

  it("reads a getter once and stores its value", () => {
    let reads = 0;
    const child = { value: 1 };
    const manager = managerOf({
      get child() {
        reads += 1;
        return child;
      },
    });
    child.value = 2;
    expect(manager.get("a")?.data).toEqual({ child: { value: 1 } });
    expect(reads).toBe(1);
  });

  it("is closed to a write whose data closes the manager", () => {
    const manager = managerOf({ step: 1 });
    const data = {
      get step() {
        manager.close();
        return 2;
      },
    };
    refusal("CLOSED", () => manager.update("a", data, "1"));
  });

  it("lets a getter that throws through, and nothing is changed", () => {
    const manager = managerOf({ step: 1 });
    const before = contentOf(manager);
    const trap = {
      get step(): number {
        throw new RangeError("boom");
      },
    };
    expect(() => manager.update("a", trap, "1")).toThrow("boom");
    expect(contentOf(manager)).toBe(before);
  });

  it.each(["update", "create", "delete"] as const)(
    "loses nothing when a getter of the data calls %s on the same context",
    (method) => {
      const manager = managerOf({ step: 1 });
      let armed = true;
      const data = {
        get step() {
          if (armed) {
            armed = false;
            if (method === "update") manager.update("a", { step: "theirs" }, "1");
            else manager.delete("a");
            if (method === "create") manager.create("a", { step: "theirs" });
          }
          return "mine";
        },
      };
      const read = manager.get("a")!;
      refusal(method === "delete" ? "NOT_FOUND" : "CONFLICT", () => manager.update("a", data, read));
      if (method !== "delete") expect(manager.get("a")?.data).toEqual({ step: "theirs" });
    },
  );

  it.each<[string, (manager: Shared) => void, (manager: Shared, data: Loose) => unknown]>([
    [
      "merge",
      (manager) => manager.agent("bob").patch("a", [{ op: "append", path: "/steps", value: 1 }]),
      (manager, data) => manager.agent("ann").merge(manager.get("a")!, data).data["mine"],
    ],
    [
      "update",
      (manager) => {
        manager.delete("a");
        manager.create("a", { steps: [] });
      },
      (manager, data) => manager.update("a", data, "1").data["mine"],
    ],
  ])("ends when a getter of what is to %s writes each time", (_method, interfere, write) => {
    const manager = managerOf({ steps: [] });
    let reads = 0;
    const data = {
      steps: [],
      get mine() {
        if (++reads > 1_000) throw new Error("it is read without end");
        interfere(manager);
        return 1;
      },
    };
    expect(write(manager, data)).toBe(1);
  });

  it("is refused as it was when its getter had not yet written", () => {
    const manager = managerOf({ step: 1 });
    const data = {
      get step() {
        manager.agent("bob").patch("a", [{ op: "set", path: "/step", value: 9 }]);
        return new Date();
      },
    };
    const { details } = refusal("INVALID", () => manager.agent("ann").merge(manager.get("a")!, data));
    expect(details.path).toBe("/step");
  });

  it("takes proxies for what they show", () => {
    const target = { list: [1], nested: { x: 1 } };
    const manager = managerOf(new Proxy(target, {}));
    manager.update("a", { proxied: new Proxy([new Proxy(target, {})], {}) }, "1");
    target.nested.x = 2;
    expect(manager.get("a")?.data).toEqual({ proxied: [{ list: [1], nested: { x: 1 } }] });
  });
});

describe("what is no JSON value", () => {
  class Plan {
    step = 1;
  }
  class Steps extends Array<number> {}
  const cycle: Loose = { inner: {} };
  (cycle["inner"] as Loose)["again"] = cycle;
  const ring: unknown[] = [];
  ring.push([ring]);

  it.each<[string, unknown, string]>([
    ["a Date", new Date(), "toISOString"],
    ["a Map", new Map(), "Object.fromEntries"],
    ["a Set", new Set(), "Array.from"],
    ["a RegExp", /x/, "plain object"],
    ["a class instance", new Plan(), "plain object"],
    ["a subclass of Array", Steps.from([1]), "Array.from"],
    ["a typed array", new Uint8Array(1), "plain object"],
    ["an Error", new Error("x"), "plain object"],
    ["a Promise", Promise.resolve(), "plain object"],
    ["a function", () => 1, "a name"],
    ["a symbol", Symbol("x"), "a name"],
    ["a bigint", 1n, "String(value)"],
    ["NaN", Number.NaN, "finite"],
    ["Infinity", -Infinity, "finite"],
    ["an undefined element", [undefined], "null"],
    ["a hole in an array", [1, , 2], "null"], // eslint-disable-line no-sparse-arrays
    ["a cycle", cycle, "a tree"],
    ["a cycle of arrays", ring, "a tree"],
  ])("is INVALID, with its path and the way out: %s", (_name, value, advice) => {
    const manager = managerOf({ step: 1 });
    const before = contentOf(manager);
    const data = { ok: [1, { "a/b~c": value }] };
    const actions = {
      initialData: () => manager.create("b", data),
      data: () => manager.update("a", data, "1"),
    };
    for (const [argument, action] of Object.entries(actions)) {
      const { details, message } = refusal("INVALID", action);
      expect(details.argument).toBe(argument);
      expect(details.path).toMatch(/^\/ok\/1\/a~1b~0c/);
      expect(message).toContain(advice);
      expect(message).toContain(details.received);
    }
    expect(contentOf(manager)).toBe(before);
  });

  it("is judged after everything else: a stale version is a CONFLICT, whatever the data holds", () => {
    const manager = managerOf({});
    refusal("CONFLICT", () => manager.update("a", { bad: new Date() }, "7"));
    refusal("NOT_FOUND", () => manager.update("b", { bad: new Date() }, "7"));
    refusal("EXISTS", () => manager.create("a", { bad: new Date() }));
  });

  it.each([511, 512, 200_000])("never crashes on %i levels", (levels) => {
    const manager = managerOf({ step: 1 });
    const before = contentOf(manager);
    let objects: object = {};
    for (let level = 1; level < levels; level++) objects = { down: objects };
    let arrays: unknown = [];
    for (let level = 2; level < levels; level++) arrays = [arrays];
    for (const data of [objects, { arrays }]) {
      if (levels <= 512) {
        expect(JSON.stringify(manager.update("a", data as Loose, manager.get("a")!).data)).toBe(JSON.stringify(data));
      } else {
        expect(refusal("INVALID", () => manager.update("a", data as Loose, "1")).details.expected).toContain(
          "512 levels",
        );
        expect(contentOf(manager)).toBe(before);
      }
    }
  });

  it("cannot be nested deeper by wrapping what is stored already", () => {
    const manager = managerOf({ down: {} });
    const wrapUntilRefused = (): void => {
      for (let level = 0; level < 1_000; level++) {
        const { data } = manager.get("a")!;
        manager.update("a", { down: { down: data["down"] } }, manager.get("a")!);
      }
    };
    refusal("INVALID", wrapUntilRefused);
    expect(manager.get("a")?.version).toBe("511");
  });

  it("may go in circles in shallow isolation, also where it is patched and merged", () => {
    const ring = (n: number): Loose => {
      const made: Record<string, unknown> = { n };
      made["next"] = made;
      return made;
    };
    const manager = new SharedContextManager<Loose>({ isolation: "shallow" });
    const ann = manager.agent("ann");
    const base = manager.create("a", { ring: ring(1) });
    ann.patch("a", { ring: ring(2) as never });
    expect(manager.get("a")?.data["ring"]).toMatchObject({ n: 2 });
    expect(refusal("CONFLICT", () => ann.merge(base, { ring: ring(3) })).details.conflicts[0]?.path).toBe("/ring/n");
    ann.merge(base, { ...base.data, more: 1 });
    expect(manager.get("a")?.data["more"]).toBe(1);
  });

  it("is welcome in shallow isolation, by reference", () => {
    const when = new Date();
    const manager = new SharedContextManager<Loose>({ isolation: "shallow" });
    const context = manager.create("a", { when, cycle, plan: new Plan() });
    expect(context.data["when"]).toBe(when);
    expect(Object.isFrozen(context.data)).toBe(true);
  });
});

describe("what comes out", () => {
  it("is frozen all the way down, and the record cannot be assigned to", () => {
    const context = managerOf({ list: [{ id: 1 }], nested: { x: 1 } }).get("a")!;
    const list = context.data["list"] as Loose[];
    for (const part of [context.data, list, list[0], context.data["nested"]]) expect(Object.isFrozen(part)).toBe(true);
    for (const field of ["version", "data", "contextId", "lockedBy", "createdAt", "revision"]) {
      expect(() => Object.assign(context, { [field]: "mine" })).toThrow(TypeError);
    }
  });

  it("has Date objects of its own", () => {
    const manager = managerOf({});
    const context = manager.get("a")!;
    const created = context.createdAt.getTime();
    context.createdAt.setTime(0);
    context.updatedAt.setTime(0);
    expect([context.createdAt.getTime(), context.updatedAt.getTime()]).toEqual([created, created]);
    expect(manager.get("a")?.createdAt.getTime()).toBe(created);
  });

  it("never changes afterwards", () => {
    const manager = managerOf({ step: 1 });
    const old = manager.get("a")!;
    const before = JSON.stringify(old);
    manager.update("a", { step: 2 }, old);
    manager.lock("a", "agent");
    manager.delete("a");
    expect(JSON.stringify(old)).toBe(before);
  });

  it("shares with its predecessor what has not changed", () => {
    const manager = managerOf({ kept: { big: [1, 2, 3] }, step: 1 });
    const old = manager.get("a")!;
    const next = manager.update("a", { ...old.data, step: 2 }, old);
    expect(next.data["kept"]).toBe(old.data["kept"]);
  });

  it("keeps the details of an error apart as well", () => {
    const manager = managerOf({ step: 1 });
    const before = contentOf(manager);
    vandalise(refusal("CONFLICT", () => manager.update("a", {}, "7")).details);
    expect(contentOf(manager)).toBe(before);
  });
});

describe("whatever a caller mutates", () => {
  const json = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }), { maxKeys: 4 }) as fc.Arbitrary<Loose>;
  const modes = ["create", "update", "spread", "move"] as const;

  it("the store stays the same", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...modes), json), { minLength: 1, maxLength: 6 }), (steps) => {
        const manager = managerOf({ first: { x: [1] } });
        const given: unknown[] = [];
        for (const [index, [mode, data]] of steps.entries()) {
          const old = manager.get("a")!;
          const input =
            mode === "spread" ? { ...old.data, ...data } : mode === "move" ? { moved: old.data, data } : data;
          const expected = JSON.stringify(input);
          const context = mode === "create" ? manager.create(`c${index}`, input) : manager.update("a", input, old);
          expect(JSON.stringify(context.data)).toBe(expected);
          given.push(old, old.data, old.toDict(), input, context, context.toJSON(), manager.toDict(), [...manager]);
        }
        const before = contentOf(manager);
        for (const value of given) vandalise(value);
        expect(contentOf(manager)).toBe(before);
      }),
    );
  });
});
