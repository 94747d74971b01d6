/** Snapshots of what a transaction has written, which is nobody else's to go on from before it is committed. */

import { type AnySharedContext, entryOf, type SharedContext, wrap } from "./context.ts";
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

/** The context as the transaction has left it, once that is committed; `undefined` where it has written it again after this. */
export function committedAs<Data extends object>(context: SharedContext<Data>): SharedContext<Data> | undefined {
  const { origin } = entryOf(context as AnySharedContext) as Partial<Uncommitted>;
  return origin !== undefined && origin.revision > PENDING ? wrap<Data>(origin) : undefined;
}

/** Committed, under a revision that nobody has told. */
const UNTOLD = -1;

/** @param incarnation - that of a context which was created, where it is known. */
export function committedElsewhere(entry: Entry, incarnation: number = PENDING): void {
  const draft = entry as { revision: number; incarnation: number };
  draft.revision = UNTOLD;
  if (draft.incarnation === PENDING) draft.incarnation = incarnation;
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
