/** One run: several processes on one store, several agents in each, and whatever chance makes of it. */

import { isContextError, managerOver } from "shared-context-manager";
import type { Change } from "shared-context-manager";
import { Actor, CONTEXTS, EMPTY } from "./actor.ts";
import { type Data, type Effect, Journal } from "./journal.ts";
import { checkLaws } from "./laws.ts";
import { Ledger } from "./ledger.ts";
import { Network, type Weather } from "./network.ts";
import { VirtualTime } from "./virtual-time.ts";
import { checkSlice, Watcher } from "./watcher.ts";

/** Nothing takes so long. */
const LIMIT_MS = 300_000;
/** By then the last lost hint has been made good. */
const CALM_MS = 5_000;
const STEPS = 6;

/** How often what came up. */
export type Tally = Map<string, number>;

/**
 * @returns all that was committed, as text.
 * @throws when something does not hold; the message begins with the seed.
 */
export async function simulate(seed: number, tally: Tally = new Map()): Promise<string> {
  const time = new VirtualTime(seed);
  const restore = time.install();
  try {
    const run = new Run(time);
    const story = run.play();
    if (!(await time.runUntil(story, LIMIT_MS))) throw new Error(`it never ends: ${run.unfinished().join(", ")}`);
    await story;
    run.count(tally);
    return run.trace;
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new Error(`seed ${seed}: ${what}\nreplay with SIM_SEED=${seed}`, { cause: error });
  } finally {
    restore();
  }
}

interface Subscription {
  readonly network: Network;
  readonly since: number;
  readonly told: Change<Data>[];
}

class Run {
  readonly #time: VirtualTime;
  readonly #ledger: Ledger;
  readonly #journal: Journal;
  readonly #networks: Network[] = [];
  readonly #watchers: Watcher[] = [];
  readonly #subscriptions: Subscription[] = [];
  readonly #logLimit: number;

  constructor(time: VirtualTime) {
    this.#time = time;
    this.#logLimit = time.random.below(5) === 0 ? 30 : 10_000;
    this.#ledger = new Ledger(time, { historyLimit: 64, changeLogLimit: this.#logLimit });
    this.#journal = new Journal(this.#ledger, time);
  }

  async play(): Promise<void> {
    const { random } = this.#time;
    await this.#prepare();
    const end = new AbortController();
    const actors: Actor[] = [];
    const watching: Promise<void>[] = [];
    const managers = [];
    for (let process = 1 + random.below(3); process > 0; process--) {
      const network = new Network(this.#ledger, this.#time, this.#weather());
      this.#networks.push(network);
      const manager = await managerUntil(network, this.#time);
      managers.push(manager);
      for (const filter of [undefined, random.pick(CONTEXTS), { prefix: "" }].slice(random.below(3))) {
        const watcher = new Watcher(manager, filter, this.#time);
        this.#watchers.push(watcher);
        watching.push(watcher.watch(end.signal));
      }
      const told: Change<Data>[] = [];
      manager.subscribe(undefined, (change) => told.push(change));
      this.#subscriptions.push({ network, since: this.#ledger.head, told });
      for (let agent = 1 + random.below(3); agent > 0; agent--) {
        const name = `agent ${process}.${agent}`;
        actors.push(new Actor(name, manager, network, this.#journal, this.#time));
      }
    }
    await Promise.all(actors.map((actor) => actor.live(STEPS)));
    for (const network of this.#networks) network.clearUp();
    await this.#time.sleep(CALM_MS);
    await Promise.all(actors.map((actor) => actor.leave()));
    await this.#time.sleep(CALM_MS);
    checkLaws(this.#ledger, this.#journal);
    this.#checkTold();
    this.#checkFree();
    end.abort();
    for (const manager of managers) await manager.close();
    await Promise.all(watching);
  }

  get trace(): string {
    return JSON.stringify(this.#ledger.commits);
  }

  unfinished(): string[] {
    return [...this.#journal.operations.values()].filter(({ to }) => to === undefined).map(({ label }) => label);
  }

  count(tally: Tally): void {
    for (const { kind, outcome } of this.#journal.operations.values()) {
      const error = outcome !== undefined && "error" in outcome ? outcome.error : undefined;
      const end = error === undefined ? kind : isContextError(error) ? error.code : "ABORT";
      tally.set(end, (tally.get(end) ?? 0) + 1);
    }
    if (this.#watchers.some(({ stretches }) => stretches.length > 1)) tally.set("GAP", (tally.get("GAP") ?? 0) + 1);
  }

  async #prepare(): Promise<void> {
    const calm = new Network(this.#ledger, this.#time, {
      longestMs: 0,
      readFails: 0,
      commitFails: 0,
      replyLost: 0,
      wakeLost: 0,
    });
    const manager = await managerOver<Data>(calm);
    const first = manager.agent("first");
    for (const contextId of CONTEXTS) {
      const effects = new Map<string, Effect>([[contextId, () => EMPTY]]);
      const intent = { kind: "create", agentId: "first", contextIds: [contextId], effects };
      await this.#journal.note(calm, intent, (note) => first.create(contextId, EMPTY, { note }));
    }
  }

  /** Some processes have it quiet, some rough. */
  #weather(): Weather {
    const { random } = this.#time;
    const roughness = random.below(4);
    return {
      longestMs: random.pick([0, 1, 5, 20]),
      readFails: random.below(2) * roughness,
      commitFails: 3 * roughness,
      replyLost: 8 * roughness,
      wakeLost: 15 * roughness,
    };
  }

  #isDone(network: Network, label: string | null): boolean {
    const operation = this.#journal.operations.get(label ?? "");
    return operation?.network === network && operation.outcome !== undefined && "value" in operation.outcome;
  }

  /** Whoever leaves gives back what it holds, also what it was never told that it got. */
  #checkFree(): void {
    for (const contextId of CONTEXTS) {
      const owner = this.#ledger.at(contextId, this.#ledger.head)?.lock?.owner;
      if (owner !== undefined) throw new Error(`${owner} has gone and still holds ${contextId}`);
    }
  }

  #checkTold(): void {
    for (const watcher of this.#watchers) watcher.check(this.#ledger);
    const all = this.#ledger.commits.flatMap(({ revision, changes }) => changes.map((one) => ({ ...one, revision })));
    // A subscriber cannot be told that it has come too late for what a short log has dropped.
    if (all.length > this.#logLimit) return;
    for (const { network, since, told } of this.#subscriptions) {
      // It begins with what is there when the store answers; what its own process has done by then is not passed over.
      const own = all.find(({ revision, note }) => revision > since && this.#isDone(network, note));
      checkSlice(all, told, true, "a subscriber", own === undefined ? Infinity : own.revision - 1);
    }
  }
}

async function managerUntil(network: Network, time: VirtualTime): ReturnType<typeof managerOver<Data>> {
  for (;;) {
    try {
      return await managerOver<Data>(network, { clock: time });
    } catch (error) {
      if (!isContextError(error, "UNAVAILABLE")) throw error;
    }
  }
}
