import { ContextError, ERROR_CODES, isContextError, SharedContextManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { manualClock, refusal } from "./support.ts";

describe("ContextError", () => {
  const manager = new SharedContextManager({ clock: manualClock() });
  const read = manager.create("plan", { step: 1 });
  manager.update("plan", { step: 2 }, read);
  const conflict = refusal("CONFLICT", () => manager.update("plan", { step: 3 }, read));

  it("is an Error with a name, a code and a sentence to read at night", () => {
    expect(conflict).toBeInstanceOf(Error);
    expect(conflict).toBeInstanceOf(ContextError);
    expect(String(conflict)).toBe(
      'ContextError: context "plan" is at version "2", not "1": get it, apply the change to what is there now, and update again',
    );
    expect(Object.keys(conflict)).toEqual(["code", "details"]);
  });

  it("carries the current snapshot, so that the caller decides without another read", () => {
    const { current } = conflict.details;
    expect(manager.update("plan", { step: 3 }, current as never).version).toBe("3");
  });

  it("says in every message what to do next, and whether a retry can help", () => {
    manager.lock("plan", "reviewer");
    const locked = refusal("LOCKED", () => manager.update("plan", {}, "3"));
    const missing = refusal("NOT_FOUND", () => manager.update("nothing", {}, "1"));
    const exists = refusal("EXISTS", () => manager.create("plan", {}));
    const invalid = refusal("INVALID", () => manager.update("plan", {}, 3 as never));
    expect([conflict, locked, missing, exists, invalid].map((error) => [error.retryable, error.message])).toEqual([
      [true, conflict.message],
      [
        true,
        'context "plan" is locked by "reviewer" (since 2026-01-31T09:30:00.000+00:00, with no expiry): ' +
          "wait until it is unlocked, then get it again",
      ],
      [false, 'context "nothing" does not exist: create it first, or check the id'],
      [false, 'context "plan" exists already: get it and update it, or delete it first'],
      [false, "expected: expected a version string or a snapshot of this context; received 3"],
    ]);
  });

  it("never prints a whole payload where an id was meant", () => {
    const error = refusal("NOT_FOUND", () => manager.update("x".repeat(5_000), {}, "1"));
    expect(error.message).toContain(`"${"x".repeat(100)}…"`);
    expect(error.message.length).toBeLessThan(200);
  });

  it("keeps a stack that leads to the call, a short one where contention makes it routine", () => {
    function callSite(): void {
      manager.update("plan", {}, "1");
    }
    manager.unlock("plan", "reviewer");
    const limit = Error.stackTraceLimit;
    const framesOf = (error: Error): string[] => error.stack?.split("\n").slice(1) ?? [];
    try {
      Error.stackTraceLimit = 10;
      const short = framesOf(refusal("CONFLICT", callSite));
      expect(short.join("\n")).toContain("callSite");
      expect(short.length).toBeLessThan(
        framesOf(refusal("NOT_FOUND", () => manager.update("nothing", {}, "1"))).length,
      );
      expect(Error.stackTraceLimit).toBe(10);
      Error.stackTraceLimit = 30;
      expect(framesOf(refusal("CONFLICT", callSite)).length).toBeGreaterThan(10);
    } finally {
      Error.stackTraceLimit = limit;
    }
  });
});

describe("isContextError", () => {
  it("tells refusals from other errors, and one code from another", () => {
    const error: unknown = new ContextError("NOT_FOUND", { contextId: "a" });
    expect(isContextError(error)).toBe(true);
    expect(isContextError(error, "NOT_FOUND")).toBe(true);
    expect(isContextError(error, "CONFLICT")).toBe(false);
    for (const other of [new Error("NOT_FOUND"), { code: "NOT_FOUND" }, undefined, null, "NOT_FOUND"]) {
      expect(isContextError(other)).toBe(false);
    }
  });
});

describe("the table of codes", () => {
  it("gives every code a meaning and a status of an HTTP error", () => {
    for (const { meaning, httpStatus } of Object.values(ERROR_CODES)) {
      expect(meaning).toMatch(/^[A-Z].*\.$/);
      expect(httpStatus).toBeGreaterThanOrEqual(400);
    }
  });
});
