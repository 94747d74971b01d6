/** What a case about managers works on, whether they have been opened or put on an engine. */

import type { AsyncSharedContextManager } from "../async/manager.ts";
import type { Change } from "../changes.ts";
import type { EngineOptions } from "../engine.ts";
import type { Random } from "./random.ts";

/** All that it opens is closed after the case. */
export interface Ground {
  readonly random: Random;
  /** Managers on one store that is new: clients of their own where a store can be shared, else the same one. */
  managers(count: number, options?: Partial<EngineOptions>): Promise<Clients>;
  /** Cuts the connection of a manager to its store: the hook `disconnect`. */
  cut(manager: AsyncSharedContextManager): Promise<void>;
}

export interface Clients {
  readonly managers: readonly AsyncSharedContextManager[];
  /** The change log past a revision, up to a change at another. */
  readonly log: (after: number, through: number) => Promise<readonly Told[]>;
}

export type Pair = readonly [AsyncSharedContextManager, AsyncSharedContextManager];

/** What of a change any reader can be compared by. */
export type Told = Pick<Change, "revision" | "kind" | "contextId">;

export const OPTIONS: EngineOptions = { historyLimit: 64, changeLogLimit: 10_000 };

/** Two clients of one store. */
export async function pairOf(ground: Ground, options?: Partial<EngineOptions>): Promise<Pair> {
  const { managers } = await ground.managers(2, options);
  return managers as unknown as Pair;
}

export async function oneOf(ground: Ground, options?: Partial<EngineOptions>): Promise<AsyncSharedContextManager> {
  const { managers } = await ground.managers(1, options);
  return managers[0] as AsyncSharedContextManager;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
