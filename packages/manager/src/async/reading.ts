/** What is read from an engine, with its failures in the words of this package. */

import type { Engine } from "../engine.ts";
import { ContextError } from "../errors.ts";

export type Reading = Pick<Engine, "changes" | "history" | "list" | "load" | "onWake">;

/** @param checkOpen - throws CLOSED: what fails from then on, fails because of that. */
export function readingOf(engine: Engine, checkOpen: () => void): Reading {
  const told = async <Result>(read: () => Promise<Result>): Promise<Result> => {
    checkOpen();
    try {
      return await read();
    } catch (error) {
      checkOpen();
      throw asUnavailable(error);
    }
  };
  return {
    load: (ids, counts) => told(() => engine.load(ids, counts)),
    list: (query) => told(() => engine.list(query)),
    changes: (query) => told(() => engine.changes(query)),
    history: (id) => told(() => engine.history(id)),
    onWake: (listener) => engine.onWake(listener),
  };
}

/** What an engine rejects with that is not of this package, tells that it cannot be reached. */
export function asUnavailable(error: unknown): unknown {
  return error instanceof ContextError ? error : unavailable(error);
}

export function unavailable(cause: unknown): ContextError {
  const failure = new ContextError("UNAVAILABLE", { reason: cause instanceof Error ? cause.message : String(cause) });
  failure.cause = cause;
  return failure;
}
