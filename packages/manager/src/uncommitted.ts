/** Snapshots of what a transaction has written, which is nobody else's to go on from before it is committed. */

import { type SharedContext, wrap } from "./context.ts";
import { type Entry, type Expected, PENDING } from "./entry.ts";
import { invalid } from "./errors.ts";

interface Uncommitted extends Entry {
  /** The entry of the plan itself, into which the commit puts its revision. */
  readonly origin: Entry;
}

/** Of a copy where it is not committed: a snapshot never changes. */
export function snapshotOf<Data extends object>(entry: Entry): SharedContext<Data> {
  if (entry.revision !== PENDING) return wrap<Data>(entry);
  const copy: Uncommitted = { ...entry, lock: entry.lock && { ...entry.lock }, origin: entry };
  return wrap<Data>(copy);
}

/** Committed, under a revision that nobody has told. */
const UNTOLD = -1;

export function committedElsewhere(entry: Entry): void {
  (entry as { revision: number }).revision = UNTOLD;
}

/**
 * What a snapshot without a revision stands for: from a dictionary for its version alone; from a transaction for what that
 * has committed.
 *
 * @param present - what the transaction at hand has made of the context.
 * @throws ContextError INVALID.
 */
export function versionBehind(argument: string, entry: Entry, present: Entry | undefined): Expected {
  const { origin } = entry as Partial<Uncommitted>;
  if (origin === undefined) return { version: entry.version, incarnation: undefined };
  if (origin.revision === PENDING && origin !== present) {
    const received = "one of a write that was not committed, or replaced in the same transaction; get the context anew";
    throw invalid(argument, "", "a snapshot of what has been committed", received);
  }
  return { version: origin.version, incarnation: origin.incarnation === PENDING ? undefined : origin.incarnation };
}
