/** A history made by hand: what a few processes did to one store that did one thing at a time. */

import type { Board, Ending, History, Intent, LogEntry, Operation, State } from "./history.ts";

const MS = 1_000_000n;

/** Each operation takes effect half-way between its beginning and its end, 4 ms later. */
export class Story {
  readonly operations: Operation[] = [];
  readonly log: LogEntry[] = [];
  readonly #states = new Map<string, State>();
  #revision = 0;
  #nowMs = 1_000;

  constructor(ids: readonly string[]) {
    for (const id of ids) {
      const state = { revision: ++this.#revision, version: "1", owner: null, token: null, note: null };
      this.#log(id, ["created"], { ...state, board: { count: 1, marks: {} } });
    }
  }

  get history(): History {
    return { operations: this.operations, log: this.log };
  }

  state(id: string): State {
    return this.#states.get(id)!;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }

  read(process: number, ...ids: string[]): void {
    this.#record(process, { does: "read", ids }, { kind: "ok", states: this.#seen(ids) });
  }

  /** @param expected - the version that it is made for; `null` makes a patch. */
  write(
    process: number,
    note: string,
    id: string,
    expected: string | null,
    { owner, token }: Partial<State> = {},
  ): void {
    const { intent } = this.#writing(note, id, expected, owner ?? note, token ?? null);
    this.#revision += 1;
    this.#put(id, note);
    this.#record(process, intent, { kind: "ok", states: this.#seen([id]) });
  }

  /** A write whose outcome its process was not told. */
  uncertain(process: number, note: string, id: string, hasHappened: boolean): void {
    const { intent } = this.#writing(note, id, this.state(id).version, note, null);
    if (hasHappened) {
      this.#revision += 1;
      this.#put(id, note);
    }
    this.#record(process, intent, { kind: "info" });
  }

  refused(
    process: number,
    note: string,
    id: string,
    expected: string,
    code: string,
    token: number | null = null,
  ): void {
    const { intent } = this.#writing(note, id, expected, note, token);
    const current = code === "CONFLICT" ? this.state(id) : undefined;
    const owner = code === "LOCKED" ? this.state(id).owner : null;
    this.#record(process, intent, { kind: "fail", code, contextId: id, owner, current });
  }

  /** Reads all and writes all. */
  transact(process: number, note: string, ...ids: string[]): void {
    const states = this.#seen(ids);
    this.#revision += 1;
    for (const id of ids) this.#put(id, note);
    const intent = { does: "transact", ids, agentId: note, note, expected: null, token: null } as const;
    this.#record(process, intent, { kind: "ok", states });
  }

  acquire(process: number, owner: string, id: string, ttlMs: number): number {
    const token = ++this.#revision;
    const kinds = this.state(id).token === null ? (["locked"] as const) : (["expired", "locked"] as const);
    this.#log(id, kinds, { ...this.state(id), revision: token, owner, token });
    this.#record(process, { does: "acquire", ids: [id], agentId: owner, ttlMs }, { kind: "ok", states: {}, token });
    return token;
  }

  release(process: number, id: string, token: number): void {
    this.#log(id, ["unlocked"], { ...this.state(id), revision: ++this.#revision, owner: null, token: null });
    this.#record(process, { does: "release", ids: [id], token }, { kind: "ok", states: {} });
  }

  #writing(
    note: string,
    id: string,
    expected: string | null,
    agentId: string,
    token: number | null,
  ): { intent: Intent } {
    return { intent: { does: expected === null ? "patch" : "update", ids: [id], agentId, note, expected, token } };
  }

  #put(id: string, note: string): void {
    const { version, board, ...lock } = this.state(id);
    const marks = { ...board.marks, [note.split("#")[0]!]: note };
    const next: Board = { count: board.count + 1, marks };
    const state = { ...lock, version: String(Number(version) + 1), note, board: next, revision: this.#revision };
    this.#log(id, ["updated"], state);
  }

  #log(id: string, kinds: LogEntry["kinds"], state: State): void {
    this.#states.set(id, state);
    this.log.push({ revision: state.revision, id, kinds, state });
  }

  #seen(ids: readonly string[]): Record<string, State> {
    return Object.fromEntries(ids.map((id) => [id, this.state(id)]));
  }

  #record(process: number, intent: Intent, ending: Ending): void {
    const invokedAt = BigInt(this.#nowMs) * MS;
    const endedAt = ending.kind === "info" ? undefined : invokedAt + 4n * MS;
    this.operations.push({ process, intent, invokedAt, endedAt, ending });
    this.pass(10);
  }
}
