/** Ids in the order of the walk. `any`, because an index kept within bounds by its loop needs no check. */
export type Walk = readonly any[];

/** One way of doing an operation. */
export interface Contestant<State = any> {
  /** Sizes at which it takes part; all sizes of the operation when missing. */
  readonly sizes?: readonly number[];
  /** A store with one context for each id, and whatever else `round` needs. */
  setUp(ids: readonly string[]): State | Promise<State>;
  /** Does the operation `count` times along the walk, from position `from`; the result keeps the work alive. */
  round(state: State, walk: Walk, from: number, count: number): number | Promise<number>;
}

/** The median of one contestant must be at most so many times that of another. */
export interface Target {
  readonly contestant: string;
  readonly against: string;
  readonly atMost: number;
}

/** What a file in `operations/` exports. */
export interface Operation {
  /** What `--only` takes. */
  readonly name: string;
  readonly title: string;
  /** Numbers of contexts; from 100,000 on the walk is also done in shuffled order. */
  readonly sizes: readonly number[];
  /** By name; `hand-written` is the one that ratios refer to. */
  readonly contestants: Readonly<Record<string, Contestant>>;
  readonly targets: readonly Target[];
}

export type Order = "in order" | "shuffled";

/** What goes into one group of rows of the table. */
export interface Case {
  /** What `--only` takes. */
  readonly name: string;
  readonly title: string;
  readonly size: number;
  readonly order: Order | "";
  readonly unit: "time" | "bytes";
  readonly targets: readonly Target[];
  /** Medians by contestant: nanoseconds of one operation, or bytes of one context or of one version. */
  measure(): Record<string, number>;
}

export interface Effort {
  /** Where it takes no time to fill a store; the rounds are shared among them. */
  readonly processes: number;
  readonly warmUpRounds: number;
  readonly rounds: number;
  readonly roundMs: number;
}

/** A finished case, ready for the table. */
export interface Row {
  readonly title: string;
  readonly size: number;
  readonly order: string;
  readonly contestant: string;
  readonly unit: "time" | "bytes";
  readonly median: number;
  readonly ratio: number | undefined;
  readonly verdicts: readonly Verdict[];
}

export interface Verdict extends Target {
  readonly ratio: number;
  readonly met: boolean;
}

/** What the contexts of most operations hold. */
export interface TwoKeys {
  readonly step: number;
  readonly status: string;
}

/** What every store here gives back, whatever else its records have. */
export interface Held<Data> {
  readonly version: string;
  readonly data: Data;
}

export interface Store<Data> {
  create(id: string, data: Data): unknown;
  get(id: string): Held<Data> | undefined;
  update(id: string, data: Data, expectedVersion: string): Held<Data>;
}

export interface AsyncStore<Data> {
  create(id: string, data: Data): Promise<unknown>;
  get(id: string): Promise<Held<Data> | undefined>;
  update(id: string, data: Data, expectedVersion: string): Promise<Held<Data>>;
}
