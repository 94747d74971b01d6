import { type AnyContextError, type ErrorCode, isContextError } from "shared-context-manager";
import { expect } from "vitest";

/** The refusal that `action` ends in; fails when it does not, or with another code. */
export function refusal<Code extends ErrorCode>(
  code: Code,
  action: () => unknown,
): Extract<AnyContextError, { code: Code }> {
  let outcome: unknown;
  try {
    outcome = action();
  } catch (error) {
    if (isContextError(error, code)) return error as unknown as Extract<AnyContextError, { code: Code }>;
    throw error;
  }
  return expect.fail(`expected ${code}, got ${String(outcome)}`);
}

/** Everything a manager holds, as text: equal texts, equal stores. */
export function contentOf(manager: { toJSON(): unknown }): string {
  return JSON.stringify(manager);
}

/** A clock that moves only when told to. */
export function manualClock(wallMs = Date.UTC(2026, 0, 31, 9, 30)): { wallMs(): number; advance(ms: number): void } {
  let now = wallMs;
  return {
    wallMs: () => now,
    advance: (ms) => {
      now += ms;
    },
  };
}
