/** The checker of histories: it finds nothing in a good one, and in each broken one what was broken. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { check, type Flaw } from "./checker.ts";
import type { History, LogEntry, Operation, State } from "./history.ts";
import { Story } from "./story.ts";

type Loose<Type> = Type extends bigint | string | number | null | undefined
  ? Type
  : { -readonly [Key in keyof Type]: Loose<Type[Key]> };
type LooseHistory = Loose<History>;

/** Two contexts, and one of everything that can happen to them. */
function goodHistory(): LooseHistory {
  const story = new Story(["a", "b"]);
  story.write(0, "p0#1", "a", "1");
  story.read(1, "a");
  const token = story.acquire(1, "p1-1", "a", 500);
  story.write(1, "p1#1", "a", "2", { owner: "p1-1", token });
  story.refused(0, "p0#2", "a", "3", "LOCKED");
  story.read(2, "a", "b");
  story.release(1, "a", token);
  story.refused(0, "p0#3", "a", "2", "CONFLICT");
  story.transact(2, "p2#1", "a", "b");
  story.write(0, "p0#4", "b", null);
  story.read(1, "a", "b");
  const lapsed = story.acquire(2, "p2-1", "b", 50);
  story.pass(100);
  const next = story.acquire(0, "p0-1", "b", 500);
  story.refused(2, "p2#2", "b", "3", "LEASE_LOST", lapsed);
  story.write(0, "p0#5", "b", "3", { owner: "p0-1", token: next });
  story.release(0, "b", next);
  story.uncertain(1, "p1#2", "a", true);
  story.uncertain(1, "p1#3", "a", false);
  story.write(0, "p0#6", "a", "5");
  story.read(0, "a", "b");
  return copyOf(story.history) as LooseHistory;
}

/** A copy in which nothing is shared. */
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, copyOf(part)]));
}

function write({ operations }: LooseHistory, note: string): Loose<Operation> {
  return operations.find(({ intent }) => "note" in intent && intent.note === note)!;
}

function logged({ log }: LooseHistory, note: string, id = "a"): Loose<LogEntry> {
  return log.find((entry) => entry.id === id && entry.kinds.includes("updated") && entry.state.note === note)!;
}

function reads({ operations }: LooseHistory): { operation: Loose<Operation>; states: Record<string, Loose<State>> }[] {
  return operations.flatMap((operation) =>
    operation.intent.does === "read" && operation.ending.kind === "ok"
      ? [{ operation, states: operation.ending.states }]
      : [],
  );
}

function move(operation: Loose<Operation>, ms: number): void {
  operation.invokedAt += BigInt(ms) * 1_000_000n;
  operation.endedAt! += BigInt(ms) * 1_000_000n;
}

const BROKEN: [string, Flaw, (history: LooseHistory) => void][] = [
  ["an acknowledged write is not in the log", "lost write", ({ log }) => log.splice(log.findIndex(isOf("p0#4")), 1)],
  [
    "a grant is not in the log",
    "lost write",
    ({ log }) =>
      log.splice(
        log.findIndex(({ state }) => state.token === 4),
        1,
      ),
  ],
  [
    "a write has taken away what another had written",
    "lost update",
    (history) => delete (logged(history, "p1#1").state.board.marks as Record<string, string>)["p0"],
  ],
  ["two writes have counted as one", "lost update", (history) => (logged(history, "p2#1").state.board.count -= 1)],
  ["a refused write is there", "refused but done", (history) => (write(history, "p0#4").ending = conflict())],
  [
    "a write is there twice",
    "done twice",
    (history) => {
      const { state, ...entry } = logged(history, "p1#2");
      const version = String(Number(state.version) + 1);
      history.log.push({
        ...entry,
        revision: entry.revision + 1,
        state: { ...state, version, revision: entry.revision + 1 },
      });
    },
  ],
  [
    "a lock was granted twice to one who asked once",
    "done twice",
    ({ log }) => (log.find(({ state }) => state.owner === "p2-1")!.state.owner = "p0-1"),
  ],
  [
    "an update has replaced another version than it was for",
    "wrong predecessor",
    (history) => expecting(history, "p0#1", "0"),
  ],
  [
    "a transaction has read what was no longer there when it was committed",
    "wrong predecessor",
    (history) =>
      ((write(history, "p2#1").ending as { states: Record<string, State> }).states["a"] = history.log[2]!.state),
  ],
  ["a version was left out", "wrong predecessor", (history) => (logged(history, "p2#1").state.version = "9")],
  ["a reader was told what never was", "wrong answer", (history) => (reads(history)[0]!.states["a"]!.board.count = 7)],
  [
    "a writer was told another revision",
    "wrong answer",
    (history) =>
      ((write(history, "p0#1").ending as { states: Record<string, Loose<State>> }).states["a"]!.revision = 4),
  ],
  [
    "a write came after one that began when it had ended",
    "out of order",
    (history) => move(write(history, "p0#1"), 500),
  ],
  [
    "a write came before one that had ended when it began",
    "out of order",
    (history) => move(write(history, "p0#4"), -500),
  ],
  [
    "an uncertain write was there before it began",
    "out of order",
    (history) => (write(history, "p1#2").invokedAt += 10n ** 9n),
  ],
  [
    "a read was of a state that had gone before it began",
    "stale read",
    (history) => move(reads(history)[0]!.operation, 500),
  ],
  [
    "a read was of a state that was not there when it ended",
    "stale read",
    (history) => move(reads(history)[1]!.operation, -60),
  ],
  [
    "two contexts were read together as they never were together",
    "stale read",
    (history) => {
      const { states, operation } = reads(history)[3]!;
      states["a"] = reads(history)[0]!.states["a"]!;
      operation.invokedAt = 0n;
    },
  ],
  ["CONFLICT with the very version that is there", "unjustified refusal", (history) => expecting(history, "p0#3", "3")],
  [
    "CONFLICT with a version that was there only later",
    "unjustified refusal",
    (history) => move(write(history, "p0#3"), -75),
  ],
  [
    "CONFLICT, and no word of what is there",
    "unjustified refusal",
    (history) => (write(history, "p0#3").ending = conflict()),
  ],
  ["LOCKED after the lock was given back", "unjustified refusal", (history) => move(write(history, "p0#2"), 100)],
  [
    "LOCKED by somebody who never held the lock",
    "unjustified refusal",
    (history) => (ownerOf(history, "p0#2").owner = "p9-9"),
  ],
  [
    "LEASE_LOST before another was granted the lock",
    "unjustified refusal",
    (history) => move(write(history, "p2#2"), -60),
  ],
  [
    "LEASE_LOST while the lease was held",
    "unjustified refusal",
    ({ log }) =>
      log.splice(
        log.findIndex(({ state }) => state.owner === "p0-1"),
        Infinity,
      ),
  ],
  [
    "two leases on one context at once",
    "two holders",
    (history) => ((grant(history, "p2-1").intent as { ttlMs: number }).ttlMs = 500),
  ],
  ["a write by a token that no longer holds", "two holders", (history) => (tokenOf(history, "p0#5").token = 12)],
  [
    "a write past the lock of another",
    "two holders",
    (history) => Object.assign(write(history, "p1#1").intent, { token: null, agentId: "p1" }),
  ],
  ["two commits have one revision", "revision reused", (history) => (logged(history, "p0#4", "b").revision -= 1)],
  [
    "a token was granted twice",
    "revision reused",
    ({ log }) => (log.find(({ state }) => state.token === 4)!.state.token = 3),
  ],
];

function isOf(note: string): (entry: LogEntry) => boolean {
  return ({ kinds, state }) => kinds.includes("updated") && state.note === note;
}

function conflict(): Loose<Operation["ending"]> {
  return { kind: "fail", code: "CONFLICT", contextId: "a", owner: null, current: undefined };
}

function expecting(history: LooseHistory, note: string, expected: string): void {
  (write(history, note).intent as { expected: string | null }).expected = expected;
}

function ownerOf(history: LooseHistory, note: string): { owner: string | null } {
  return write(history, note).ending as { owner: string | null } & Loose<Operation["ending"]>;
}

function tokenOf(history: LooseHistory, note: string): { token: number | null } {
  return write(history, note).intent as { token: number | null } & Loose<Operation["intent"]>;
}

function grant({ operations }: LooseHistory, agentId: string): Loose<Operation> {
  return operations.find(({ intent }) => intent.does === "acquire" && intent.agentId === agentId)!;
}

describe("the checker of histories", () => {
  it("finds nothing in a good history", () => {
    expect(check(goodHistory())).toEqual([]);
  });

  it.each(BROKEN)("finds that %s: %s", (_name, flaw, breakIt) => {
    const history = goodHistory();
    breakIt(history);
    expect(check(history).map((finding) => finding.split(":")[0])).toContain(flaw);
  });

  it("finds nothing in what one process after another has done, wherever the ends of the operations are", () => {
    const step = fc.record({ does: fc.constantFrom("read", "write", "stale", "hold"), id: fc.constantFrom("a", "b") });
    const stretch = fc.record({ before: fc.nat(100), after: fc.nat(100) });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 30 }),
        fc.array(stretch, { minLength: 60, maxLength: 60 }),
        (steps, ends) => {
          const story = new Story(["a", "b"]);
          for (const [index, { does, id }] of steps.entries()) act(story, does, id, `p0#${index}`);
          const operations = story.operations.map((operation, index): Operation => {
            const { before, after } = ends[index]!;
            const invokedAt = operation.invokedAt - BigInt(before) * 1_000_000n;
            return { ...operation, invokedAt, endedAt: operation.endedAt! + BigInt(after) * 1_000_000n };
          });
          expect(check({ operations, log: story.log })).toEqual([]);
        },
      ),
    );
  });

  it("checks 25 times as much in far less than 625 times the time", () => {
    const timeFor = (writes: number): number => {
      const story = new Story(["a", "b"]);
      for (let index = 0; index < writes; index++) act(story, index % 2 ? "read" : "write", "a", `p0#${index}`);
      const times = [1, 2, 3].map(() => {
        const startMs = performance.now();
        expect(check(story.history)).toEqual([]);
        return performance.now() - startMs;
      });
      return Math.min(...times);
    };
    timeFor(1_000);
    expect(timeFor(25_000) / timeFor(1_000)).toBeLessThan(200);
  });
});

function act(story: Story, does: string, id: string, note: string): void {
  const { version } = story.state(id);
  if (does === "read") story.read(1, id);
  else if (does === "write") story.write(0, note, id, version);
  else if (does === "hold") story.release(1, id, story.acquire(1, note, id, 1_000));
  else if (version !== "1") story.refused(0, note, id, "1", "CONFLICT");
}
