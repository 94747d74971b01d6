/**
 * Queues of three agents, with time as a command: on one context at every state that can be reached, on two at the 1,000
 * that are nearest to the start. Each is reached anew by its shortest sequence of commands on a real manager, and left to
 * run out.
 */

import { type Agent, isContextError, type Lease, SharedContextManager } from "shared-context-manager";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Agenda } from "../src/agenda.ts";
import { Queues } from "../src/queues.ts";
import { Handovers } from "../src/handovers.ts";
import { manualClock, settled } from "./support.ts";

const AGENTS = ["ann", "bob", "cyd"];
const TTL_MS = 10;
const WANTS = { "acquire x": ["x"], "acquire y": ["y"], "acquire both": ["y", "x"] };

type Does =
  keyof typeof WANTS | "release" | "renew" | "write" | "give up" | "delete x" | "create x" | "clear" | "time passes";
type Command = readonly [agent: string, does: Does];

function commandsOn(wants: readonly (keyof typeof WANTS)[]): readonly Command[] {
  return [
    ...AGENTS.flatMap((agent): Command[] =>
      ([...wants, "release", "renew", "write", "give up"] as const).map((does) => [agent, does]),
    ),
    ["", "delete x"],
    ["", "create x"],
    ["", "clear"],
    ["", "time passes"],
  ];
}

const ON_ONE = commandsOn(["acquire x"]);
const ON_TWO = commandsOn(["acquire x", "acquire y", "acquire both"]);

interface Wait {
  readonly ids: readonly string[];
  readonly abort: AbortController;
}

class Trial {
  readonly clock = manualClock();
  readonly manager = new SharedContextManager({ clock: this.clock });
  readonly agents = new Map<string, Agent>(AGENTS.map((name) => [name, this.manager.agent(name)]));
  readonly leases = new Map<string, Lease>();
  /** In the order of arrival. */
  readonly waiting = new Map<string, Wait>();
  readonly #granted: { agent: string; ahead: [string, Wait][] }[] = [];
  readonly ends: string[] = [];
  /** The last token of each context. */
  readonly tokens = new Map<string, number>();
  broken: string | undefined;

  constructor() {
    for (const id of ["x", "y"]) this.manager.create(id, { n: 0 });
  }

  /** Whether the command makes sense here: one wait an agent; the lease it forgets lapses. */
  allows([agent, does]: Command): boolean {
    if (does in WANTS) return !this.waiting.has(agent);
    if (does === "release" || does === "renew" || does === "write") return this.leases.has(agent);
    if (does === "give up") return this.waiting.has(agent);
    if (does === "create x") return this.manager.get("x") === undefined;
    return does !== "delete x" || this.manager.get("x") !== undefined;
  }

  async run([agent, does]: Command): Promise<void> {
    if (does in WANTS) void this.#acquire(agent, WANTS[does as keyof typeof WANTS]);
    else if (does === "give up") this.waiting.get(agent)?.abort.abort(new RangeError("enough"));
    else if (does === "delete x") this.manager.delete("x");
    else if (does === "create x") this.manager.create("x", { n: 0 });
    else if (does === "clear") this.manager.clear();
    else if (does === "time passes") this.clock.advance(TTL_MS / 2);
    else this.#use(agent, does);
    await settled();
    this.#checkOrder();
    this.#checkNobodyForgotten();
    this.#checkNoCycle();
  }

  /** Whoever stood ahead of a granted agent in one of its queues has gone by the end of the step. */
  #checkOrder(): void {
    for (const { agent, ahead } of this.#granted.splice(0)) {
      const passed = ahead.find(([other, wait]) => this.waiting.get(other) === wait);
      if (passed !== undefined) this.broken = `${agent} passed ${passed[0]}`;
    }
  }

  /** Also late: until somebody takes the lock, its owner may renew it and write. */
  #use(agent: string, does: Does): void {
    const lease = this.leases.get(agent);
    try {
      if (does === "renew") lease?.renew();
      else if (does === "write") lease?.patch(lease.contextIds[0] ?? "", [{ op: "increment", path: "/n" }]);
      else lease?.release();
    } catch (error) {
      if (!isContextError(error, "LEASE_LOST") && !isContextError(error, "NOT_FOUND")) this.broken = String(error);
    }
    if (does === "release") this.leases.delete(agent);
  }

  async #acquire(agent: string, ids: readonly string[]): Promise<void> {
    const abort = new AbortController();
    const ahead = [...this.waiting].filter(([, other]) => other.ids.some((id) => ids.includes(id)));
    const promise = this.agents
      .get(agent)!
      .acquire(ids, { ttlMs: TTL_MS, maxHoldMs: 0, timeoutMs: 12, signal: abort.signal });
    this.waiting.set(agent, { ids, abort });
    try {
      const lease = await promise;
      this.#granted.push({ agent, ahead });
      for (const id of lease.contextIds) {
        if (lease.token <= (this.tokens.get(id) ?? 0)) this.broken = "tokens do not increase";
        this.tokens.set(id, lease.token);
      }
      this.leases.set(agent, lease);
      this.ends.push("granted");
    } catch (error) {
      this.ends.push(isContextError(error) ? error.code : "aborted");
    }
    this.waiting.delete(agent);
  }

  #checkNobodyForgotten(): void {
    const claimed = new Set<string>();
    for (const [agent, { ids }] of this.waiting) {
      if (ids.every((id) => !claimed.has(id) && this.manager.get(id)?.lockedBy === null))
        this.broken = `nobody woke ${agent}`;
      for (const id of ids) claimed.add(id);
    }
  }

  /** Nobody waits for itself, by way of those who hold what it wants or stand ahead of it. */
  #checkNoCycle(): void {
    const waits = [...this.waiting];
    const blockers = new Map(
      waits.map(([agent, { ids }], place) => {
        const ahead = waits.slice(0, place).filter(([, other]) => other.ids.some((id) => ids.includes(id)));
        return [agent, [...ids.map((id) => this.#holderOf(id)), ...ahead.map(([other]) => other)]];
      }),
    );
    for (const [agent] of waits) {
      const reached = new Set<string | null>(blockers.get(agent));
      for (const other of reached) for (const further of blockers.get(other ?? "") ?? []) reached.add(further);
      if (reached.has(agent)) this.broken = `${agent} waits for itself`;
    }
  }

  #holderOf(id: string): string | null {
    const lock = this.manager.get(id)?.lock ?? null;
    const hasLapsed = lock !== null && (lock.expiresAt?.getTime() ?? Infinity) <= this.clock.wallMs();
    return lock === null || hasLapsed ? null : lock.owner;
  }

  key(): string {
    const now = this.clock.wallMs();
    const contexts = ["x", "y"].map((id) => {
      const context = this.manager.get(id);
      const left = context?.lock && Math.max((context.lock.expiresAt?.getTime() ?? 0) - now, 0);
      return [context !== undefined, context?.lockedBy, left];
    });
    const leases = AGENTS.map((agent) => {
      const lease = this.leases.get(agent);
      return lease && lease.contextIds.map((id) => this.manager.get(id)?.lock?.token === lease.token);
    });
    return JSON.stringify([contexts, leases, [...this.waiting].map(([agent, { ids }]) => [agent, ids])]);
  }

  /** Every wait ends, whatever else happens or does not. */
  async runOut(): Promise<void> {
    for (let turn = 0; turn < 20 && this.waiting.size > 0; turn++) {
      this.clock.advance(TTL_MS);
      await settled();
    }
    if (this.waiting.size > 0) this.broken = "a wait without an end";
  }
}

async function replay(commands: readonly Command[]): Promise<Trial> {
  const trial = new Trial();
  for (const command of commands) await trial.run(command);
  return trial;
}

/** Breadth-first over the states, up to so many; what was broken first, and all the ways that waits ended in. */
async function exploreWaiting(
  commands: readonly Command[],
  most: number,
): Promise<{ states: number; broken?: string; ends: Set<string> }> {
  const seen = new Set<string>([new Trial().key()]);
  const ends = new Set<string>();
  const pending: Command[][] = [[]];
  for (let way = pending.shift(); way !== undefined; way = pending.shift()) {
    const here = await replay(way);
    for (const command of commands) {
      if (!here.allows(command)) continue;
      const next = await replay([...way, command]);
      const key = next.key();
      for (const end of next.ends) ends.add(end);
      if (next.broken === undefined && (seen.has(key) || seen.size >= most)) continue;
      seen.add(key);
      pending.push([...way, command]);
      await next.runOut();
      for (const end of next.ends) ends.add(end);
      if (next.broken !== undefined)
        return { states: seen.size, broken: `${next.broken}: ${JSON.stringify([...way, command])}`, ends };
    }
  }
  return { states: seen.size, ends };
}

type Mutant = [name: string, broken: RegExp, mutate: () => unknown];

const NOBODY_WOKEN: Mutant = [
  "nobody is woken",
  /^nobody woke/,
  () => vi.spyOn(Handovers.prototype, "settle").mockImplementation(() => undefined),
];
const NO_TIMERS: Mutant = [
  "no time is ever up",
  /^a wait without an end/,
  () => vi.spyOn(Agenda.prototype, "add").mockImplementation(() => undefined),
];
const STAYS: Mutant = [
  "whoever gives up stays in line",
  /^nobody woke/,
  () => vi.spyOn(Queues.prototype, "leave").mockImplementation(() => undefined),
];
const ONE_IS_ENOUGH: Mutant = [
  "one queue is enough",
  /passed/,
  () => vi.spyOn(Queues.prototype, "isFirstEverywhere").mockReturnValue(true),
];
const BARGES: Mutant = [
  "a newcomer may take what others wait for",
  /passed/,
  () => vi.spyOn(Handovers.prototype, "isAwaited").mockReturnValue(false),
];
const NO_LOOK: Mutant = [
  "nobody looks for cycles",
  /waits for itself/,
  () => vi.spyOn(Queues.prototype, "cycle").mockReturnValue(undefined),
];

describe.each([
  ["every state of three agents and one context", ON_ONE, Infinity, 200, [NOBODY_WOKEN, STAYS, NO_TIMERS]],
  [
    "the nearest states of three agents and two contexts",
    ON_TWO,
    1_000,
    800,
    [NOBODY_WOKEN, ONE_IS_ENOUGH, BARGES, NO_LOOK],
  ],
] as const)("waiting, at %s", (_where, commands, most, least, mutants) => {
  afterEach(() => vi.restoreAllMocks());

  it("is fair, wakes whoever can go on, and always ends", async () => {
    const { states, broken, ends } = await exploreWaiting(commands, most);
    expect(broken).toBeUndefined();
    expect(states).toBeGreaterThan(least);
    expect([...ends].toSorted()).toEqual(["DEADLOCK", "NOT_FOUND", "TIMEOUT", "aborted", "granted"]);
  }, 60_000);

  it.each<Mutant>([...mutants])(
    "would be caught if %s",
    async (_name, broken, mutate) => {
      mutate();
      expect((await exploreWaiting(commands, most)).broken).toMatch(broken);
    },
    60_000,
  );
});
