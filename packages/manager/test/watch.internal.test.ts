/**
 * Random commands, and watchers with random filters, beginnings and speeds that end anywhere: what each of them hears
 * is the slice of a log that the test keeps by subscribing to a second manager, which does the same. A failure prints
 * seed and path; replay with FC_SEED.
 */

import fc from "fast-check";
import {
  type Change,
  type ContextFilter,
  isContextError,
  type SharedContext,
  SharedContextManager,
} from "shared-context-manager";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Cursor, type Gap, type Reader, type Records } from "../src/cursor.ts";
import { Feed } from "../src/feed.ts";
import { brief, type ManualClock, manualClock, methodOf, settled } from "./support.ts";

interface Step {
  readonly step: number;
}

type Manager = SharedContextManager<Step>;

type Command =
  | { does: "create" | "delete" | "lock" | "unlock" | "patch" | "recreate"; id: string; agent: string; step: number }
  | { does: "clear" | "wait" }
  | { does: "move"; ids: readonly string[]; agent: string; step: number }
  | { does: "burst"; ids: readonly string[]; times: number };

interface Plan {
  readonly filter: ContextFilter | undefined;
  /** Before which command it begins. */
  readonly from: number;
  readonly begins: "now" | "head" | "past";
  readonly coalesce: boolean;
  /** How many changes it reads after each command; a sleeper reads only at the end. */
  readonly speed: number;
  readonly ends: { readonly at: number; readonly by: "abort" | "return" };
}

const IDS = ["a", "ab", "b", ""];
const id = fc.constantFrom(...IDS);
const ids = fc.subarray(IDS, { minLength: 2 });
const agent = fc.constantFrom("ann", "bob");
const step = fc.nat(2);
const single = fc.record({
  does: fc.constantFrom("create", "create", "delete", "lock", "unlock", "patch", "patch", "recreate"),
  id,
  agent,
  step,
}) as fc.Arbitrary<Command>;
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: single },
  { weight: 3, arbitrary: fc.record({ does: fc.constant("move" as const), ids, agent, step }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constantFrom("clear" as const, "wait" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constant("burst" as const), ids, times: fc.integer({ min: 20, max: 600 }) }),
  },
);
const plan: fc.Arbitrary<Plan> = fc.record({
  filter: fc.oneof(fc.constant(undefined), id, fc.record({ prefix: fc.constantFrom("", "a", "ab", "c") })),
  from: fc.nat(20),
  begins: fc.constantFrom("now" as const, "head" as const, "past" as const),
  coalesce: fc.boolean(),
  speed: fc.constantFrom(0, 1, 3, 100, 1_000),
  ends: fc.record({ at: fc.nat(80), by: fc.constantFrom("abort" as const, "return" as const) }),
});

/** Does the same to any manager that is in the same state. */
function run(manager: Manager, command: Command): void {
  try {
    perform(manager, command);
  } catch (error) {
    if (!isContextError(error)) throw error;
  }
}

function perform(manager: Manager, command: Command): void {
  switch (command.does) {
    case "create":
      manager.agent(command.agent).create(command.id, { step: command.step }, { note: "created" });
      return;
    case "delete":
      manager.delete(command.id);
      return;
    case "lock":
      manager
        .agent(command.agent)
        .acquire(command.id, { ttlMs: 100, maxHoldMs: 0, timeoutMs: 0 })
        .catch(() => undefined);
      return;
    case "unlock":
      manager.unlock(command.id, command.agent);
      return;
    case "patch":
      manager.agent(command.agent).patch(command.id, { step: command.step });
      return;
    case "recreate":
      manager.agent(command.agent).transact((tx) => {
        tx.delete(command.id);
        tx.create(command.id, { step: command.step });
      });
      return;
    case "move":
      manager.agent(command.agent).transact((tx) => {
        for (const id of command.ids) {
          const found = tx.get(id);
          if (found === undefined) tx.create(id, { step: command.step });
          else tx.update(id, { step: found.data.step + 1 });
        }
      });
      return;
    case "burst":
      for (let time = 0; time < command.times; time++) {
        perform(manager, { does: "move", ids: command.ids, agent: "ann", step: 0 });
      }
      return;
    case "clear":
      manager.clear();
      return;
    case "wait":
    // Time passes for both managers at once.
  }
}

function passes(filter: ContextFilter | undefined, contextId: string | null): boolean {
  if (filter === undefined || contextId === null) return true;
  return typeof filter === "string" ? filter === contextId : contextId.startsWith(filter.prefix);
}

const stateOf = (context: SharedContext<Step>): string =>
  JSON.stringify([context.incarnation, context.version, context.data, context.lockedBy]);

const tell = (change: Change<Step>): string =>
  `${brief(change)} by ${change.agentId} (${change.note}): ${change.context && stateOf(change.context)}`;

/** The manager under test, and a second one whose subscriber keeps the log. */
class World {
  readonly clock: ManualClock = manualClock();
  readonly manager: Manager;
  readonly log: Change<Step>[] = [];
  /** How things were after each revision. */
  readonly states = new Map<number, ReadonlyMap<string, string>>([[0, new Map()]]);
  readonly #twin: Manager;

  constructor(changeLogLimit: number) {
    this.manager = new SharedContextManager<Step>({ clock: this.clock, changeLogLimit });
    this.#twin = new SharedContextManager<Step>({ clock: this.clock });
    this.#twin.subscribe(undefined, (change) => {
      this.log.push(change);
      this.states.set(change.revision, this.present());
    });
  }

  run(command: Command): void {
    run(this.#twin, command);
    run(this.manager, command);
    if (command.does === "wait") this.clock.advance(100);
  }

  get head(): number {
    return this.#twin.stats().revision;
  }

  /** How things were at a revision; renewals are no change. */
  stateAt(revision: number): ReadonlyMap<string, string> | undefined {
    return this.states.get(Math.max(...[...this.states.keys()].filter((at) => at <= revision)));
  }

  /** How things are, as the twin has it. */
  present(filter?: ContextFilter): ReadonlyMap<string, string> {
    const contexts = [...this.#twin].filter(({ contextId }) => passes(filter, contextId));
    return new Map(contexts.map((context) => [context.contextId, stateOf(context)]));
  }

  /** What a watcher that begins now hears first. */
  current(filter: ContextFilter | undefined): string[] {
    return [...this.#twin]
      .filter(({ contextId }) => passes(filter, contextId))
      .toSorted((one, other) => (one.revision ?? 0) - (other.revision ?? 0))
      .map(
        (context) =>
          `${context.revision} current ${context.contextId} by ${context.updatedBy} (${context.note}): ${stateOf(context)}`,
      );
  }
}

/** One watcher at its speed. */
class Watcher {
  readonly plan: Plan;
  readonly heard: Change<Step>[] = [];
  end: unknown;
  /** What it goes on from; `undefined` when it begins with how things are. */
  readonly after: number | undefined;
  /** How things were when it looked first. */
  first: readonly string[] | undefined;
  /** It has to hear of everything past this revision. */
  since: number;
  readonly #world: World;
  readonly #abort = new AbortController();
  readonly #stream: AsyncIterableIterator<Change<Step>, undefined>;
  #wait: Promise<void> | undefined;

  constructor(world: World, plan: Plan, changeLogLimit: number) {
    const { filter, coalesce, begins } = plan;
    const { head } = world;
    // What has gone before the log begins, nobody can tell whoever knows the state of then.
    const past = coalesce && changeLogLimit < Infinity ? head : Math.floor(head / 2);
    this.#world = world;
    this.plan = plan;
    this.after = begins === "now" ? undefined : begins === "head" ? head : past;
    this.since = this.after ?? 0;
    const { signal } = this.#abort;
    this.#stream = world.manager.watch(filter, {
      coalesce,
      signal,
      ...(this.after !== undefined && { after: this.after }),
    });
  }

  /** Reads up to so many changes, as far as they are there. */
  async read(times: number): Promise<void> {
    if (times > 0) this.#begin();
    for (let time = 0; time < times && this.end === undefined; time++) {
      this.#wait ??= this.#next();
      await settled();
      if (this.#wait !== undefined) return;
    }
  }

  async stop(): Promise<void> {
    if (this.plan.ends.by === "abort") this.#abort.abort(new RangeError("enough"));
    else await this.#stream.return?.();
    await this.read(1);
  }

  #begin(): void {
    if (this.first !== undefined) return;
    this.first = this.after === undefined ? this.#world.current(this.plan.filter) : [];
    if (this.after === undefined) this.since = this.#world.head;
  }

  async #next(): Promise<void> {
    try {
      const { done, value } = await this.#stream.next();
      if (done === true) this.end = "done";
      else this.heard.push(value);
    } catch (error) {
      this.end = error;
    }
    this.#wait = undefined;
  }
}

/** Checks what a watcher has heard; `isOver` when it has had the time to read everything. */
function check(world: World, watcher: Watcher, isOver: boolean, changeLogLimit: number): void {
  if (watcher.plan.coalesce) checkStates(world, watcher, isOver);
  else checkSlice(world, watcher, isOver, changeLogLimit);
  const revisions = watcher.heard.map(({ revision }) => revision);
  expect(revisions).toEqual(revisions.toSorted((one, other) => one - other));
}

/** It hears what is for it, all of it and nothing else; or it is told that it has been too slow. */
function checkSlice(world: World, watcher: Watcher, isOver: boolean, changeLogLimit: number): void {
  const { plan, since } = watcher;
  const heard = watcher.heard.map(tell);
  const mine = world.log.filter(({ revision, contextId }) => revision > since && passes(plan.filter, contextId));
  const expected = [...(watcher.first ?? []), ...mine.map(tell)];
  const isCompacted = isContextError(watcher.end, "COMPACTED");
  expect(heard).toEqual(isOver && !isCompacted ? expected : expected.slice(0, heard.length));
  if (!isCompacted) return;
  const missed = world.log.filter(({ revision }) => revision > since);
  const isLate = plan.begins === "past" && heard.length === 0;
  if (isLate) expect(missed.length, "changes since it began").toBeGreaterThan(changeLogLimit);
  else expect(expected.length - heard.length, "changes for it that it has not heard").toBeGreaterThan(1_024);
}

/** Whoever applies what it hears to what it knew knows how things are. */
function checkStates(world: World, watcher: Watcher, isOver: boolean): void {
  const { filter } = watcher.plan;
  expect([undefined, "done", new RangeError("enough")]).toContainEqual(watcher.end);
  if (!isOver) return;
  const known = new Map(watcher.after === undefined ? [] : world.stateAt(watcher.after));
  for (const contextId of known.keys()) if (!passes(filter, contextId)) known.delete(contextId);
  for (const { kind, contextId, context } of watcher.heard) {
    if (kind === "cleared") known.clear();
    else if (kind === "deleted") expect(known.delete(contextId ?? ""), "a deletion is told once").toBe(true);
    else if (context !== undefined) known.set(contextId ?? "", stateOf(context));
  }
  expect(sorted(known)).toEqual(sorted(world.present(filter)));
}

function checkEnd({ plan, end }: Watcher): void {
  if (isContextError(end, "COMPACTED")) return;
  expect(end).toEqual(plan.ends.by === "abort" ? new RangeError("enough") : "done");
}

const sorted = (states: ReadonlyMap<string, string>): [string, string][] =>
  [...states].toSorted(([one], [other]) => (one < other ? -1 : 1));

async function live(commands: readonly Command[], plans: readonly Plan[], changeLogLimit: number): Promise<void> {
  const world = new World(changeLogLimit);
  const watchers: Watcher[] = [];
  const ended = new Set<Watcher>();
  for (const [at, command] of commands.entries()) {
    for (const plan of plans) if (plan.from === at) watchers.push(new Watcher(world, plan, changeLogLimit));
    world.run(command);
    for (const watcher of watchers) {
      if (ended.has(watcher)) continue;
      await watcher.read(watcher.plan.speed);
      if (watcher.plan.ends.at !== at) continue;
      ended.add(watcher);
      await watcher.stop();
      check(world, watcher, false, changeLogLimit);
      checkEnd(watcher);
    }
  }
  for (const watcher of watchers) {
    if (ended.has(watcher)) continue;
    await watcher.read(Infinity);
    check(world, watcher, true, changeLogLimit);
    await watcher.stop();
    checkEnd(watcher);
  }
  expect([world.manager.stats().watchers, world.manager.stats().revision]).toEqual([0, world.head]);
}

const RUNS = Number(process.env["SHARED_CONTEXT_SEEDS"] ?? 100);

async function watching(numRuns: number): Promise<number> {
  let watchers = 0;
  const seed = process.env["FC_SEED"];
  const limit = fc.constantFrom(0, 0, 7, 1_500, Infinity);
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { minLength: 5, maxLength: 40 }),
      fc.array(plan, { minLength: 1, maxLength: 5 }),
      limit,
      async (commands, plans, changeLogLimit) => {
        await live(commands, plans, changeLogLimit);
        watchers += plans.length;
      },
    ),
    { numRuns, ...(seed && { seed: Number(seed) }) },
  );
  return watchers;
}

/** Mutants fail at every turn: shrinking them would only take time. */
async function watchingUntilItFails(numRuns: number): Promise<void> {
  fc.configureGlobal({ endOnFailure: true });
  try {
    await watching(numRuns);
  } finally {
    fc.resetConfigureGlobal();
  }
}

afterEach(() => void vi.restoreAllMocks());

describe("every watcher", () => {
  it("hears the slice of the log that is for it, whatever its filter, its speed and its end", async () => {
    expect(await watching(RUNS)).toBeGreaterThan(RUNS);
  }, 60_000);

  it.each<[string, () => void]>([
    ["nobody is woken", wakeNobody],
    ["a trimmed change is not noticed", () => changeRead((page, read) => ("oldest" in page ? read() : page))],
    ["a page splits a commit", () => changeRead((page, _read, limit) => cut(page, limit))],
  ])(
    "would be missed if %s",
    async (_name, mutate) => {
      mutate();
      await expect(watchingUntilItFails(300)).rejects.toThrow(/Property failed/);
    },
    60_000,
  );
});

/** Readers look when they are asked, and never again. */
function wakeNobody(): void {
  let isAsked = false;
  const next = methodOf(Cursor.prototype, "next");
  const wake = methodOf(Cursor.prototype, "wake");
  vi.spyOn(Cursor.prototype, "next").mockImplementation(function (this: Cursor<Step>) {
    isAsked = true;
    try {
      return next.call(this);
    } finally {
      isAsked = false;
    }
  });
  vi.spyOn(Cursor.prototype, "wake").mockImplementation(function (this: Cursor<Step>) {
    if (isAsked) wake.call(this);
  });
}

type Page = Records | Gap;

function changeRead(change: (page: Page, read: () => Page, limit: number) => Page): void {
  const read = methodOf(Feed.prototype, "read");
  vi.spyOn(Feed.prototype, "read").mockImplementation(function (this: Feed, reader: Reader, limit: number) {
    const page = (): Page => read.call(this, reader, limit);
    return change(page(), page, limit);
  });
}

function cut(page: Page, limit: number): Page {
  if ("oldest" in page || page.records.length <= limit) return page;
  const records = page.records.slice(0, limit);
  return { records, through: records.at(-1)?.revision ?? page.through, hasMore: true };
}
