/**
 * The keys of one namespace. All have the same hash tag, so that a cluster keeps them in one slot and one script may
 * touch them all.
 */

export interface Keys {
  /** Hash: the entry of each context by its id; under the empty field, which is no id, the head of the store. */
  readonly entries: string;
  /** Sorted set: the ids of the contexts by the order of their creation. */
  readonly order: string;
  /** Stream: the change log; an item has the transactions of one commit, and the last of their revisions, `-0`, as its id. */
  readonly log: string;
  /** Hash: the versions kept of each context, by its place in the order of creation and their number. */
  readonly versions: string;
  /** What the key of the fence of one engine begins with; its session follows. */
  readonly fence: string;
  /** The channel that commits are announced on. No key, but named like one, and for one database: channels are for all. */
  readonly wake: string;
}

/**
 * @param namespace - any string; what could end the hash tag, or look like the end of a key, is escaped.
 * @param database - its number.
 */
export function keysOf(namespace: string, database = 0): Keys {
  const tag = `{scm:${encodeURIComponent(namespace)}}`;
  return {
    entries: `${tag}:entries`,
    order: `${tag}:order`,
    log: `${tag}:log`,
    versions: `${tag}:versions`,
    fence: `${tag}:fence:`,
    wake: `${tag}:wake:${database}`,
  };
}
