/**
 * When the commits of a history can have happened. The instant of a commit is not known, but revisions give the order,
 * and each thing that was seen bounds an instant from one side. There are instants that fit if and only if no earlier
 * commit must come after a later one must have been; that takes one pass from each end.
 */

import type { Flaw } from "./checker.ts";

interface Bound {
  readonly revision: number;
  readonly at: bigint;
  readonly flaw: Flaw;
  readonly because: string;
}

export interface Contradiction {
  readonly flaw: Flaw;
  readonly text: string;
}

/** Of two bounds that contradict each other, what the more telling of them is about. */
const WEIGHT: Readonly<Partial<Record<Flaw, number>>> = {
  "two holders": 1,
  "unjustified refusal": 2,
  "stale read": 3,
};

export class Order {
  readonly #least: Bound[] = [];
  readonly #most: Bound[] = [];

  /** The commit has happened by then. */
  atMost(revision: number, at: bigint | undefined, flaw: Flaw, because: string): void {
    if (at !== undefined) this.#most.push({ revision, at, flaw, because });
  }

  /** The commit had not happened before. */
  atLeast(revision: number, at: bigint, flaw: Flaw, because: string): void {
    this.#least.push({ revision, at, flaw, because });
  }

  /** Bounds that no order can satisfy together, once for every late commit and flaw. */
  contradictions(): Contradiction[] {
    // A commit cannot be before what the commits before it wait for: the strictest of these bounds is carried along.
    const least = this.#least.toSorted((a, b) => a.revision - b.revision);
    const most = this.#most.toSorted((a, b) => a.revision - b.revision);
    const found = new Map<Bound, Map<Flaw, Contradiction>>();
    let strictest: Bound | undefined;
    let next = 0;
    for (const bound of most) {
      for (; next < least.length && least[next]!.revision <= bound.revision; next++) {
        if (strictest === undefined || least[next]!.at > strictest.at) strictest = least[next]!;
      }
      if (strictest === undefined || strictest.at <= bound.at) continue;
      const flaw = weightOf(bound) > weightOf(strictest) ? bound.flaw : strictest.flaw;
      const flaws = found.get(strictest) ?? new Map<Flaw, Contradiction>();
      const text = `revision ${bound.revision} was there when ${bound.because}, but revision ${strictest.revision} was not when ${strictest.because}`;
      found.set(strictest, flaws);
      if (!flaws.has(flaw)) flaws.set(flaw, { flaw, text });
    }
    return [...found.values()].flatMap((flaws) => [...flaws.values()]);
  }
}

function weightOf({ flaw }: Bound): number {
  return WEIGHT[flaw] ?? 0;
}
