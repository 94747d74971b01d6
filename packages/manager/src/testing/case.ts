/** A claim of the kit, and what becomes of it: a case that anything can run. */

import { type Random, randomFrom } from "./random.ts";

/** One claim about what is tested. `run` rejects when it does not hold. */
export interface KitCase {
  /** What it is about, for the reports of a test runner. */
  readonly group: string;
  /** The claim, as a sentence. */
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** The cases for one subject, in the order in which they are best read. */
export interface KitSuite {
  readonly name: string;
  readonly cases: readonly KitCase[];
}

/** What every harness may say. */
export interface HarnessOptions {
  /** What is tested, in the names of the cases. */
  readonly name: string;
  /** What the random cases begin with: by default a seed of its own for each run. A failure prints it. */
  readonly seed?: number;
  /** How long a case may take before it has failed: a minute by default. */
  readonly patienceMs?: number;
}

/** The hooks that a harness need not have. */
export type Hook = "crash" | "disconnect";

/** A case as it is written down, for the ground that it needs. */
export interface Claim<Ground> {
  readonly name: string;
  /** Whether the harness can show it at all. */
  readonly needs?: Hook;
  readonly check: (ground: Ground) => Promise<void>;
}

/** What a case is given, and how it is cleaned up. */
export interface Grounds<Ground> {
  readonly ground: Ground;
  readonly close: () => Promise<void>;
}

export type Groups<Ground> = readonly (readonly [string, readonly Claim<Ground>[]])[];

const PATIENCE_MS = 60_000;

/** The cases of all groups; those whose hook the harness has not got are left out. */
export function suiteOf<Ground>(
  harness: HarnessOptions & { readonly [Name in Hook]?: unknown },
  groups: Groups<Ground>,
  groundOf: (random: Random) => Grounds<Ground>,
): KitSuite {
  const cases = groups.flatMap(([group, claims]) =>
    claims
      .filter(({ needs }) => needs === undefined || harness[needs] !== undefined)
      .map(({ name, check }) => ({ group, name, run: () => runCase(harness, groundOf, check) })),
  );
  return { name: harness.name, cases };
}

/** A ground, the check, and everything closed whatever happens. */
async function runCase<Ground>(
  { seed = Math.floor(Math.random() * 2 ** 32), patienceMs = PATIENCE_MS }: HarnessOptions,
  groundOf: (random: Random) => Grounds<Ground>,
  check: (ground: Ground) => Promise<void>,
): Promise<void> {
  const { ground, close } = groundOf(randomFrom(seed));
  try {
    await within(patienceMs, check(ground));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message}\n  seed: ${seed}`, { cause: error });
  } finally {
    await within(patienceMs, close());
  }
}

/** What waits for something that never comes has failed, and says so. */
async function within(patienceMs: number, work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it is not over after ${patienceMs} ms`)), patienceMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

let stores = 0;

/** Also new for other processes that run the kit on the same server. */
export function nameOfStore(): string {
  return `kit-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}-${++stores}`;
}
