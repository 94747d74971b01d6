/**
 * What processes did to one store, and when: each writes an event before and after every operation, at once, so that a
 * process that is killed leaves what it had begun. The times are those of `process.hrtime`, the same in all processes
 * of a machine.
 */

import { readFileSync, writeSync } from "node:fs";
import type { AsyncSharedContextManager, Change, ChangeKind, SharedContext } from "shared-context-manager";

/** The data of every context here: how often it was written, and the last note of each writer. */
export interface Board extends Record<string, unknown> {
  readonly count: number;
  readonly marks: Readonly<Record<string, string>>;
}

/** A context as somebody has seen it. */
export interface State {
  readonly revision: number;
  readonly version: string;
  readonly owner: string | null;
  readonly token: number | null;
  readonly note: string | null;
  readonly board: Board;
}

/** What is asked for. The note of a write names it for ever; `agentId` is another one for each lease. */
export type Intent =
  | { readonly does: "read"; readonly ids: readonly string[] }
  | WriteIntent
  | {
      readonly does: "acquire";
      readonly ids: readonly string[];
      readonly agentId: string;
      readonly ttlMs: number;
    }
  | { readonly does: "release"; readonly ids: readonly string[]; readonly token: number };

export interface WriteIntent {
  readonly does: "update" | "patch" | "transact";
  readonly ids: readonly string[];
  readonly agentId: string;
  readonly note: string;
  /** The version that it was made for; `null` for whatever is there. */
  readonly expected: string | null;
  /** Of the lease that it is made through. */
  readonly token: number | null;
}

export type Ending =
  /** `states` are those that were read, or left by the write; those that a transaction has read are what it stands on. */
  | { readonly kind: "ok"; readonly states: Readonly<Record<string, State>>; readonly token?: number }
  | {
      readonly kind: "fail";
      readonly code: string;
      readonly contextId: string | undefined;
      /** Who held the lock, where that is the reason. */
      readonly owner: string | null;
      /** What was there, where that is the reason. */
      readonly current: State | undefined;
    }
  /** It may have happened or not, then or later. */
  | { readonly kind: "info" };

export interface Operation {
  readonly process: number;
  readonly intent: Intent;
  readonly invokedAt: bigint;
  /** `undefined` when it has not ended. */
  readonly endedAt: bigint | undefined;
  readonly ending: Ending;
}

/** What one revision did to one context. */
export interface LogEntry {
  readonly revision: number;
  readonly id: string;
  readonly kinds: readonly ChangeKind[];
  readonly state: State;
}

export interface History {
  readonly operations: readonly Operation[];
  /** All that has happened, in order. */
  readonly log: readonly LogEntry[];
  /** When there was no server. */
  readonly outages?: readonly Outage[];
}

export interface Outage {
  readonly from: bigint;
  readonly to: bigint;
}

interface Line {
  readonly op: number;
  readonly at: string;
  readonly intent?: Intent;
  readonly ending?: Ending;
}

export function stateOf(context: SharedContext<Board>): State {
  const { revision = Number.NaN, version, lock, lockedBy: owner, note, data } = context;
  return { revision, version, owner, token: lock?.token ?? null, note, board: data };
}

/** Writes the events of one process to a file. */
export class Recorder {
  readonly #file: number;
  #operations = 0;

  constructor(file: number) {
    this.#file = file;
  }

  /**
   * @param seen - what is to be kept of the result.
   * @param failed - how it has ended with this error; rethrows one that is no outcome.
   * @returns what `run` does; `undefined` when it was refused.
   */
  async record<Result>(
    intent: Intent,
    run: () => Promise<Result>,
    seen: (result: Result) => Omit<Ending & { readonly kind: "ok" }, "kind">,
    failed: (error: unknown) => Ending,
  ): Promise<Result | undefined> {
    const op = this.#operations++;
    this.#write({ op, at: now(), intent });
    try {
      const result = await run();
      const at = now();
      this.#write({ op, at, ending: { kind: "ok", ...seen(result) } });
      return result;
    } catch (error) {
      const at = now();
      this.#write({ op, at, ending: failed(error) });
      return undefined;
    }
  }

  #write(line: Line): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}

function now(): string {
  return String(process.hrtime.bigint());
}

/** The operations in the file of one process. */
export function operationsIn(file: string, process: number): Operation[] {
  const operations: Operation[] = [];
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  for (const { op, at, intent, ending } of lines.map((line) => JSON.parse(line) as Line)) {
    const begun = operations[op];
    if (intent !== undefined) {
      operations[op] = { process, intent, invokedAt: BigInt(at), endedAt: undefined, ending: { kind: "info" } };
    } else if (begun !== undefined && ending !== undefined) {
      const endedAt = ending.kind === "info" ? undefined : BigInt(at);
      operations[op] = { ...begun, endedAt, ending };
    }
  }
  return operations;
}

/** The context whose creation ends the log. */
export const LAST = "the end of the log";

/** All that has happened after a revision. */
export async function logOf(manager: AsyncSharedContextManager<Board>, after: number): Promise<LogEntry[]> {
  await manager.create(LAST, { count: 1, marks: {} });
  const log: LogEntry[] = [];
  for await (const change of manager.watch(undefined, { after })) {
    if (change.contextId === LAST) break;
    add(log, change);
  }
  return log;
}

function add(log: LogEntry[], { revision, kind, contextId: id, context }: Change<Board>): void {
  if (id === null || context === undefined) throw new Error(`nobody deletes here, and yet: ${kind} at ${revision}`);
  const last = log.at(-1);
  if (last?.revision === revision && last.id === id) {
    log[log.length - 1] = { ...last, kinds: [...last.kinds, kind] };
  } else {
    log.push({ revision, id, kinds: [kind], state: stateOf(context) });
  }
}

/** How often each kind of operation has ended how, as in "update CONFLICT". */
export function endingsOf({ operations }: History): Record<string, number> {
  const endings: Record<string, number> = {};
  for (const { intent, ending } of operations) {
    const name = `${intent.does} ${ending.kind === "fail" ? ending.code : ending.kind}`;
    endings[name] = (endings[name] ?? 0) + 1;
  }
  return endings;
}
