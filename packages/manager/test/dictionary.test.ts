import fc from "fast-check";
import { SharedContext, SharedContextManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { contentOf, manualClock, refusal } from "./support.ts";

type Dict = Record<string, any>;

describe("SharedContext.toDict and fromDict", () => {
  const clock = manualClock();
  const manager = new SharedContextManager({ clock });
  const context = manager.create("plan", { step: 1, nested: { list: [1, null, "x"] } });

  it("write and read the six keys of section 6.20", () => {
    expect(context.toDict()).toEqual({
      context_id: "plan",
      version: "1",
      data: { step: 1, nested: { list: [1, null, "x"] } },
      locked_by: null,
      created_at: "2026-01-31T09:30:00.000+00:00",
      updated_at: "2026-01-31T09:30:00.000+00:00",
    });
    expect(JSON.stringify(context)).toBe(JSON.stringify(context.toDict()));
  });

  it("read every lock that there is: one that would lapse after the year 9999 never does", () => {
    const locked = new SharedContextManager({ clock });
    const lapses = [Date.UTC(9999, 11, 31, 23, 59, 59, 999), Date.UTC(10_000, 0, 1)].map((atMs, index) => {
      locked.create(String(index), {});
      locked.lock(String(index), "ann", { ttlMs: atMs - clock.wallMs() });
      return SharedContext.fromDict(locked.get(String(index))!.toDict()).toDict().lock_expires_at;
    });
    expect(lapses).toEqual(["9999-12-31T23:59:59.999+00:00", undefined]);
    expect(locked.get("1")?.lock?.expiresAt).toBeNull();
  });

  it("write every time that a Date can hold as it does", () => {
    const atOnce = fc.array(fc.date({ noInvalidDate: true }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(atOnce, (dates) => {
        for (const date of dates) {
          const own = new SharedContextManager({ clock: { ...clock, wallMs: () => date.getTime() } });
          expect(own.create("a", {}).toDict().created_at).toBe(date.toISOString().replace("Z", "+00:00"));
        }
      }),
    );
  });

  it("come back to the same dictionary, whatever the data", () => {
    fc.assert(
      fc.property(fc.string(), fc.dictionary(fc.string(), fc.jsonValue()), (id, data) => {
        const dict = new SharedContextManager<Dict>().create(id, data).toDict();
        const text = JSON.stringify(dict);
        expect(JSON.stringify(SharedContext.fromDict(JSON.parse(text)))).toBe(text);
      }),
    );
  });

  it("read what the Python SDK writes: microseconds, no offset, missing keys", () => {
    const python = SharedContext.fromDict({
      context_id: "plan",
      version: "12",
      data: {},
      locked_by: "agent-a",
      created_at: "2026-01-31T09:30:00.123456",
      updated_at: "2026-01-31T09:30:00",
    });
    expect(python.createdAt.toISOString()).toBe("2026-01-31T09:30:00.123Z");
    expect(python.updatedAt.toISOString()).toBe("2026-01-31T09:30:00.000Z");
    expect([python.version, python.lockedBy]).toEqual(["12", "agent-a"]);
    const before = Date.now();
    const bare = SharedContext.fromDict({ context_id: "plan", version: "1", data: {} });
    expect(bare.lockedBy).toBeNull();
    for (const time of [bare.createdAt, bare.updatedAt]) expect(time.getTime()).toBeGreaterThanOrEqual(before);
  });

  it.each([
    ["2026-01-31T09:30:00Z", "2026-01-31T09:30:00.000Z"],
    ["2026-01-31T09:30:00.5+00:00", "2026-01-31T09:30:00.500Z"],
    ["2026-01-31T09:30:00.000001+05:30", "2026-01-31T04:00:00.000Z"],
    ["2024-02-29T23:59:59-01:00", "2024-03-01T00:59:59.000Z"],
  ])("read the time %s", (text, iso) => {
    expect(
      SharedContext.fromDict({ context_id: "a", version: "1", data: {}, created_at: text }).createdAt.toISOString(),
    ).toBe(iso);
  });

  it.each<[string, Dict, string]>([
    ["no id", { context_id: undefined }, "/context_id"],
    ["an id that is a number", { context_id: 7 }, "/context_id"],
    ["no version", { version: undefined }, "/version"],
    ["a version that is a number", { version: 1 }, "/version"],
    ["version zero", { version: "0" }, "/version"],
    ["a version with a leading zero", { version: "01" }, "/version"],
    ["a version that is no number", { version: "v1" }, "/version"],
    ["a version so long that the next one may be equal", { version: "9007199254740991" }, "/version"],
    ["no data", { data: undefined }, "/data"],
    ["data that is an array", { data: [] }, "/data"],
    ["data that is no JSON", { data: { list: [1, new Date()] } }, "/data/list/1"],
    ["a lock of a number", { locked_by: 1 }, "/locked_by"],
    ["a time that is a number", { created_at: 1 }, "/created_at"],
    ["a time that is no time", { updated_at: "yesterday" }, "/updated_at"],
    ["February 30", { created_at: "2026-02-30T00:00:00" }, "/created_at"],
    ["hour 25", { created_at: "2026-02-03T25:00:00" }, "/created_at"],
    ["a date alone", { created_at: "2026-02-03" }, "/created_at"],
  ])("refuse %s, naming the field", (_name, change, path) => {
    const error = refusal("INVALID", () => SharedContext.fromDict({ ...context.toDict(), ...change }));
    expect(error.details).toMatchObject({ argument: "dict", path });
  });

  it("tell how long a version may be", () => {
    const read = (version: string): SharedContext => SharedContext.fromDict({ ...context.toDict(), version });
    expect(read("9".repeat(15)).version).toBe("9".repeat(15));
    const { details } = refusal("INVALID", () => read("9".repeat(16)));
    expect(details.expected).toBe('a decimal string from "1" to "999999999999999"');
  });

  it.each([undefined, null, "text", 1, [], new Map()])("refuse what is no dictionary: %s", (dict) => {
    expect(refusal("INVALID", () => SharedContext.fromDict(dict)).details.expected).toBe("a dictionary");
  });

  it("read own keys only", () => {
    const inherited = Object.create({ context_id: "a", version: "1", data: {} }) as unknown;
    refusal("INVALID", () => SharedContext.fromDict(inherited));
    refusal("INVALID", () =>
      SharedContext.fromDict(JSON.parse('{"__proto__":{"context_id":"a","version":"1","data":{}}}')),
    );
  });

  it("copy the data: the dictionary may change afterwards", () => {
    const data = { list: [1] };
    const read = SharedContext.fromDict({ context_id: "a", version: "1", data });
    data.list.push(2);
    expect(read.data).toEqual({ list: [1] });
  });
});

describe("SharedContextManager.toDict and fromDict", () => {
  function busyManager(): SharedContextManager<Dict> {
    const manager = new SharedContextManager<Dict>({ clock: manualClock() });
    for (const id of ["b", "a", "c"]) manager.create(id, { id });
    manager.delete("b");
    manager.update("a", { id: "a", step: 2 }, "1");
    manager.create("b", { again: true });
    manager.lock("c", "agent");
    manager.create("last", {});
    manager.delete("last");
    return manager;
  }

  it("carry locks, versions, incarnations, order and the head revision", () => {
    const manager = busyManager();
    const again = SharedContextManager.fromDict<Dict>(JSON.parse(JSON.stringify(manager)), { clock: manualClock() });
    expect(contentOf(again)).toBe(contentOf(manager));
    expect(again.listContexts()).toEqual(["a", "c", "b"]);
    expect([...again].map((context) => [context.incarnation, context.revision, context.lock])).toEqual(
      [...manager].map((context) => [context.incarnation, context.revision, context.lock]),
    );
    for (const each of [manager, again]) each.create("new", {});
    expect(again.get("new")?.revision).toBe(manager.get("new")?.revision);
    refusal("LOCKED", () => again.update("c", {}, "1"));
    expect(again.unlock("c", "agent")).toBe(true);
  });

  it("let a snapshot from before the dump count as an expected version after the load", () => {
    const manager = busyManager();
    const read = manager.get("a")!;
    const again = SharedContextManager.fromDict<Dict>(manager.toDict());
    expect(again.update("a", {}, read).version).toBe("3");
  });

  it("give a dictionary that is a value of its own", () => {
    const manager = busyManager();
    const before = contentOf(manager);
    const dict = manager.toDict();
    dict.contexts[0]!.version = "99";
    dict.contexts.length = 1;
    expect(contentOf(manager)).toBe(before);
  });

  it("load with the isolation asked for", () => {
    const dict: Dict = busyManager().toDict();
    const when = new Date();
    dict["contexts"][0].data = { when };
    expect(refusal("INVALID", () => SharedContextManager.fromDict(dict)).details.path).toBe("/contexts/0/data/when");
    expect(SharedContextManager.fromDict<Dict>(dict, { isolation: "shallow" }).get("a")?.data["when"]).toBe(when);
  });

  it.each<[string, (dict: Dict) => unknown, string]>([
    ["another format", (dict) => (dict["format"] = 2), "/format"],
    ["no head revision", (dict) => delete dict["revision"], "/revision"],
    ["a head revision that has no next", (dict) => (dict["revision"] = Number.MAX_SAFE_INTEGER), "/revision"],
    ["a head revision below that of a context", (dict) => (dict["revision"] = 2), "/contexts/0/revision"],
    ["contexts that are no array", (dict) => (dict["contexts"] = {}), "/contexts"],
    ["a context that is no dictionary", (dict) => (dict["contexts"][1] = null), "/contexts/1"],
    ["an id twice", (dict) => (dict["contexts"][1].context_id = "a"), "/contexts/1/context_id"],
    ["an incarnation after the revision", (dict) => (dict["contexts"][0].incarnation = 99), "/contexts/0/incarnation"],
    ["no incarnation", (dict) => delete dict["contexts"][0].incarnation, "/contexts/0/incarnation"],
    ["a lock without its token", (dict) => delete dict["contexts"][1].lock_token, "/contexts/1/lock_token"],
    ["a fraction of a revision", (dict) => (dict["contexts"][2].revision = 1.5), "/contexts/2/revision"],
    ["a bad version", (dict) => (dict["contexts"][2].version = ""), "/contexts/2/version"],
  ])("refuse %s as a whole, naming the field", (_name, spoil, path) => {
    const dict = JSON.parse(JSON.stringify(busyManager())) as Dict;
    spoil(dict);
    expect(refusal("INVALID", () => SharedContextManager.fromDict(dict)).details.path).toBe(path);
  });
});
