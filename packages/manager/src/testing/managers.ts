/** What whoever makes managers, over whatever they are, passes to the kit, and what the cases get from it. */

import type { AsyncSharedContextManager } from "../async/manager.ts";
import type { EngineOptions } from "../engine.ts";
import { type Grounds, type HarnessOptions, nameOfStore } from "./case.ts";
import { type Ground, OPTIONS, type Told } from "./ground.ts";
import type { Random } from "./random.ts";

/** How to open a manager. */
export interface ManagerHarness extends HarnessOptions {
  /**
   * Opens a manager on the store of this name: an empty one when the name is new; the same one again, as another client
   * would, when it is not, for as long as the manager says that its store is kept or shared.
   *
   * @param store - lower-case letters, digits and hyphens. Every case uses names of its own.
   * @param options - the limits that the store keeps to; the same ones whenever it is opened.
   */
  open(store: string, options: EngineOptions): Promise<AsyncSharedContextManager>;
  /** Cuts the connection to the store, or the server in between. The manager finds out by itself and connects again. */
  disconnect?(manager: AsyncSharedContextManager): void | Promise<void>;
}

/** What a case about managers alone works on. */
export interface ManagerGround extends Ground {
  /** A manager on a store of its own. */
  open(options?: Partial<EngineOptions>): Promise<AsyncSharedContextManager>;
  /** Another manager on the store of one. */
  openAgain(manager: AsyncSharedContextManager): Promise<AsyncSharedContextManager>;
}

interface Site {
  readonly store: string;
  readonly options: EngineOptions;
}

export function managerGround(harness: ManagerHarness, random: Random): Grounds<ManagerGround> {
  const sites = new Map<AsyncSharedContextManager, Site>();
  const openAt = async (site: Site): Promise<AsyncSharedContextManager> => {
    const manager = await harness.open(site.store, site.options);
    sites.set(manager, site);
    return manager;
  };
  const ground: ManagerGround = {
    random,
    open: (options) => openAt({ store: nameOfStore(), options: { ...OPTIONS, ...options } }),
    openAgain(manager) {
      const site = sites.get(manager);
      if (site === undefined) throw new Error("the kit has not opened this manager");
      return openAt(site);
    },
    async managers(count, options) {
      const first = await ground.open(options);
      const managers = [first];
      while (managers.length < count) managers.push(first.supports.shared ? await ground.openAgain(first) : first);
      return { managers, log: (after, through) => logOf(first, after, through) };
    },
    async cut(manager) {
      await harness.disconnect?.(manager);
    },
  };
  const close = async (): Promise<void> => {
    for (const manager of [...sites.keys()].reverse()) await manager.close().catch(() => undefined);
  };
  return { ground, close };
}

/** A manager has no other way to its log than to watch: whether that tells all, the model says. */
async function logOf(manager: AsyncSharedContextManager, after: number, through: number): Promise<Told[]> {
  const log: Told[] = [];
  if (after >= through) return log;
  for await (const change of manager.watch(undefined, { after })) {
    log.push(change);
    if (change.revision >= through) break;
  }
  return log;
}
