/** The driver's refusals: those that pass are waited for, the others told in the words of this package. */

import { ContextError } from "../../errors.ts";

const BUSY_TIMEOUT_MS = 10_000;
/** How long a try for the write lock may block at most before the event loop gets its turn. */
const BLOCK_MS = 2;
const SLEEP = new Int32Array(new SharedArrayBuffer(4));

/**
 * Runs something that needs the write lock, again and again while another process has it. The pauses are short and
 * random: with the driver's own busy timeout one of two writers can be kept out for seconds.
 */
export async function whenFree<Result>(run: () => Result): Promise<Result> {
  const startedMs = performance.now();
  for (;;) {
    const blockedFromMs = performance.now();
    do {
      try {
        return run();
      } catch (error) {
        if (!isBusy(error) || performance.now() - startedMs > BUSY_TIMEOUT_MS) throw translated(error);
      }
      Atomics.wait(SLEEP, 0, 0, 0.1 + 0.2 * Math.random());
    } while (performance.now() - blockedFromMs < BLOCK_MS);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

interface SqliteError extends Error {
  readonly errcode: number;
}

const BUSY = 5;
const LOCKED = 6;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

/** The low byte is the code itself, what is above it says more. */
function codeOf(error: unknown): number | undefined {
  const { errcode } = (error ?? {}) as Partial<SqliteError>;
  return typeof errcode === "number" ? errcode & 0xff : undefined;
}

function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return code === BUSY || code === LOCKED;
}

/** Readers need no lock, except while the file is being mended after a process that was killed. */
export function reading<Result>(run: () => Result): Result | Promise<Result> {
  try {
    return run();
  } catch (error) {
    if (isBusy(error)) return whenFree(run);
    throw translated(error);
  }
}

/** What the driver says, in the words of this package; the driver's error is the cause. @param where - after SQLite. */
export function translated(error: unknown, where = ""): unknown {
  const code = codeOf(error);
  if (error instanceof ContextError || (code === undefined && !(error instanceof Error))) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const failure =
    code === CORRUPT || code === NOT_A_DATABASE
      ? new ContextError("CORRUPT", { where: "the database file", reason })
      : new ContextError("UNAVAILABLE", { reason: `SQLite${where}: ${reason}` });
  failure.cause = error;
  return failure;
}
