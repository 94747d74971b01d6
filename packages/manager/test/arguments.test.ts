/** Bad input: a typed error that says what was expected and what came, and nothing is changed. */

import { SharedContext, SharedContextManager } from "shared-context-manager";
import { beforeEach, describe, expect, it } from "vitest";
import { contentOf, refusal } from "./support.ts";

// The types forbid all of this; plain JavaScript does not.
let manager: SharedContextManager<any>;
let read: SharedContext<any>;

beforeEach(() => {
  manager = new SharedContextManager<any>();
  read = manager.create("a", { step: 1 });
  manager.create("b", { step: 1 });
});

const notStrings: unknown[] = [undefined, null, 1, 1n, true, {}, ["a"], Symbol("a"), () => "a", new String("a")];

describe("ids", () => {
  it.each(notStrings)("that are not strings are INVALID: %s", (id) => {
    const before = contentOf(manager);
    const bad = id as string;
    const calls: [string, () => unknown][] = [
      ["contextId", () => manager.create(bad, {})],
      ["contextId", () => manager.get(bad)],
      ["contextId", () => manager.update(bad, {}, "1")],
      ["contextId", () => manager.lock(bad, "agent")],
      ["contextId", () => manager.unlock(bad, "agent")],
      ["contextId", () => manager.delete(bad)],
      ["agentId", () => manager.lock("a", bad)],
      ["agentId", () => manager.unlock("a", bad)],
    ];
    for (const [argument, call] of calls) {
      expect(refusal("INVALID", call).details).toMatchObject({ argument, path: "", expected: "a string" });
    }
    expect(contentOf(manager)).toBe(before);
  });
});

describe("data", () => {
  class Plan {}
  it.each([undefined, null, "text", 1, true, [], [1], new Map(), new Date(), new Plan(), () => ({})])(
    "that is not a plain object is INVALID: %s",
    (data) => {
      const before = contentOf(manager);
      expect(refusal("INVALID", () => manager.create("c", data)).details.argument).toBe("initialData");
      expect(refusal("INVALID", () => manager.update("a", data, "1")).details.argument).toBe("data");
      const shallow = new SharedContextManager<any>({ isolation: "shallow" });
      refusal("INVALID", () => shallow.create("c", data));
      expect(contentOf(manager)).toBe(before);
    },
  );

  it("is INVALID before the context is looked up", () => {
    refusal("INVALID", () => manager.update("missing", null, "1"));
    refusal("INVALID", () => manager.create("a", null));
  });
});

describe("the expected version", () => {
  it.each([undefined, null, 1, 1n, {}, { version: "1" }, ["1"], new String("1"), Symbol("1")])(
    "is a string or a snapshot, or else INVALID: %s",
    (expected) => {
      const before = contentOf(manager);
      refusal("INVALID", () => manager.update("a", {}, expected as string));
      if (expected !== undefined) refusal("INVALID", () => manager.delete("a", expected as string));
      expect(contentOf(manager)).toBe(before);
    },
  );

  it("is INVALID when it is a snapshot of another context", () => {
    const error = refusal("INVALID", () => manager.update("b", {}, read));
    expect(error.message).toBe('expected: expected a snapshot of "b"; received a snapshot of "a"');
  });

  it("as a snapshot also compares the incarnation, which a version string cannot", () => {
    manager.delete("a");
    const again = manager.create("a", { step: 10 });
    expect(again.version).toBe(read.version);
    const error = refusal("CONFLICT", () => manager.update("a", { step: 2 }, read));
    expect(error.details).toMatchObject({ expected: "1", version: "1", recreated: true });
    expect(error.message).toContain("deleted and created again");
    refusal("CONFLICT", () => manager.delete("a", read));
    expect(manager.update("a", { step: 11 }, read.version).version).toBe("2");
  });

  it("as a snapshot from a dictionary has no incarnation and compares the version alone", () => {
    const stored = SharedContext.fromDict(read.toDict());
    manager.delete("a");
    manager.create("a", {});
    expect(stored.incarnation).toBeUndefined();
    expect(manager.update("a", { step: 2 }, stored).version).toBe("2");
    refusal("CONFLICT", () => manager.update("a", { step: 3 }, stored));
  });

  it("is not disturbed by locks, which move only the revision", () => {
    manager.lock("a", "agent");
    manager.unlock("a", "agent");
    expect(manager.get("a")?.revision).not.toBe(read.revision);
    expect(manager.update("a", { step: 2 }, read).version).toBe("2");
  });

  it("lets delete take only what the caller has seen", () => {
    manager.update("a", { step: 2 }, read);
    refusal("CONFLICT", () => manager.delete("a", read));
    expect(manager.delete("a", "2")).toBe(true);
    expect(manager.delete("a", "2")).toBe(false);
  });
});

describe("options", () => {
  it("are INVALID when the isolation is unknown", () => {
    const error = refusal("INVALID", () => new SharedContextManager({ isolation: "none" as "deep" }));
    expect(error.message).toBe('options at "/isolation": expected "deep" or "shallow"; received "none"');
  });

  it.each<[unknown, string]>([
    [null, ""],
    ["deep", ""],
    [{ clock: null }, "/clock"],
    [{ clock: {} }, "/clock"],
    [{ clock: Date }, "/clock"],
  ])("are INVALID when they are not what they should be: %j", (options, path) => {
    expect(refusal("INVALID", () => new SharedContextManager(options as object)).details.path).toBe(path);
  });
});
