import { type AnyContextError, type Clock, type ErrorCode, isContextError } from "shared-context-manager";
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

/** The refusal that a promise rejects with; fails when it does not, or with another code. */
export async function refusalOf<Code extends ErrorCode>(
  code: Code,
  promise: PromiseLike<unknown>,
): Promise<Extract<AnyContextError, { code: Code }>> {
  const outcome = await promise.then(
    (value) => () => value,
    (error: unknown) => () => {
      throw error;
    },
  );
  return refusal(code, outcome);
}

/** Everything a manager holds, as text: equal texts, equal stores. */
export function contentOf(manager: { toJSON(): unknown }): string {
  return JSON.stringify(manager);
}

/** Time that moves only when told to: the timers that fall due on the way fire in their order. */
export interface ManualClock extends Clock {
  advance(ms: number): void;
  /** Moves the wall clock alone, as an operator or a time server does. */
  jumpWall(ms: number): void;
  readonly timers: number;
}

export function manualClock(wallMs = Date.UTC(2026, 0, 31, 9, 30)): ManualClock {
  let leaseMs = 1_000;
  let offsetMs = wallMs - leaseMs;
  const timers = new Set<{ atMs: number; callback: () => void }>();
  const next = (untilMs: number): { atMs: number; callback: () => void } | undefined =>
    [...timers].filter(({ atMs }) => atMs <= untilMs).toSorted((a, b) => a.atMs - b.atMs)[0];
  return {
    wallMs: () => leaseMs + offsetMs,
    leaseMs: () => leaseMs,
    setTimer(callback, delayMs) {
      const timer = { atMs: leaseMs + Math.max(delayMs, 0), callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      const untilMs = leaseMs + ms;
      for (let timer = next(untilMs); timer !== undefined; timer = next(untilMs)) {
        timers.delete(timer);
        leaseMs = timer.atMs;
        timer.callback();
      }
      leaseMs = untilMs;
    },
    jumpWall(ms) {
      offsetMs += ms;
    },
    get timers() {
      return timers.size;
    },
  };
}

/** Lets everything that waits for promises alone run. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
