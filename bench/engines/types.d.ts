/** One way of doing the work of a case. */
export interface Contestant<State = any> {
  setUp(): State | Promise<State>;
  /** Does it so many times. @returns nanoseconds, where it has timed only a part of what it did. */
  round(state: State, count: number): Promise<number | void> | number | void;
  /** How many of the work one operation of `count` is at least, so that a round is no fraction of it. */
  readonly step?: number;
  tearDown(state: State): void | Promise<void>;
}

/** The speed of one contestant must be at least so many times that of another, or its time at most so long. */
export type Target =
  | { readonly contestant: string; readonly against: string; readonly atLeast: number }
  | { readonly contestant: string; readonly atMostMs: number };

export interface EngineCase {
  readonly engine: string;
  /** What `--only` takes, alone or after the engine and a colon. */
  readonly name: string;
  readonly title: string;
  readonly contexts: number;
  readonly contestants: Readonly<Record<string, Contestant>>;
  /** Whom the ratios refer to. */
  readonly base: string;
  readonly targets: readonly Target[];
}

/** The cases of an engine, and what tidies up after them. */
export interface Ground {
  readonly cases: readonly EngineCase[];
  close(): void | Promise<void>;
}

export interface Choice {
  /** Numbers of contexts. */
  readonly sizes: readonly number[];
}

export interface Effort {
  readonly rounds: number;
  readonly roundMs: number;
}

export interface EngineRow {
  readonly one: EngineCase;
  readonly contestant: string;
  /** Nanoseconds of one operation. */
  readonly median: number;
  /** Speed, as a multiple of that of the base. */
  readonly ratio: number;
  readonly verdicts: readonly { readonly text: string; readonly met: boolean }[];
}
