/** An engine whose answers get lost on the way, as those of a server do when the connection is cut. */

import type { CommitOutcome, Engine, EngineTransaction } from "shared-context-manager";

/** How often, of 1. */
export interface Cuts {
  /** A request is lost: nothing happens, and nobody says so. */
  readonly request: number;
  /** An answer is lost: it has happened, and nobody says so. */
  readonly answer: number;
  /** After that the change log cannot be read either. */
  readonly log: number;
}

export function cutting(engine: Engine, { request, answer, log }: Cuts, random: () => number): Engine {
  let isLogCut = false;
  const lost = (transactions: readonly EngineTransaction[]): CommitOutcome[] => {
    isLogCut = random() < log;
    return transactions.map(() => ({ kind: "indeterminate", cause: new Error("the connection was cut") }));
  };
  return {
    supports: engine.supports,
    load: (ids, counts) => engine.load(ids, counts),
    async commit(transactions) {
      if (random() < request) return lost(transactions);
      if (random() >= answer) return engine.commit(transactions);
      // What the engine would have told of the revisions is lost as well.
      await engine.commit(structuredClone(transactions));
      return lost(transactions);
    },
    list: (options) => engine.list(options),
    changes(options) {
      if (!isLogCut) return engine.changes(options);
      isLogCut = false;
      return Promise.reject(new Error("the connection was cut"));
    },
    history: (id) => engine.history(id),
    onWake: (listener) => engine.onWake(listener),
    close: () => engine.close(),
  };
}
