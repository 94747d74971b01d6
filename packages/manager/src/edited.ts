/** What an edit of old data comes to, once it is put together with what others have changed since. */

import type { Chains } from "./increments.ts";
import { merge, type Overlap } from "./merge.ts";

/** What an edit comes to: new data, or why not. */
export type Edited =
  | {
      readonly data: object;
      readonly chains: Chains | undefined;
      /** It is known to be other data than what is there; without it, it may be the same. */
      readonly differs?: boolean;
      /** What is to be finished in it before it is kept, where that is known: see `Given`. */
      readonly made?: readonly object[] | undefined;
    }
  | { readonly overlaps: readonly Overlap[] }
  | { readonly misfit: Misfit };

/** A step that the data has no place for. */
export interface Misfit {
  readonly path: string;
  readonly expected: string;
  readonly received: string;
}

/** One version of the data, as much as an edit must know of it. */
export interface Version {
  readonly version: string;
  readonly data: object;
  readonly chains: Chains | undefined;
}

/** The data with the changes of one side and of the other. */
export function merged(yours: object, base: Version, present: Version, failed: readonly Overlap[]): Edited {
  const overlaps: Overlap[] = [];
  const data = merge(base.data, yours, present.data, "", overlaps) as object;
  // A test on what the patch also changes tells the same story twice.
  const isTold = ({ path }: Overlap): boolean =>
    overlaps.some((overlap) => path === overlap.path || path.startsWith(`${overlap.path}/`));
  const untold = new Map(failed.map((overlap) => [overlap.path, overlap]));
  const all = [...overlaps, ...[...untold.values()].filter((overlap) => !isTold(overlap))];
  return all.length === 0 ? { data, chains: present.chains } : { overlaps: sorted(all) };
}

export function sorted(overlaps: Overlap[]): Overlap[] {
  return overlaps.sort((one, other) => (one.path < other.path ? -1 : one.path > other.path ? 1 : 0));
}
