/**
 * Whether a history can have come from one store that does one thing at a time. The log says in which order the writes
 * took effect; what is left to find out is whether that order explains everything that every process was told, and when.
 */

import type { History, LogEntry, Operation, Outage, State, WriteIntent } from "./history.ts";
import { Order } from "./order.ts";
import { isSame, Timeline } from "./timeline.ts";

/**
 * - `lost write`: acknowledged, and not there.
 * - `lost update`: what one had written is gone, and nobody has removed it.
 * - `refused but done`: said not to have happened, and there.
 * - `done twice`: one write, and there more than once.
 * - `wrong predecessor`: a write on another version, or a transaction on other reads, than it was made for.
 * - `wrong answer`: what was told is not what was there.
 * - `out of order`: a write before or after writes that it cannot have been before or after.
 * - `stale read`: what was told was no longer so, or not yet.
 * - `unjustified refusal`: at no instant was there a reason for it.
 * - `two holders`: a write past a lock, or a lock that was granted while another one was held.
 * - `revision reused`: two commits, one revision.
 */
export type Flaw =
  | "lost write"
  | "lost update"
  | "refused but done"
  | "done twice"
  | "wrong predecessor"
  | "wrong answer"
  | "out of order"
  | "stale read"
  | "unjustified refusal"
  | "two holders"
  | "revision reused";

/** Takes `O(n log n)`. @returns what is wrong, each as its flaw and a sentence; nothing when all is well. */
export function check(history: History): string[] {
  return new Checker(history).findings();
}

/** Clocks are read to a millisecond by some. */
const SLACK_NS = 1_000_000n;

class Checker {
  readonly #operations: readonly Operation[];
  readonly #log: readonly LogEntry[];
  readonly #outages: readonly Outage[];
  readonly #timelines = new Map<string, Timeline>();
  /** Every write in the log, by its note. */
  readonly #written = new Map<string, LogEntry[]>();
  readonly #grants = new Map<string, Operation>();
  readonly #order = new Order();
  readonly #findings: string[] = [];

  constructor({ operations, log, outages = [] }: History) {
    this.#operations = operations;
    this.#log = log;
    this.#outages = outages;
    const entries = new Map<string, LogEntry[]>();
    for (const entry of log) {
      push(entries, entry.id, entry);
      if (isWrite(entry) && entry.state.note !== null) push(this.#written, entry.state.note, entry);
    }
    for (const [id, own] of entries) this.#timelines.set(id, new Timeline(own));
    for (const operation of operations) {
      if (operation.intent.does === "acquire") this.#grants.set(operation.intent.agentId, operation);
    }
  }

  findings(): string[] {
    this.#checkRevisions();
    for (const timeline of this.#timelines.values()) {
      for (let index = 1; index < timeline.entries.length; index++) {
        this.#checkStep(timeline, timeline.entries[index - 1]!.state, timeline.entries[index]!);
      }
    }
    for (const operation of this.#operations) this.#checkOperation(operation);
    for (const { flaw, text } of this.#order.contradictions()) this.#find(flaw, text);
    return this.#findings;
  }

  #find(flaw: Flaw, text: string): void {
    this.#findings.push(`${flaw}: ${text}`);
  }

  #checkRevisions(): void {
    for (let index = 1; index < this.#log.length; index++) {
      const [before, entry] = [this.#log[index - 1]!, this.#log[index]!];
      if (entry.revision < before.revision) this.#find("out of order", `${entry.revision} after ${before.revision}`);
      // One transaction writes all its contexts with one note.
      const isShared = isWrite(before) && isWrite(entry) && before.state.note !== entry.state.note;
      if (entry.revision === before.revision && (isShared || entry.id === before.id))
        this.#find("revision reused", `${entry.revision} changed ${before.id} and ${entry.id}`);
    }
  }

  /** From one state of a context to the next: versions, data and locks. */
  #checkStep(timeline: Timeline, before: State, { id, revision, kinds, state }: LogEntry): void {
    const where = `${id} at revision ${revision}`;
    const grows = kinds.includes("updated") ? 1 : 0;
    if (Number(state.version) !== Number(before.version) + grows)
      this.#find("wrong predecessor", `${where} has version ${state.version} after ${before.version}`);
    if (state.board.count !== before.board.count + grows)
      this.#find("lost update", `${where} counts ${state.board.count} after ${before.board.count}`);
    for (const [mark, note] of Object.entries(before.board.marks)) {
      if (state.board.marks[mark] !== note && (grows === 0 || slotOf(state.note) !== mark))
        this.#find("lost update", `${where} has no longer ${note}`);
    }
    if (state.token === before.token) return;
    if (state.token !== null && state.token !== revision)
      this.#find("revision reused", `${where} has the token ${state.token}`);
    if (state.owner !== null && timeline.tokenOf(state.owner) !== state.token)
      this.#find("done twice", `${where} is granted to ${state.owner}, and will be once more`);
    if (before.token !== null && !kinds.includes("unlocked")) this.#mayLapse(id, before, revision);
  }

  /** A lock that was not given back lasts as long as it was asked for. */
  #mayLapse(id: string, { owner, token }: State, revision: number): void {
    const grant = this.#grants.get(owner ?? "");
    if (grant?.intent.does !== "acquire") return this.#find("two holders", `nobody has asked for token ${token}`);
    const lapsesAt = grant.invokedAt + BigInt(grant.intent.ttlMs) * 1_000_000n - SLACK_NS;
    this.#order.atLeast(revision, lapsesAt, "two holders", `${owner} still held ${id}`);
  }

  #checkOperation(operation: Operation): void {
    const { intent, ending } = operation;
    switch (intent.does) {
      case "read":
        if (ending.kind === "ok") this.#checkCut(operation, ending.states);
        break;
      case "acquire":
        if (ending.kind === "ok") this.#checkGrant(operation, intent.ids, intent.agentId, ending.token ?? -1);
        break;
      case "release":
        if (ending.kind === "ok") this.#checkRelease(operation, intent.ids, intent.token);
        break;
      case "update":
      case "patch":
      case "transact":
        this.#checkWrite(operation, intent);
    }
    if (ending.kind === "fail") this.#checkRefusal(operation, ending);
  }

  /** All of the states were there at one instant of the operation. */
  #checkCut(operation: Operation, states: Readonly<Record<string, State>>): void {
    let begins = 0;
    let ends = Infinity;
    for (const [id, state] of Object.entries(states)) {
      const place = this.#checkSeen(operation, id, state, "stale read");
      begins = Math.max(begins, place?.begins ?? 0);
      ends = Math.min(ends, place?.ends ?? Infinity);
    }
    if (begins >= ends)
      this.#find("stale read", `${told(operation)} saw some of it before revision ${ends} and some after`);
  }

  /** A state was there at some instant of the operation. @returns from which revision on, and until which. */
  #checkSeen(
    operation: Operation,
    id: string,
    state: State,
    flaw: Flaw,
  ): { readonly begins: number; readonly ends: number | undefined } | undefined {
    const timeline = this.#timelines.get(id);
    const index = timeline?.at(state.revision) ?? -1;
    const entry = timeline?.entries[index];
    if (timeline === undefined || entry === undefined || !isSame(entry.state, state)) {
      this.#find("wrong answer", `${told(operation)} was told what ${id} never was at revision ${state.revision}`);
      return undefined;
    }
    const ends = timeline.endOf(index);
    this.#order.atMost(state.revision, operation.endedAt, flaw, `${told(operation)} ended`);
    if (ends !== undefined) this.#order.atLeast(ends, operation.invokedAt, flaw, `${told(operation)} began`);
    return { begins: entry.revision, ends };
  }

  #checkGrant(operation: Operation, ids: readonly string[], agentId: string, token: number): void {
    const isThere = ids.every((id) => {
      const made = this.#timelines.get(id)?.madeBy(token);
      return made?.entry.state.token === token && made.entry.state.owner === agentId;
    });
    if (isThere) this.#isWithin(operation, token);
    else this.#find("lost write", `${told(operation)} was granted it by token ${token}`);
  }

  #checkRelease(operation: Operation, ids: readonly string[], token: number): void {
    for (const id of ids) {
      const to = this.#timelines.get(id)?.lockWith(token)?.to;
      if (to?.kinds.includes("unlocked") === true) this.#isWithin(operation, to.revision);
      else this.#find("lost write", `${told(operation)} has given ${id} back`);
    }
  }

  /** The commit happened between the beginning and the end of the operation. */
  #isWithin(operation: Operation, revision: number): void {
    this.#order.atLeast(revision, operation.invokedAt, "out of order", `${told(operation)} began`);
    this.#order.atMost(revision, operation.endedAt, "out of order", `${told(operation)} ended`);
  }

  #checkWrite(operation: Operation, intent: WriteIntent): void {
    const entries = this.#written.get(intent.note) ?? [];
    const { ending } = operation;
    const isTwice = entries.some(({ revision }) => revision !== entries[0]?.revision);
    if (isTwice) this.#find("done twice", `${told(operation)} is at ${entries.map(({ revision }) => revision).join()}`);
    if (ending.kind === "fail" && entries.length > 0)
      this.#find("refused but done", `${told(operation)} is at revision ${entries[0]?.revision}`);
    if (ending.kind === "ok" && entries.length === 0) this.#find("lost write", `${told(operation)} is not in the log`);
    for (const { id, revision } of entries) {
      this.#isWithin(operation, revision);
      const { entry, before } = this.#timelines.get(id)!.madeBy(revision)!;
      if (before === undefined) continue;
      if (ending.kind === "ok" && intent.does !== "transact") {
        const answer = ending.states[id];
        if (answer?.revision !== revision) this.#find("wrong answer", `${told(operation)}: ${answer?.revision}`);
        else if (!isSame(answer, entry.state)) this.#find("wrong answer", `${told(operation)} at ${revision}`);
      }
      this.#checkBasis(operation, intent, entry, before);
    }
    if (ending.kind === "ok" && intent.does === "transact") this.#checkReads(operation, ending.states, entries[0]);
  }

  /** A write was made for the state that it replaced, and by the right to pass its lock. */
  #checkBasis(
    operation: Operation,
    { does, expected, agentId, token }: WriteIntent,
    entry: LogEntry,
    before: State,
  ): void {
    if (does === "update" && expected !== before.version)
      this.#find("wrong predecessor", `${told(operation)} for version ${expected} replaced ${before.version}`);
    if (token !== null ? token !== before.token : before.token !== null && before.owner !== agentId) {
      if (token === null && entry.kinds.includes("expired")) return; // a lapsed lock is no lock; see #mayLapse
      this.#find(
        "two holders",
        `${told(operation)} with token ${token} passed the lock ${before.token} of ${entry.id}`,
      );
    }
  }

  /** What a transaction has read was so when it was committed. */
  #checkReads(operation: Operation, states: Readonly<Record<string, State>>, entry: LogEntry | undefined): void {
    if (entry === undefined) return;
    for (const [id, read] of Object.entries(states)) {
      const timeline = this.#timelines.get(id);
      const before = timeline?.entries[timeline.at(entry.revision - 1)]?.state;
      if (before === undefined || !isSame(before, read))
        this.#find(
          "wrong predecessor",
          `${told(operation)} read ${id} at ${read.revision}, committed ${entry.revision}`,
        );
    }
  }

  #checkRefusal(operation: Operation, ending: Operation["ending"] & { readonly kind: "fail" }): void {
    const { intent, endedAt, invokedAt } = operation;
    const { code, current, owner } = ending;
    const id = ending.contextId ?? intent.ids[0] ?? "";
    const timeline = this.#timelines.get(id);
    if (code === "CONFLICT" && "note" in intent && current !== undefined) {
      // A blind patch and a version that is there have nothing to conflict with.
      const isReason = intent.does === "transact" || (intent.expected !== null && intent.expected !== current.version);
      if (isReason) return void this.#checkSeen(operation, id, current, "unjustified refusal");
    } else if (code === "TIMEOUT" && owner === null) {
      return; // it stood behind others of its process
    } else if (code === "LOCKED" || code === "TIMEOUT") {
      const lock = timeline?.lockWith(timeline.tokenOf(owner ?? "") ?? -1);
      if (lock !== undefined) {
        this.#order.atMost(lock.from.revision, endedAt, "unjustified refusal", `${told(operation)} was refused`);
        if (lock.to !== undefined)
          this.#order.atLeast(lock.to.revision, invokedAt, "unjustified refusal", `${told(operation)} began`);
        return;
      }
    } else if (code === "LEASE_LOST" && "token" in intent && intent.token !== null) {
      const to = timeline?.lockWith(intent.token)?.to;
      if (to !== undefined)
        return this.#order.atMost(to.revision, endedAt, "unjustified refusal", `${told(operation)} was refused`);
    } else if (code === "UNAVAILABLE") {
      const isReason = ({ from, to }: Outage): boolean => invokedAt <= to && (endedAt === undefined || from <= endedAt);
      if (this.#outages.some(isReason)) return;
    }
    this.#find("unjustified refusal", `${told(operation)} ended in ${code}`);
  }
}

function isWrite({ kinds }: LogEntry): boolean {
  return kinds.includes("updated");
}

/** Whose mark a write with this note leaves. */
function slotOf(note: string | null): string | undefined {
  return note?.split("#")[0];
}

function told({ process, intent }: Operation): string {
  const what = "note" in intent ? intent.note : intent.ids.join();
  return `${intent.does} ${what} of process ${process}`;
}

function push<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
