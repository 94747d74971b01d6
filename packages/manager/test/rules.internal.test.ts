/**
 * The rules at every reachable state of three agents on one context. Versions count relative to what each
 * agent has read last, so that states coincide. For each rule a mutant shows that the exploration can fail.
 */

import { describe, expect, it } from "vitest";
import { admission } from "../src/admission.ts";
import { DEEP } from "../src/data.ts";
import * as rules from "../src/rules.ts";
import { ANONYMOUS, type Entry, PENDING, stamp, type Time } from "../src/entry.ts";
import { Rejection } from "../src/rejection.ts";
import { explore, type System, Violation } from "./explore.ts";

type Rules = Pick<typeof rules, "create" | "update" | "lock" | "unlock" | "remove">;

const ADMISSION = admission(DEEP);
const ROOM = { contexts: 0, maxContexts: Infinity };
const AGENTS = ["ann", "bob", "cyd"];
const CONTEXT = "plan";
const NOW: Time = { wallMs: 0, leaseMs: 0 };
const WRITE = { author: ANONYMOUS, note: null };

interface Command {
  readonly agent: string;
  readonly does: "create" | "read" | "update" | "lock" | "unlock" | "delete" | "delete what it read" | "clear";
}

interface State {
  readonly entry: Entry | undefined;
  readonly head: number;
  /** What each agent has read last. */
  readonly reads: Readonly<Record<string, Entry>>;
}

function systemOf(subject: Rules): System<State, Command> {
  const everything = AGENTS.flatMap((agent): Command[] =>
    (["create", "read", "update", "lock", "unlock", "delete", "delete what it read", "clear"] as const).map((does) => ({
      agent,
      does,
    })),
  );
  return {
    initial: { entry: undefined, head: 0, reads: {} },
    commands: ({ reads }) =>
      everything.filter(({ agent, does }) => agent in reads || (does !== "update" && does !== "delete what it read")),
    key: keyOf,
    step(state, command) {
      const frozen = JSON.stringify(state.entry);
      const next = apply(subject, state, command);
      if (JSON.stringify(state.entry) !== frozen) return new Violation("a rule changed the entry it was given");
      return brokenInvariant(state, command, next) ?? commit(state, command, next);
    },
  };
}

function apply(subject: Rules, { entry, reads }: State, { agent, does }: Command): Entry | undefined | Rejection {
  const read = reads[agent];
  const expected = read && { version: read.version, incarnation: read.incarnation };
  switch (does) {
    case "create":
      return subject.create(entry, { contextId: CONTEXT, data: { by: agent }, ...WRITE }, NOW, ADMISSION, ROOM);
    case "update":
      return subject.update(
        entry,
        { contextId: CONTEXT, data: { by: agent }, expected: expected!, ...WRITE },
        NOW,
        ADMISSION,
      );
    case "lock":
      return subject.lock(entry, { contextId: CONTEXT, agentId: agent, ttlMs: undefined }, NOW);
    case "unlock":
      return subject.unlock(entry, { contextId: CONTEXT, agentId: agent });
    case "delete":
      return subject.remove(entry, { contextId: CONTEXT, expected: undefined, author: undefined, note: null }, NOW);
    case "delete what it read":
      return subject.remove(entry, { contextId: CONTEXT, expected, author: undefined, note: null }, NOW);
    case "read":
      return entry;
    case "clear":
      return undefined;
  }
}

function commit(state: State, { agent, does }: Command, next: Entry | undefined | Rejection): State {
  const entry = next instanceof Rejection ? state.entry : next;
  const head = entry === state.entry ? state.head : state.head + 1;
  if (entry !== undefined && entry.revision === PENDING) stamp(entry, head);
  const reads = does === "read" && entry !== undefined ? { ...state.reads, [agent]: entry } : state.reads;
  return { entry, head, reads };
}

function brokenInvariant(
  state: State,
  { agent, does }: Command,
  next: Entry | undefined | Rejection,
): Violation | undefined {
  const { entry: before, reads } = state;
  const read = reads[agent];
  const current = before !== undefined && read?.version === before.version && read.incarnation === before.incarnation;
  if (does === "update" && !(next instanceof Rejection)) {
    if (!current) return new Violation("an update with a stale version was accepted");
    if (before.lock !== null) return new Violation("an update was accepted while locked");
  }
  if (does === "delete what it read" && !(next instanceof Rejection) && before !== undefined && !current) {
    return new Violation("a deletion with a stale version was accepted");
  }
  if (does === "update" && next instanceof Rejection && current && before.lock === null) {
    return new Violation("an update was refused for nothing");
  }
  if (next instanceof Rejection || next === before) return undefined;
  if (before === undefined || next === undefined) {
    if (next !== undefined && (next.version !== "1" || next.lock !== null))
      return new Violation("created at another version, or locked");
    return undefined;
  }
  if (before.lock !== null && next.lock !== null) return new Violation("a lock was taken from its owner");
  if (before.lock !== null && next.lock === null && before.lock.owner !== agent)
    return new Violation("a lock was cleared by another");
  const moved = Number(next.version) - Number(before.version);
  if (moved !== (next.data === before.data ? 0 : 1))
    return new Violation("the version did not move by one exactly when the data changed");
  return undefined;
}

function keyOf({ entry, reads }: State): string {
  const lag = (read: Entry): number => Math.max(Number(read.version) - Number(entry?.version ?? 0), -2);
  const relations = AGENTS.map((agent) => {
    const read = reads[agent];
    return read && [Math.min(lag(read), 2), read.incarnation === entry?.incarnation];
  });
  return JSON.stringify([entry !== undefined, entry?.lock?.owner, relations]);
}

const mutants: Record<string, Rules> = {
  "update does not check the version": {
    ...rules,
    update: (entry, command, time, copy) =>
      rules.update(entry, entry ? { ...command, expected: entry } : command, time, copy),
  },
  "update does not compare the incarnation": {
    ...rules,
    update: (entry, command, time, copy) =>
      rules.update(
        entry,
        { ...command, expected: command.expected && { ...command.expected, incarnation: undefined } },
        time,
        copy,
      ),
  },
  "update does not check the lock": {
    ...rules,
    update: (entry, command, time, copy) => rules.update(entry && { ...entry, lock: null }, command, time, copy),
  },
  "update does not move the version": {
    ...rules,
    update: (entry, command, time, copy) =>
      same(rules.update(entry, command, time, copy), { version: entry?.version ?? "1" }),
  },
  "update moves the version by two": {
    ...rules,
    update: (entry, command, time, copy) =>
      same(rules.update(entry, command, time, copy), { version: String(Number(entry?.version) + 2) }),
  },
  "update refuses everything": {
    ...rules,
    update: (_entry, command) => new Rejection("NOT_FOUND", command),
  },
  "lock moves the version": {
    ...rules,
    lock: (entry, command, time) => {
      const next = rules.lock(entry, command, time);
      return next === entry ? next : same(next, { version: String(Number(entry?.version) + 1) });
    },
  },
  "lock takes the lock of another": {
    ...rules,
    lock: (entry, command, time) => rules.lock(entry && { ...entry, lock: null }, command, time),
  },
  "unlock does not check the owner": {
    ...rules,
    unlock: (entry, command) => rules.unlock(entry, { ...command, agentId: entry?.lock?.owner ?? command.agentId }),
  },
  "delete does not check the version": {
    ...rules,
    remove: (entry, command, time) => rules.remove(entry, { ...command, expected: undefined }, time),
  },
  "create leaves the lock of its predecessor": {
    ...rules,
    create: (entry, command, ...rest) =>
      same(rules.create(entry, command, ...rest), {
        lock: { owner: "ann", token: 1, sinceMs: 0, expiresAtMs: null, deadlineMs: null },
      }),
  },
  "a refused update changes the entry": {
    ...rules,
    update: (entry, command, ...rest) => {
      const next = rules.update(entry, command, ...rest);
      if (next instanceof Rejection && entry) Object.assign(entry, { updatedAtMs: entry.updatedAtMs + 1 });
      return next;
    },
  },
};

function same(next: Entry | Rejection, change: Partial<Entry>): Entry | Rejection {
  return next instanceof Rejection ? next : { ...next, ...change };
}

describe("the rules, at every reachable state of three agents", () => {
  it("keep every invariant", () => {
    const { states, steps, violation } = explore(systemOf(rules));
    expect(violation).toBeUndefined();
    expect(states).toBeGreaterThan(500);
    expect(steps).toBeGreaterThan(states * AGENTS.length);
  });

  it.each(Object.keys(mutants))("would be caught if %s", (name) => {
    expect(explore(systemOf(mutants[name]!)).violation).toBeTypeOf("string");
  });
});

describe("a token in the hands of another agent", () => {
  it("is told that the lock is there, and not theirs", () => {
    const time = { wallMs: 0, leaseMs: 0 };
    const command = { contextId: "a", data: {}, author: ANONYMOUS, note: null };
    const room = { contexts: 0, maxContexts: 1 };
    const entry = rules.create(undefined, command, time, ADMISSION, room) as Entry;
    const held = { ...entry, lock: { owner: "ann", token: 1, sinceMs: 0, expiresAtMs: null, deadlineMs: null } };
    const refused = rules.release(held, { contextId: "a", agentId: "bob", token: 1 }) as Rejection;
    expect([refused.code, refused.details]).toMatchObject([
      "LEASE_LOST",
      { owner: "ann", reason: "another agent has it" },
    ]);
  });
});
