/** Pages of the contexts there are: their ids from the sorted set, their entries from the hash, both of one state. */

import type { Command } from "./connection.ts";
import { corrupt, parseStored } from "./entries.ts";
import type { Keys } from "./keys.ts";
import { pairsOf } from "./replies.ts";

const IDS_AT_ONCE = 1_000;
/** On a server where commits never pause for the length of one read, a page is of about one time. */
const MOST_TRIES = 5;

export type Read = (commands: readonly Command[]) => Promise<unknown[]>;

/** Some contexts in the order of creation, after a place in it. */
export interface Chunk {
  /** What the head was: `changes` after it complete the chunk. */
  readonly stored: string | null;
  readonly texts: readonly (readonly [id: string, text: string])[];
  /** Where to go on; `undefined` at the end. */
  readonly next: number | undefined;
}

interface Ids {
  readonly stored: string | null;
  readonly all: readonly Place[];
}

type Place = readonly [id: string, sequence: number];

export async function readChunk(read: Read, keys: Keys, from: number, prefix: string, limit: number): Promise<Chunk> {
  const { entries, order } = keys;
  const head: Command = ["HGET", entries, ""];
  const range: Command = ["ZRANGEBYSCORE", order, `(${from}`, "+inf", "WITHSCORES", "LIMIT", "0", `${IDS_AT_ONCE}`];
  const replies = await read([head, ["HLEN", entries], ["ZCARD", order], range, head]);
  const [stored, fields, ordered, scored, later] = replies as [string | null, number, number, unknown[], string | null];
  // Where nothing was committed meanwhile, the counts are of one and the same state.
  if (stored === later && ordered !== Math.max(0, fields - 1)) {
    throw corrupt("the order of contexts", "not all of them are in it");
  }
  let ids: Ids = { stored, all: pairsOf(scored) };
  for (let tries = 1; ; tries++) {
    const matching = ids.all.filter(([id]) => id.startsWith(prefix));
    const wanted = matching.slice(0, limit);
    // The ids once more with the entries: a server takes what comes together in one go, so mostly these are of one state.
    const values: Command = ["HMGET", entries, "", ...wanted.map(([id]) => id)];
    const again = await read([head, range, values]);
    const [before, scoredAgain, [after = null, ...texts]] = again as [string | null, unknown[], (string | null)[]];
    const present: Ids = { stored: before, all: pairsOf(scoredAgain) };
    const isOne = before === after && areSame(present.all, ids.all);
    if (!isOne && tries < MOST_TRIES) {
      ids = present;
      continue;
    }
    const isCut = wanted.length < matching.length;
    const isEnd = !isCut && ids.all.length < IDS_AT_ONCE;
    const last = (isCut ? wanted : ids.all).at(-1)?.[1];
    return { stored: isOne ? before : ids.stored, texts: presentOf(wanted, texts), next: isEnd ? undefined : last };
  }
}

/** One that was deleted since is not there, and one that was created again has its place further on. */
function presentOf(wanted: readonly Place[], texts: readonly (string | null)[]): (readonly [string, string])[] {
  return wanted.flatMap(([id, sequence], index) => {
    const text = texts[index] ?? null;
    return text === null || parseStored(id, text).sequence !== sequence ? [] : [[id, text] as const];
  });
}

function areSame(some: readonly Place[], others: readonly Place[]): boolean {
  return some.length === others.length && some.every(([, sequence], index) => sequence === others[index]?.[1]);
}
