/**
 * What makes increments commute: for a number that has been incremented, since which version nothing else has
 * happened to it. An agent that read it after that, or that read the value the count went on from, may add to
 * whatever it has become; one that read it before somebody set it may not.
 */

import { formatPath, locate } from "./pointer.ts";

/** A row of increments of one number. */
interface Chain {
  /** The version before the first. */
  readonly since: string;
  readonly from: unknown;
  /** What the last one left. */
  readonly to: unknown;
}

/** The chains of a context by path. They hold of the entry that has them. */
export type Chains = ReadonlyMap<string, Chain & { readonly tokens: readonly string[] }>;

/** A forgotten chain costs a conflict that was not necessary, never an increment. */
const LONGEST_MEMORY = 64;

/** Whether a number has gone from what the caller read to what it is by increments alone. */
export function chainHolds(
  path: string,
  baseVersion: string,
  base: unknown,
  present: unknown,
  chains: Chains | undefined,
): boolean {
  const chain = chains?.get(path);
  if (chain === undefined || chain.to !== present) return false;
  return Number(baseVersion) >= Number(chain.since) || chain.from === base;
}

/** The chains once these numbers have been incremented as well. */
export function extendChains(
  present: { readonly version: string; readonly data: object; readonly chains: Chains | undefined },
  increments: readonly (readonly string[])[],
  data: object,
): Chains | undefined {
  if (increments.length === 0) return present.chains;
  const chains = new Map(present.chains);
  for (const tokens of increments) {
    const path = formatPath(tokens);
    const { since = present.version, from = locate(present.data, tokens).value } = chains.get(path) ?? {};
    chains.delete(path); // to the end: the chain that nobody has added to for longest is forgotten first
    chains.set(path, { tokens, since, from, to: locate(data, tokens).value });
  }
  for (const path of chains.keys()) {
    if (chains.size <= LONGEST_MEMORY) break;
    chains.delete(path);
  }
  return chains;
}

/** The chains that still hold of new data. */
export function chainsOn(data: object, chains: Chains | undefined): Chains | undefined {
  return chains === undefined ? undefined : stillOn(data, chains);
}

function stillOn(data: object, chains: Chains): Chains | undefined {
  const holding = [...chains].filter(([, { tokens, to }]) => locate(data, tokens).value === to);
  return holding.length === chains.size ? chains : holding.length === 0 ? undefined : new Map(holding);
}
