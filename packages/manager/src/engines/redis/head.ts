/** Where the store is, and whether it is still the one that it was. */

import { ContextError } from "../../errors.ts";
import { corrupt, firstOf, type LogItem } from "./entries.ts";

/** The last revision, and the first one that the log still has. */
export interface Head {
  readonly head: number;
  readonly oldest: number;
}

/** The layout of keys and texts comes first; the script knows it too. */
const HEAD = /^2 (\d+) \d+ (\d+)$/;
const EARLIER_HEAD = /^\d+ \d+ \d+$/;

/** @param text - `layout head created oldest`, or nothing when nothing has ever been committed. */
export function parseHead(text: string | null): Head {
  if (text === null) return { head: 0, oldest: 1 };
  const [, head, oldest] = HEAD.exec(text) ?? [];
  if (head !== undefined) return { head: Number(head), oldest: Number(oldest) };
  if (!EARLIER_HEAD.test(text)) throw corrupt("the head of the store", "it is no head");
  throw new ContextError("UNSUPPORTED", {
    feature: "this store",
    expected: "one of layout 2",
    received: "one that an earlier version of this package has made",
  });
}

/**
 * The ends of the log as the items of it that were read after `from` show them.
 *
 * @param before - the head as of before they were read; @param later - as of after.
 * @throws ContextError CORRUPT when items are missing that nobody has trimmed.
 */
export function endsOf(before: Head, items: readonly LogItem[], from: number, later: Head): Head {
  const [first] = items;
  if (first === undefined) {
    // The last item is never trimmed.
    if (before.head > from) throw missing(from + 1);
    return before;
  }
  const revision = firstOf(first);
  if (revision <= from + 1) return before;
  if (revision > later.oldest) throw missing(Math.max(from + 1, later.oldest));
  return { head: before.head, oldest: later.oldest };
}

function missing(revision: number): ContextError {
  return corrupt(`revision ${revision} of the change log`, "it is not there");
}

export function wentBack(detail: string): ContextError {
  return corrupt(
    "the change log",
    `${detail}, so the server has lost what it had acknowledged, as a failover or a restart without "appendfsync always" can. ` +
      "Revisions and tokens may have been given twice: open the manager again to go on with what is there",
  );
}

/** What this process knows of the store, to notice when it is another one. */
export class Mark {
  #seen = 0;
  #revision = 0;
  #opId = "";

  /** The highest revision seen. No answer to what is sent from now on may be below it. */
  get seen(): number {
    return this.#seen;
  }

  /** The newest revision of which it is known here what it was, and that. */
  get last(): { readonly revision: number; readonly opId: string } {
    return { revision: this.#revision, opId: this.#opId };
  }

  saw(head: number): void {
    this.#seen = Math.max(this.#seen, head);
  }

  knows(revision: number, opId: string): void {
    this.saw(revision);
    if (revision <= this.#revision) return;
    this.#revision = revision;
    this.#opId = opId;
  }
}
