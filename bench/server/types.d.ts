/** What the servers under load tell the run, and what is asked of them. */

export type Kind = "get" | "put" | "watch";

/** How long and how often. */
export interface Effort {
  readonly rounds: number;
  readonly roundMs: number;
  readonly watchers: number;
}

/** What one round has found, by the name of the number. */
export type Measured = Readonly<Record<string, number>>;

export interface Work {
  readonly kind: Kind;
  readonly title: string;
  readonly run: (port: number, effort: Effort) => Promise<Measured>;
  readonly targets: readonly Target[];
}

/** `measure` of ours to that of bare: at least, or at most. */
export interface Target {
  readonly measure: string;
  readonly unit: string;
  readonly least?: number;
  readonly most?: number;
}

/** A target with what was measured. */
export interface ServerRow {
  readonly work: Work;
  readonly target: Target;
  /** Medians. */
  readonly bare: number;
  readonly ours: number;
  readonly ratio: number;
  readonly met: boolean;
}

/** A server in a process of its own. */
export interface Running {
  readonly port: number;
  /** What is alive in it after the garbage has gone, in bytes. */
  memory(): Promise<number>;
  stop(): Promise<void>;
}
