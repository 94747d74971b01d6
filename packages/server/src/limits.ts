/** What a server takes at most; each has a default that is safe. */

export interface Limits {
  /** How large a body may be, in bytes: 1 MiB by default. */
  readonly maxBodyBytes: number;
  /** How long a request may wait, in milliseconds: a minute by default. */
  readonly maxWaitMs: number;
  /** How many contexts a page has at most: 1,000 by default. */
  readonly maxPage: number;
  /** How many steps a transaction has at most: 100 by default. */
  readonly maxSteps: number;
  /** How many event streams may be open: 10,000 by default. */
  readonly maxStreams: number;
}

export const DEFAULT_LIMITS: Limits = {
  maxBodyBytes: 1024 * 1024,
  maxWaitMs: 60_000,
  maxPage: 1_000,
  maxSteps: 100,
  maxStreams: 10_000,
};

/** What descriptions say of a wait that may be asked for. */
export const LONGEST_WAIT: string = `${DEFAULT_LIMITS.maxWaitMs.toLocaleString("en")} at most, where the server has no other limit: more is cut to that`;
