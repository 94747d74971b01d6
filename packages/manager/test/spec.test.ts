/** Section 6.20, sentence by sentence: each test is named by the sentence it holds. */

import { SharedContext, SharedContextManager } from "shared-context-manager";
import { beforeEach, describe, expect, it } from "vitest";
import { manualClock, refusal } from "./support.ts";

let manager: SharedContextManager;
const clock = manualClock();

beforeEach(() => {
  manager = new SharedContextManager({ clock });
});

describe("6.20 Shared Context Manager", () => {
  it("stores contexts in memory", () => {
    manager.create("a", { step: 1 });
    expect(manager.get("a")?.data).toEqual({ step: 1 });
    expect(new SharedContextManager().get("a")).toBeUndefined();
  });

  it("uses optimistic locking via version strings", () => {
    const read = manager.create("a", { step: 1 });
    manager.update("a", { step: 2 }, read.version);
    refusal("CONFLICT", () => manager.update("a", { step: 3 }, read.version));
    expect(manager.get("a")?.data).toEqual({ step: 2 });
  });

  it("provides an explicit lock flag to temporarily block updates during critical sections", () => {
    const { version } = manager.create("a", {});
    manager.lock("a", "agent");
    refusal("LOCKED", () => manager.update("a", { step: 1 }, version));
    manager.unlock("a", "agent");
    expect(manager.update("a", { step: 1 }, version).version).toBe("2");
  });
});

describe("6.20.1 Data Model", () => {
  it("context_id: unique identifier for the context", () => {
    expect(manager.create("workflow-1", {}).contextId).toBe("workflow-1");
  });

  it("version: optimistic lock version, incremented on update", () => {
    let context = manager.create("a", {});
    const versions = [context.version];
    for (let step = 0; step < 11; step++) {
      context = manager.update("a", { step }, context.version);
      versions.push(context.version);
    }
    expect(versions).toEqual(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"]);
  });

  it("data: context payload (stored as a shallow copy)", () => {
    const shallow = new SharedContextManager<Record<string, unknown>>({ isolation: "shallow" });
    const nested = { count: 0 };
    const data: Record<string, unknown> = { nested };
    const context = shallow.create("a", data);
    data["added"] = true;
    nested.count = 1;
    expect(context.data).toEqual({ nested: { count: 1 } });
    expect(context.data["nested"]).toBe(nested);
  });

  it("locked_by: agent ID holding the lock, if any", () => {
    expect(manager.create("a", {}).lockedBy).toBeNull();
    manager.lock("a", "agent");
    expect(manager.get("a")?.lockedBy).toBe("agent");
  });

  it("created_at: UTC timestamp for creation", () => {
    const created = clock.wallMs();
    const context = manager.create("a", {});
    clock.advance(1_000);
    expect(manager.update("a", {}, context).createdAt).toEqual(new Date(created));
    expect(manager.get("a")?.createdAt).toEqual(context.createdAt);
  });

  it("updated_at: UTC timestamp of last update", () => {
    const context = manager.create("a", {});
    expect(context.updatedAt).toEqual(context.createdAt);
    clock.advance(1_000);
    const updated = manager.update("a", {}, context);
    expect(updated.updatedAt).toEqual(new Date(clock.wallMs()));
    clock.advance(1_000);
    manager.lock("a", "agent");
    expect(manager.get("a")?.updatedAt).toEqual(updated.updatedAt);
  });

  it("use SharedContext.to_dict() to serialize for JSON payloads and SharedContext.from_dict() to reconstruct from stored data", () => {
    const context = manager.create("a", { step: 1 });
    const dict = context.toDict();
    expect(Object.keys(dict)).toEqual(["context_id", "version", "data", "locked_by", "created_at", "updated_at"]);
    const again = SharedContext.fromDict(JSON.parse(JSON.stringify(dict)));
    expect(again.toDict()).toEqual(dict);
  });
});

describe("6.20.2 Constructor", () => {
  it("SharedContextManager() is empty", () => {
    expect(new SharedContextManager().size).toBe(0);
    expect(new SharedContextManager().listContexts()).toEqual([]);
  });
});

describe("6.20.3 Core Methods", () => {
  it('create: creates a new context with version "1" and copies the initial data', () => {
    const data: Record<string, number> = { step: 1 };
    const context = manager.create("a", data);
    data["step"] = 2;
    expect(context.version).toBe("1");
    expect(context.data).toEqual({ step: 1 });
  });

  it("create: raises if the context ID already exists", () => {
    manager.create("a", { step: 1 });
    expect(refusal("EXISTS", () => manager.create("a", { step: 2 })).details).toEqual({ contextId: "a" });
    expect(manager.get("a")?.data).toEqual({ step: 1 });
  });

  it("get: returns the context or None if it does not exist", () => {
    expect(manager.get("a")).toBeUndefined();
    manager.create("a", {});
    expect(manager.get("a")?.contextId).toBe("a");
  });

  it("get: locks do not block reading", () => {
    manager.create("a", { step: 1 });
    manager.lock("a", "agent");
    expect(manager.get("a")?.data).toEqual({ step: 1 });
  });

  it("update: replaces the stored data, increments the version, and updates updated_at", () => {
    const context = manager.create("a", { step: 1, status: "running" });
    clock.advance(1_000);
    const updated = manager.update("a", { step: 2 }, context.version);
    expect(updated.data).toEqual({ step: 2 });
    expect(updated.version).toBe("2");
    expect(updated.updatedAt.getTime() - context.updatedAt.getTime()).toBe(1_000);
    expect(manager.get("a")?.toDict()).toEqual(updated.toDict());
  });

  it("update: raises if the context is missing", () => {
    expect(refusal("NOT_FOUND", () => manager.update("a", {}, "1")).details).toEqual({ contextId: "a" });
  });

  it("update: raises if the context is locked, for the owner of the lock too", () => {
    const context = manager.create("a", {});
    manager.lock("a", "agent");
    const error = refusal("LOCKED", () => manager.update("a", { by: "agent" }, context));
    expect(error.details).toMatchObject({ contextId: "a", owner: "agent" });
  });

  it("update: raises if the version does not match expected_version", () => {
    manager.create("a", {});
    for (const stale of ["0", "2", "", "01", "1 ", "one"]) {
      const error = refusal("CONFLICT", () => manager.update("a", {}, stale));
      expect(error.details).toMatchObject({ contextId: "a", expected: stale, version: "1", recreated: false });
      expect(error.details.current.toDict()).toEqual(manager.get("a")?.toDict());
    }
  });

  it("update: missing comes before locked, and locked before stale", () => {
    refusal("NOT_FOUND", () => manager.update("a", {}, "stale"));
    manager.create("a", {});
    manager.lock("a", "agent");
    refusal("LOCKED", () => manager.update("a", {}, "stale"));
  });

  it("lock: sets locked_by for the context", () => {
    manager.create("a", {});
    manager.lock("a", "agent");
    expect(manager.get("a")?.lockedBy).toBe("agent");
  });

  it("lock: returns True if the lock is acquired or already held by the same agent", () => {
    manager.create("a", {});
    expect(manager.lock("a", "agent")).toBe(true);
    expect(manager.lock("a", "agent")).toBe(true);
  });

  it("lock: returns False if another agent holds the lock", () => {
    manager.create("a", {});
    manager.lock("a", "agent");
    expect(manager.lock("a", "other")).toBe(false);
    expect(manager.get("a")?.lockedBy).toBe("agent");
  });

  it("unlock: clears the lock if held by agent_id", () => {
    manager.create("a", {});
    manager.lock("a", "agent");
    expect(manager.unlock("a", "agent")).toBe(true);
    expect(manager.get("a")?.lockedBy).toBeNull();
  });

  it("unlock: returns False if the lock is held by another agent or not set", () => {
    manager.create("a", {});
    expect(manager.unlock("a", "agent")).toBe(false);
    manager.lock("a", "agent");
    expect(manager.unlock("a", "other")).toBe(false);
    expect(manager.get("a")?.lockedBy).toBe("agent");
  });

  it("delete: deletes the context and returns True if it existed", () => {
    manager.create("a", {});
    expect(manager.delete("a")).toBe(true);
    expect(manager.get("a")).toBeUndefined();
    expect(manager.delete("a")).toBe(false);
  });

  it("delete: ignores locks", () => {
    manager.create("a", {});
    manager.lock("a", "agent");
    expect(manager.delete("a")).toBe(true);
  });

  it('delete: a context created again starts over at version "1", unlocked', () => {
    const first = manager.create("a", {});
    manager.update("a", {}, first);
    manager.lock("a", "agent");
    manager.delete("a");
    const again = manager.create("a", { step: 1 });
    expect([again.version, again.lockedBy]).toEqual(["1", null]);
  });

  it("list_contexts: lists all context IDs", () => {
    for (const id of ["b", "a", "c"]) manager.create(id, {});
    manager.update("b", { step: 1 }, "1");
    manager.lock("a", "agent");
    expect(manager.listContexts()).toEqual(["b", "a", "c"]);
    manager.delete("b");
    manager.create("b", {});
    expect(manager.listContexts()).toEqual(["a", "c", "b"]);
  });

  it("clear: removes all contexts from the manager, locked ones too", () => {
    for (const id of ["a", "b"]) manager.create(id, {});
    manager.lock("a", "agent");
    manager.clear();
    expect(manager.listContexts()).toEqual([]);
    expect(manager.size).toBe(0);
  });
});

describe("6.20.4 Usage Examples", () => {
  it("the workflow example", () => {
    let context = manager.create("workflow-1", { step: 1, status: "running" });
    context = manager.update("workflow-1", { step: 2, status: "running" }, context.version);
    expect(context.version).toBe("2");
    refusal("CONFLICT", () => manager.update("workflow-1", { step: 3 }, "1"));
  });

  it("the resource example", () => {
    manager.create("resource-1", { count: 0 });
    expect(manager.lock("resource-1", "agent-a")).toBe(true);
    manager.unlock("resource-1", "agent-a");
    const context = manager.get("resource-1");
    expect(manager.update("resource-1", { count: 1 }, context?.version ?? "").data).toEqual({ count: 1 });
  });
});

describe("6.20.5 Error Handling", () => {
  it("raises when locking or unlocking a missing context", () => {
    expect(refusal("NOT_FOUND", () => manager.lock("a", "agent")).details).toEqual({ contextId: "a" });
    expect(refusal("NOT_FOUND", () => manager.unlock("a", "agent")).details).toEqual({ contextId: "a" });
  });
});
