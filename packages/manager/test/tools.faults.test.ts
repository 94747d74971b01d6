/** Whatever the storage refuses, at whatever moment: a tool answers with a result, and never throws. */

import fc from "fast-check";
import {
  ContextError,
  ERROR_CODES,
  type ErrorCode,
  type ErrorDetails,
  type LockHolding,
  openManager,
  SharedContext,
  SharedContextManager,
} from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { type ContextToolName, contextTools, type ToolsManager } from "shared-context-manager/tools";

const CASES = Number(process.env["SHARED_CONTEXT_FUZZ"] ?? 200);
const seed = process.env["FC_SEED"];

const current = SharedContext.fromDict({ context_id: "plan", version: "7", data: { step: 7 } });
const holder: LockHolding = { owner: "bob", since: new Date(0), expiresAt: new Date(1) };
const details: ErrorDetails = {
  EXISTS: { contextId: "plan" },
  NOT_FOUND: { contextId: "plan" },
  LOCKED: { contextId: "plan", ...holder },
  CONFLICT: {
    contextId: "plan",
    expected: "1",
    version: "7",
    current,
    recreated: false,
    conflicts: [{ path: "/step", base: 1, yours: 2, theirs: 7 }],
    writers: [null],
  },
  LEASE_LOST: { contextId: "plan", token: 1, owner: null, reason: "it lapsed" },
  DEADLOCK: { cycle: [{ agentId: "ann", contextId: "plan" }] },
  TIMEOUT: { contextId: "plan", timeoutMs: 1, position: 1, holder: null },
  CLOSED: {},
  COMPACTED: { after: 1, oldest: 5, head: 9 },
  INDETERMINATE: { contextIds: ["plan"], operationId: "1" },
  UNAVAILABLE: { reason: "no answer" },
  UNSUPPORTED: { feature: "it", expected: "a server of today", received: "one of yesterday" },
  MISSING_DEPENDENCY: { dependency: "pg", version: "8" },
  CORRUPT: { where: "plan", reason: "no JSON" },
  INVALID: { argument: "token", path: "", expected: "another", received: "this" },
  TOO_LARGE: { contextId: "plan", bytes: 2, maxDataBytes: 1 },
  LIMIT: { contextId: "plan", contexts: 1, maxContexts: 1 },
};

/** What becomes of one call into the storage: it fails before it has done anything, or when all is done. */
interface Fault {
  readonly code: ErrorCode;
  readonly isLate: boolean;
}

/** The same object, whose calls, and those of what they give back, take their faults from a queue. */
function faulty<Whole extends object>(whole: Whole, faults: (Fault | null)[]): Whole {
  const failIf = (isLate: boolean, fault: Fault | null | undefined): void => {
    if (fault?.isLate === isLate) throw new ContextError(fault.code, details[fault.code]);
  };
  const wrapped = (result: unknown): unknown => {
    if (typeof result !== "object" || result === null) return result;
    // Agents and leases: what else there is are values, and iterators.
    return "patch" in result ? faulty(result, faults) : result;
  };
  return new Proxy(whole, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      const method = (...input: unknown[]): unknown => {
        const fault = key === "agent" ? null : faults.shift();
        failIf(false, fault);
        const result: unknown = Reflect.apply(value, target, input);
        if (result instanceof Promise) {
          return result.then((settled) => {
            failIf(true, fault);
            return wrapped(settled);
          });
        }
        failIf(true, fault);
        return wrapped(result);
      };
      return method;
    },
  });
}

const calls: readonly [ContextToolName, Record<string, unknown>][] = [
  ["context_list", {}],
  ["context_list", { after: "gone" }],
  ["context_create", { id: "new", data: {} }],
  ["context_create", { id: "plan", data: {} }],
  ["context_read", { id: "plan" }],
  ["context_read", { id: "plan", since: "1.1" }],
  ["context_read", { id: "none" }],
  ["context_write", { id: "plan", base_version: "1.1", merge_patch: { step: 2 } }],
  ["context_write", { id: "plan", base_version: "1.1", operations: [{ op: "increment", path: "/n" }], release: true }],
  ["context_write", { id: "plan", base_version: "1.1", replace_all: { step: 3 }, release: true }],
  ["context_write", { id: "plan", base_version: "9.9", merge_patch: { step: 2 } }],
  ["context_wait", { id: "plan", since: "1.1", timeout_seconds: 0 }],
  ["context_wait", { id: "plan", unlocked: true, timeout_seconds: 0 }],
  ["context_history", { id: "plan" }],
  ["context_claim", { id: "plan" }],
  ["context_release", { id: "plan" }],
];

const codes = Object.keys(ERROR_CODES) as ErrorCode[];
const fault = fc.option(fc.record({ code: fc.constantFrom(...codes), isLate: fc.boolean() }), { freq: 2 });
const step = fc.record({ call: fc.constantFrom(...calls), faults: fc.array(fault, { maxLength: 6 }) });

type Opened = ToolsManager & { close(): unknown };
const kinds: [string, () => Opened | Promise<Opened>][] = [
  ["a synchronous manager", () => new SharedContextManager({ historyLimit: 4 })],
  ["memory:", () => openManager("memory:")],
];

describe(`a storage that refuses at any moment, ${CASES} cases`, { timeout: 20_000 + CASES * 20 }, () => {
  it.each(kinds)("%s", async (_kind, open) => {
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        const manager = await open();
        await manager.agent("bob").create("plan", { step: 1, n: 0 });
        const faults: (Fault | null)[] = [];
        const options = { claims: true, claimTtlMs: 1_000 };
        const tools = contextTools({ manager: faulty<ToolsManager>(manager, faults), agentId: "ann" }, options);
        for (const { call, faults: own } of steps) {
          faults.splice(0, Infinity, ...own);
          const [name, input] = call;
          const result = await tools[name]?.execute(input);
          expect(result).toMatchObject({ notices: expect.any(Array) });
          if (result?.isError !== true) continue;
          refused += 1;
          expect(result).toMatchObject({ code: expect.any(String), message: expect.any(String) });
          expect((result["next"] as string).length, JSON.stringify(result)).toBeGreaterThan(10);
        }
        await manager.close();
      }),
      { numRuns: CASES, endOnFailure: false, ...(seed !== undefined && { seed: Number(seed) }) },
    );
    expect(refused).toBeGreaterThan(CASES / 10);
  });
});
