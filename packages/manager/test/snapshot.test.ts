/** How snapshots look and compare, in Node and in tests. */

import assert from "node:assert/strict";
import { inspect } from "node:util";
import { SharedContext, SharedContextManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { manualClock } from "./support.ts";

describe("a snapshot", () => {
  const manager = new SharedContextManager({ clock: manualClock() });
  const first = manager.create("plan", { step: 1 });
  const second = manager.update("plan", { step: 2 }, first);

  it("prints its fields in Node", () => {
    expect(inspect(second, { breakLength: Infinity })).toBe(
      "SharedContext { contextId: 'plan', version: '2', data: { step: 2 }, lockedBy: null, " +
        "createdAt: 2026-01-31T09:30:00.000Z, updatedAt: 2026-01-31T09:30:00.000Z, updatedBy: null, " +
        "revision: 2, incarnation: 1 }",
    );
    expect(inspect({ deep: { down: { plan: second } } }, { depth: 0 })).not.toContain("step");
  });

  it("is equal to itself read again, and to nothing else, for vitest and for node:assert", () => {
    expect(manager.get("plan")).toEqual(second);
    assert.deepEqual(manager.get("plan"), second);
    const other = manager.create("other", { step: 2 });
    manager.lock("plan", "agent");
    const locked = manager.get("plan");
    const stored = [1, 2].map((step) => SharedContext.fromDict({ context_id: "plan", version: "2", data: { step } }));
    for (const different of [first, other, locked, ...stored]) {
      expect(different).not.toEqual(second);
      assert.notDeepEqual(different, second);
    }
    expect(stored[0]).not.toEqual(stored[1]);
    expect(SharedContext.fromDict(second.toDict())).toEqual(SharedContext.fromDict(second.toDict()));
  });

  it("tells its revision and incarnation only when a manager made it", () => {
    expect([second.revision, second.incarnation]).toEqual([2, 1]);
    const stored = SharedContext.fromDict({ ...second.toDict(), locked_by: "agent" });
    expect(stored.lockedBy).toBe("agent");
    expect([stored.revision, stored.incarnation, stored.lock]).toEqual([undefined, undefined, undefined]);
  });

  it("of a transaction is text, and prints, whatever it holds", () => {
    const anything = new SharedContextManager<Record<string, unknown>>({ isolation: "shallow" });
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    anything.agent("ann").transact((tx) => {
      const given = { circle, big: 1n, refuses: { toJSON: () => assert.fail() } };
      const created = tx.create("plan", given);
      expect(Object.prototype.toString.call(created)).toContain('SharedContext "plan" version 1');
      expect(inspect(created)).toContain("circle: <ref *1> { self: [Circular *1] }");
      expect(tx.get("plan")).toEqual(created);
      expect(tx.create("other", given)).not.toEqual(created);
      expect(tx.update("plan", given)).not.toEqual(created);
    });
  });

  it("shows the lock in full, its token being the revision that granted it", () => {
    manager.create("locked", {});
    manager.lock("locked", "agent");
    const locked = manager.get("locked");
    expect(locked?.lock).toEqual({
      owner: "agent",
      token: locked?.revision,
      since: locked?.createdAt,
      expiresAt: null,
    });
  });
});

describe("a manager", () => {
  it("iterates over the contexts as they are when the iteration starts", () => {
    const manager = new SharedContextManager();
    for (const id of ["a", "b"]) manager.create(id, {});
    const seen: string[] = [];
    for (const { contextId } of manager) {
      seen.push(contextId);
      if (seen.length < 10) manager.create(`new-${seen.length}`, {});
      manager.delete("b");
    }
    expect(seen).toEqual(["a", "b"]);
    expect(manager.size).toBe(3);
  });

  it("counts one revision per commit, refusals and repetitions none", () => {
    const manager = new SharedContextManager();
    const revisions: number[] = [];
    const head = (): number => manager.toDict().revision;
    const step = (action: () => unknown): void => {
      try {
        action();
      } catch {
        // A refusal: counted by what it leaves.
      }
      revisions.push(head());
    };
    step(() => manager.create("a", {}));
    step(() => manager.create("a", {}));
    step(() => manager.update("a", {}, "1"));
    step(() => manager.update("a", {}, "1"));
    step(() => manager.lock("a", "agent"));
    step(() => manager.lock("a", "agent"));
    step(() => manager.unlock("a", "other"));
    step(() => manager.unlock("a", "agent"));
    step(() => manager.unlock("a", "agent"));
    step(() => manager.delete("a"));
    step(() => manager.delete("a"));
    step(() => manager.clear());
    step(() => manager.create("a", {}));
    step(() => manager.clear());
    expect(revisions).toEqual([1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 5, 6, 7]);
  });
});
