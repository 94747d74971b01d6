import { type AnyContextError, type Change, type Clock, type ErrorCode, isContextError } from "shared-context-manager";
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

/** A change in short, as in "3 updated plan". */
export function brief({ revision, kind, contextId }: Pick<Change, "contextId" | "kind" | "revision">): string {
  return `${revision} ${kind} ${contextId ?? "*"}`;
}

/** What a stream has told so far. */
export interface Following<Data extends object> {
  readonly changes: Change<Data>[];
  /** The same in short. */
  readonly told: string[];
  /** How it ended: "done", or what it rejected with. */
  end: unknown;
}

/** Reads a stream in the background, as fast as it comes. */
export function follow<Data extends object>(stream: AsyncIterable<Change<Data>>): Following<Data> {
  const following: Following<Data> = { changes: [], told: [], end: undefined };
  const read = async (): Promise<unknown> => {
    for await (const change of stream) {
      following.changes.push(change);
      following.told.push(brief(change));
    }
    return "done";
  };
  read().then(
    (end) => (following.end = end),
    (error: unknown) => (following.end = error),
  );
  return following;
}

/** The next so many changes of a stream, in short. */
export async function take<Data extends object>(
  stream: AsyncIterator<Change<Data>, undefined>,
  count: number,
): Promise<string[]> {
  const told: string[] = [];
  while (told.length < count) {
    const { done, value } = await stream.next();
    if (done === true) return [...told, "done"];
    told.push(brief(value));
  }
  return told;
}

/** A method as it is before a test puts another in its place; to be called with `call`. */
export function methodOf<Class extends object, Name extends keyof Class>(prototype: Class, name: Name): Class[Name] {
  return prototype[name];
}
