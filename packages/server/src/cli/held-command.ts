/** A command that runs while a lock is held. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { ContextError } from "shared-context-manager";
import type { Input } from "./command.ts";
import { type Connection, isServer } from "./connect.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { type Output, Refused, UsageError } from "./output.ts";

export interface Held {
  readonly api: Connection;
  readonly ids: readonly string[];
  readonly token: string;
  /** `null` for ever. */
  readonly ttlMs: number | null;
  readonly owner: string;
  /** When it was granted, by the monotonic clock. */
  readonly sinceMs: number;
}

/** As shells say it. */
const NOT_EXECUTABLE = 126;
const NO_SUCH_COMMAND = 127;

/** Runs the command, renews meanwhile, and stops the command when the lock is lost. */
export async function whileHeld(input: Input, output: Output, held: Held): Promise<number> {
  const { api, ids } = held;
  const headers = { "lock-token": held.token };
  const [command = "", ...parameters] = input.rest;
  const child = spawn(command, parameters, { stdio: "inherit", env: environmentOf(input, held.owner) });
  let lost: Error | undefined;
  const end = renewing(held, (error) => {
    lost = error;
    child.kill();
  });
  const stop = (): void => void child.kill();
  input.signal.addEventListener("abort", stop);
  let exitCode: number;
  try {
    const [code] = (await once(child, "exit")) as [number | null];
    exitCode = code ?? EXIT.failed;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    output.failure(new UsageError(`the command cannot be run: ${message}`));
    exitCode = code === "ENOENT" ? NO_SUCH_COMMAND : NOT_EXECUTABLE;
  } finally {
    end();
    input.signal.removeEventListener("abort", stop);
  }
  if (lost !== undefined) throw lost;
  await api.send("POST", "/v1/locks/release", { headers, body: { context_ids: ids } });
  return exitCode;
}

/** So that the same commands, run by the command, speak to the same store in the same name. */
function environmentOf({ env, store, token }: Input, owner: string): Record<string, string | undefined> {
  const own = isServer(store) && token !== undefined ? { SHARED_CONTEXT_TOKEN: token } : {};
  return { ...env, SHARED_CONTEXT_STORE: store, SHARED_CONTEXT_AGENT: owner, ...own };
}

/** What never lapses, or not for long, is asked about all the same: it may have been broken. */
const LONGEST_MS = 10_000;

/** @param lose - is called when the lock is lost, and when nobody has said for its time to live that it is not. @returns what ends it. */
function renewing({ api, ids, token, ttlMs, sinceMs }: Held, lose: (error: Error) => void): () => void {
  const ended = new AbortController();
  let lapse: ReturnType<typeof setTimeout> | undefined;
  const lives = (fromMs: number): void => {
    clearTimeout(lapse);
    if (ttlMs === null || ended.signal.aborted) return;
    lapse = setTimeout(() => lose(lapsed(ids, token, ttlMs)), fromMs + ttlMs - performance.now());
  };
  const renew = async (): Promise<void> => {
    const sentMs = performance.now();
    const sent = { headers: { "lock-token": token }, body: { context_ids: ids, ttl_ms: ttlMs }, signal: ended.signal };
    try {
      await api.send("PATCH", "/v1/locks", sent);
      lives(sentMs);
    } catch (error) {
      // A server that does not answer may be back before the lock lapses.
      const mayCome = error instanceof Refused && exitCodeOf(error.problem.code) === EXIT.unavailable;
      if (!mayCome && !ended.signal.aborted) lose(error as Error);
    }
  };
  lives(sinceMs);
  const renewal = setInterval(() => void renew(), Math.min((ttlMs ?? Infinity) / 3, LONGEST_MS));
  return () => {
    clearInterval(renewal);
    clearTimeout(lapse);
    ended.abort();
  };
}

function lapsed([contextId = ""]: readonly string[], token: string, ttlMs: number): ContextError {
  const reason = `it could not be renewed for ${ttlMs} ms, its time to live`;
  return new ContextError("LEASE_LOST", { contextId, token: Number(token), owner: null, reason });
}
