/**
 * The rules of locks and leases at every reachable state of three agents on one context, with time as a
 * command. Tokens count only as live, dead or none, so that states coincide. Each invariant has a mutant.
 */

import { describe, expect, it } from "vitest";
import { admission } from "../src/admission.ts";
import { DEEP } from "../src/data.ts";
import { ANONYMOUS, type Entry, PENDING, stamp } from "../src/entry.ts";
import * as rules from "../src/rules.ts";
import { Rejection } from "../src/rejection.ts";
import { explore, type System, Violation } from "./explore.ts";

type Rules = Omit<typeof rules, "Rejection">;

const ADMISSION = admission(DEEP);
const ROOM = { contexts: 0, maxContexts: Infinity };
const AGENTS = ["ann", "bob", "cyd"];
const contextId = "plan";
const TTL_MS = 10;

const DOES = [
  "create",
  "take a lease",
  "take a lock",
  "renew",
  "release",
  "write by lease",
  "delete by lease",
  "write by name",
  "write without a name",
  "delete by name",
  "delete",
  "unlock",
  "break",
] as const;

interface Command {
  readonly agent: string;
  readonly does: (typeof DOES)[number] | "time passes";
}

interface State {
  readonly entry: Entry | undefined;
  readonly head: number;
  readonly nowMs: number;
  /** The token of the last lease of each agent. */
  readonly tokens: Readonly<Record<string, number>>;
  /** Every token that was live once and no longer is. */
  readonly dead: ReadonlySet<number>;
}

const BY_TOKEN = new Set(["renew", "release", "write by lease", "delete by lease"]);
const WRITES = new Set(["write by lease", "write by name", "write without a name"]);

function systemOf(subject: Rules): System<State, Command> {
  const commands = AGENTS.flatMap((agent) => DOES.map((does): Command => ({ agent, does })));
  return {
    initial: { entry: undefined, head: 0, nowMs: 0, tokens: {}, dead: new Set() },
    *commands({ tokens }) {
      yield { agent: "", does: "time passes" };
      for (const command of commands) if (!BY_TOKEN.has(command.does) || command.agent in tokens) yield command;
    },
    key: ({ entry, nowMs, tokens }) => {
      const lock = entry?.lock;
      const left = lock?.deadlineMs == null ? lock?.deadlineMs : Math.max(lock.deadlineMs - nowMs, 0);
      const live = AGENTS.map((agent) => (agent in tokens ? tokens[agent] === lock?.token : undefined));
      return JSON.stringify([entry !== undefined, lock?.owner, left, live]);
    },
    step(state, command) {
      if (command.does === "time passes") return { ...state, nowMs: state.nowMs + TTL_MS / 2 };
      const next = apply(subject, state, command);
      if (next instanceof Rejection) return wronglyRefused(state, command) ?? state;
      return commit(state, command, next);
    },
  };
}

function apply(subject: Rules, { entry, nowMs, tokens }: State, { agent, does }: Command): rules.Outcome {
  const time = { wallMs: nowMs, leaseMs: nowMs };
  const token = tokens[agent] ?? 0;
  const expected = { version: entry?.version ?? "1", incarnation: undefined };
  const write = (author: { agentId: string | null; token: number | null }): rules.Outcome =>
    subject.update(entry, { contextId, data: { by: agent }, expected, author, note: null }, time, ADMISSION);
  switch (does) {
    case "create":
      return subject.create(entry, { contextId, data: {}, author: ANONYMOUS, note: null }, time, ADMISSION, ROOM);
    case "take a lease":
      return subject.grant(entry, { contextId, agentId: agent, ttlMs: TTL_MS }, time);
    case "take a lock":
      return subject.lock(entry, { contextId, agentId: agent, ttlMs: undefined }, time);
    case "renew":
      return subject.renew(entry, { contextId, agentId: agent, token, ttlMs: TTL_MS }, time);
    case "release":
      return subject.release(entry, { contextId, agentId: agent, token });
    case "write by lease":
      return write({ agentId: agent, token });
    case "delete by lease":
      return subject.remove(
        entry,
        { contextId, expected: undefined, author: { agentId: agent, token }, note: null },
        time,
      );
    case "write by name":
      return write({ agentId: agent, token: null });
    case "write without a name":
      return write(ANONYMOUS);
    case "delete by name":
      return subject.remove(
        entry,
        { contextId, expected: undefined, author: { agentId: agent, token: null }, note: null },
        time,
      );
    case "delete":
      return subject.remove(entry, { contextId, expected: undefined, author: undefined, note: null }, time);
    case "unlock":
      return subject.unlock(entry, { contextId, agentId: agent });
    case "break":
      return subject.breakLock(entry, { contextId });
    default:
      return entry;
  }
}

function commit(state: State, command: Command, next: Entry | undefined): State | Violation {
  const { entry: before } = state;
  const head = next === before ? state.head : state.head + 1;
  if (next !== undefined && next.revision === PENDING) stamp(next, head);
  const dead = new Set(state.dead);
  const gone = before?.lock?.token;
  if (gone !== undefined && next?.lock?.token !== gone) dead.add(gone);
  const took = command.does === "take a lease" && next?.lock ? { [command.agent]: next.lock.token } : {};
  const after = { entry: next, head, nowMs: state.nowMs, tokens: { ...state.tokens, ...took }, dead };
  return broken(state, command, after) ?? after;
}

function broken(state: State, { agent, does }: Command, after: State): Violation | undefined {
  const before = state.entry;
  const held = before?.lock ?? null;
  const now = after.entry?.lock ?? null;
  const lapsed = held !== null && held.deadlineMs !== null && held.deadlineMs <= state.nowMs;
  const token = state.tokens[agent];

  if (BY_TOKEN.has(does) && before !== undefined && token !== held?.token)
    return new Violation("a dead token was accepted");
  if (now !== null && state.dead.has(now.token)) return new Violation("a token lives again");
  if (now !== null && now.token !== held?.token) {
    if (now.token <= state.head) return new Violation("tokens do not increase");
    if (held !== null && !lapsed) return new Violation("a lock was taken from its holder");
    if (now.owner !== agent) return new Violation("a lock was granted to another");
  }
  if ((does === "write by name" || does === "write without a name" || does === "delete by name") && held !== null) {
    const own = does !== "write without a name" && held.owner === agent;
    if (!own && !lapsed) return new Violation("a write passed the lock of another");
    if (!own && now !== null) return new Violation("a write passed a lapsed lock and did not take it away");
    if (own && WRITES.has(does) && now?.token !== held.token)
      return new Violation("the owner lost its lock by writing");
  }
  if (does === "write by lease" && now?.token !== held?.token) return new Violation("the lease was lost by writing");
  if (does === "unlock" && held !== null && now === null && held.owner !== agent)
    return new Violation("unlocked by another");
  if (before !== undefined && after.entry !== undefined) {
    const moved = Number(after.entry.version) - Number(before.version);
    if (moved !== (WRITES.has(does) ? 1 : 0))
      return new Violation("the version moved without the data, or the data without it");
  }
  return undefined;
}

/** What must not be refused: a live token until it is reaped, and whatever nobody's live lock stands against. */
function wronglyRefused({ entry, nowMs, tokens }: State, { agent, does }: Command): Violation | undefined {
  if (entry === undefined) return undefined;
  const { lock } = entry;
  const free = lock === null || (lock.deadlineMs !== null && lock.deadlineMs <= nowMs);
  if (BY_TOKEN.has(does))
    return lock?.token === tokens[agent] ? new Violation(`refused to the holder: ${does}`) : undefined;
  if (does === "create" || does === "unlock") return undefined;
  const own = lock?.owner === agent && does !== "take a lease" && does !== "write without a name";
  return free || own ? new Violation(`refused for nothing: ${does}`) : undefined;
}

function change(next: Entry | Rejection, fields: Partial<Entry>): Entry | Rejection {
  return next instanceof Rejection ? next : { ...next, ...fields };
}

const current = (found: Entry | undefined): number => found?.lock?.token ?? 0;

const mutants: Record<string, Rules> = {
  "renew takes any token": {
    ...rules,
    renew: (found, command, time) => rules.renew(found, { ...command, token: current(found) }, time),
  },
  "release takes any token": {
    ...rules,
    release: (found, command) => rules.release(found, { ...command, token: current(found) }),
  },
  "a write by lease is judged by the name": {
    ...rules,
    update: (found, command, time, copy) =>
      rules.update(found, { ...command, author: { ...command.author, token: null } }, time, copy),
  },
  "a deletion by lease is judged by the name": {
    ...rules,
    remove: (found, command, time) =>
      rules.remove(found, { ...command, author: command.author && { ...command.author, token: null } }, time),
  },
  "a lapsed lock cannot be taken over": {
    ...rules,
    grant: (found, command, time) => rules.grant(found, command, { ...time, leaseMs: 0 }),
  },
  "a lock can be taken over before it lapses": {
    ...rules,
    grant: (found, command, time) => rules.grant(found, command, { ...time, leaseMs: Infinity }),
  },
  "a lapsed lock cannot be renewed by its owner": {
    ...rules,
    renew: (found, command, time) =>
      found?.lock?.deadlineMs != null && found.lock.deadlineMs <= time.leaseMs
        ? new Rejection("NOT_FOUND", { contextId })
        : rules.renew(found, command, time),
  },
  "a lapsed lock stops writes": {
    ...rules,
    update: (found, command, time, copy) => rules.update(found, command, { ...time, leaseMs: 0 }, copy),
  },
  "a lock does not stop writes": {
    ...rules,
    update: (found, command, time, copy) => rules.update(found, command, { ...time, leaseMs: Infinity }, copy),
  },
  "a write leaves the lapsed lock in place": {
    ...rules,
    update: (found, command, time, copy) =>
      change(rules.update(found, command, time, copy), { lock: found?.lock ?? null }),
  },
  "a write clears the lock of its owner": {
    ...rules,
    update: (found, command, time, copy) => change(rules.update(found, command, time, copy), { lock: null }),
  },
  "a takeover keeps the old token": {
    ...rules,
    grant: (found, command, time) => {
      const next = rules.grant(found, command, time);
      return next instanceof Rejection || !next.lock || !found?.lock
        ? next
        : { ...next, lock: { ...next.lock, token: found.lock.token } };
    },
  },
  "every lock gets the same token": {
    ...rules,
    grant: (found, command, time) => {
      const next = rules.grant(found, command, time);
      return next instanceof Rejection || !next.lock ? next : { ...next, lock: { ...next.lock, token: 1 } };
    },
  },
  "unlock takes any name": {
    ...rules,
    unlock: (found, command) => rules.unlock(found, { ...command, agentId: found?.lock?.owner ?? "" }),
  },
  "a renewal moves the version": {
    ...rules,
    renew: (found, command, time) =>
      change(rules.renew(found, command, time), { version: String(Number(found?.version) + 1) }),
  },
  "deletion by name ignores locks": {
    ...rules,
    remove: (found, command, time) => rules.remove(found, { ...command, author: undefined }, time),
  },
};

describe("locks and leases, at every reachable state of three agents", () => {
  it("keep every invariant", () => {
    const { states, violation } = explore(systemOf(rules));
    expect(violation).toBeUndefined();
    expect(states).toBeGreaterThan(50);
  });

  it.each(Object.keys(mutants))("would be caught if %s", (name) => {
    expect(explore(systemOf(mutants[name]!)).violation).toBeTypeOf("string");
  });
});
