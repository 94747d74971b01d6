/** What the author of an engine passes to the kit, and what the cases get from it. */

import type { AsyncSharedContextManager } from "../async/manager.ts";
import type { Engine, EngineOptions } from "../engine.ts";
import { managerOver, type OpenOptions } from "../open.ts";
import { type Random, randomFrom } from "./random.ts";

/** How to open an engine. */
export interface EngineHarness {
  /** What the engine is called in the names of the cases. */
  readonly name: string;
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
  /** What the random cases begin with: by default a seed of its own for each run. A failure prints it. */
  readonly seed?: number;
}

/** What a case works on. All that it opens is closed after it. */
export interface Ground {
  readonly harness: EngineHarness;
  readonly random: Random;
  /** An engine on a store of its own. */
  open(options?: Partial<EngineOptions>): Promise<Engine>;
  /** Another engine on the store of one. */
  openAgain(engine: Engine): Promise<Engine>;
  /** Managers on one store, each with an engine of its own where engines can share a store. */
  managers(count: number, options?: Partial<EngineOptions>): Promise<Clients>;
  /** A manager over an engine. */
  manager(engine: Engine, options?: OpenOptions): Promise<AsyncSharedContextManager>;
}

export interface Clients {
  readonly engine: Engine;
  readonly managers: readonly AsyncSharedContextManager[];
}

/** One claim about the engine. `run` rejects when it does not hold. */
export interface EngineCase {
  /** What it is about, for the reports of a test runner. */
  readonly group: string;
  /** The claim, as a sentence. */
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** A case as it is written down. */
export interface Claim {
  readonly name: string;
  /** Whether the harness can show it at all. */
  readonly needs?: keyof EngineHarness;
  readonly check: (ground: Ground) => Promise<void>;
}

const OPTIONS: EngineOptions = { historyLimit: 64, changeLogLimit: 10_000 };
let stores = 0;

/** The case of a claim: a ground, the check, and everything closed whatever happens. */
export function caseOf(harness: EngineHarness, group: string, { name, check }: Claim): EngineCase {
  return {
    group,
    name,
    async run() {
      const seed = harness.seed ?? Math.floor(Math.random() * 2 ** 32);
      const { ground, close } = groundOf(harness, randomFrom(seed));
      try {
        await check(ground);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        throw new Error(`${message}\n  seed: ${seed}`, { cause: error });
      } finally {
        await close();
      }
    },
  };
}

interface Site {
  readonly store: string;
  readonly options: EngineOptions;
}

function groundOf(harness: EngineHarness, random: Random): { ground: Ground; close: () => Promise<void> } {
  const sites = new Map<Engine, Site>();
  const opened: { close(): Promise<void> }[] = [];
  const openAt = async (site: Site): Promise<Engine> => {
    const engine = await harness.open(site.store, site.options);
    sites.set(engine, site);
    opened.push(engine);
    return engine;
  };
  const ground: Ground = {
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
      return { engine, managers };
    },
    async manager(engine, options) {
      const manager = await managerOver(engine, options);
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

/** Also new for other processes that run the kit on the same server. */
function nameOfStore(): string {
  return `kit-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}-${++stores}`;
}
