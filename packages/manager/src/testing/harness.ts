/** What the author of an engine passes to the kit, and what the cases get from it. */

import type { AsyncSharedContextManager } from "../async/manager.ts";
import type { Engine, EngineOptions } from "../engine.ts";
import { managerOver, type OpenOptions } from "../open.ts";
import { type Grounds, type HarnessOptions, nameOfStore } from "./case.ts";
import { logSince } from "./entries.ts";
import { type Ground, OPTIONS } from "./ground.ts";
import type { Random } from "./random.ts";

/** How to open an engine. */
export interface EngineHarness extends HarnessOptions {
  /**
   * Opens the store of this name: an empty one when the name is new; the same one again when it is not, for as long as
   * the engine says that it keeps or shares its stores.
   *
   * @param store - lower-case letters, digits and hyphens. Every case uses names of its own.
   */
  open(store: string, options: EngineOptions): Engine | Promise<Engine>;
  /** Takes the engine away from its store as the death of its process would: nothing is closed in an orderly way. */
  crash?(engine: Engine): void | Promise<void>;
  /** Cuts the connection to the store. The engine finds out by itself and connects again. */
  disconnect?(engine: Engine): void | Promise<void>;
}

/** What a case about an engine works on. */
export interface EngineGround extends Ground {
  readonly harness: EngineHarness;
  /** An engine on a store of its own. */
  open(options?: Partial<EngineOptions>): Promise<Engine>;
  /** Another engine on the store of one. */
  openAgain(engine: Engine): Promise<Engine>;
  /** A manager over an engine. */
  manager(engine: Engine, options?: OpenOptions): Promise<AsyncSharedContextManager>;
}

interface Site {
  readonly store: string;
  readonly options: EngineOptions;
}

export function engineGround(harness: EngineHarness, random: Random): Grounds<EngineGround> {
  const sites = new Map<Engine, Site>();
  const engines = new Map<AsyncSharedContextManager, Engine>();
  const opened: { close(): Promise<void> }[] = [];
  const openAt = async (site: Site): Promise<Engine> => {
    const engine = await harness.open(site.store, site.options);
    sites.set(engine, site);
    opened.push(engine);
    return engine;
  };
  const ground: EngineGround = {
    harness,
    random,
    open: (options) => openAt({ store: nameOfStore(), options: { ...OPTIONS, ...options } }),
    openAgain(engine) {
      const site = sites.get(engine);
      if (site === undefined) throw new Error("the kit has not opened this engine");
      return openAt(site);
    },
    async managers(count, options) {
      const engine = await ground.open(options);
      const managers = [await ground.manager(engine)];
      while (managers.length < count) {
        managers.push(await ground.manager(engine.supports.shared ? await ground.openAgain(engine) : engine));
      }
      const log = async (after: number, through: number) =>
        (await logSince(engine, after)).filter(({ revision }) => revision <= through);
      return { managers, log };
    },
    async cut(manager) {
      const engine = engines.get(manager);
      if (engine !== undefined) await harness.disconnect?.(engine);
    },
    async manager(engine, options) {
      const manager = await managerOver(engine, options);
      engines.set(manager, engine);
      opened.push(manager);
      return manager;
    },
  };
  const close = async (): Promise<void> => {
    // Managers before their engines. What has crashed or is closed already may say so.
    for (const one of opened.reverse()) await one.close().catch(() => undefined);
  };
  return { ground, close };
}
