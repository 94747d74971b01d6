/** The steps of a transaction, which name what they have read by ETags, and get what a transaction expects. */

import {
  type AsyncSharedContextManager,
  ContextError,
  type ExpectedVersion,
  isContextError,
  type SharedContext,
} from "shared-context-manager";
import { type Etag, isAt, type Match } from "./etags.ts";

type Read = (contextId: string) => Promise<SharedContext | undefined>;

/** No context is ever at this version: with it the rules refuse in their own order, and come to CONFLICT last. */
const NEVER = "0";

/** What a transaction has written again since: the one version that it was committed as, as far as it can be found. */
export async function committed(manager: AsyncSharedContextManager, context: SharedContext): Promise<SharedContext> {
  const { contextId, version, incarnation } = context;
  const isSame = (other: SharedContext): boolean =>
    other.version === version && (incarnation === undefined || other.incarnation === incarnation);
  const present = await manager.get(contextId);
  if (present === undefined || isSame(present)) return present ?? context;
  return (await manager.history(contextId)).find(isSame) ?? context;
}

/** The snapshot that a tag names: the present one, or a kept one, so that a patch can be merged. */
export async function expectedOf(
  manager: AsyncSharedContextManager,
  contextId: string,
  match: Match,
  read: Read,
): Promise<ExpectedVersion | undefined> {
  if (match === "any") return undefined;
  const present = await read(contextId);
  if (present === undefined) return NEVER;
  if (match.some((tag) => isAt(present, tag))) return present;
  const kept = await manager.history(contextId);
  return kept.find((snapshot) => match.some((tag) => isAt(snapshot, tag))) ?? NEVER;
}

/** A conflict tells the version that the caller named, not what stood for it. */
export async function explained<Result>(match: Match, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isContextError(error, "CONFLICT") || error.details.expected !== NEVER || match === "any") throw error;
    const { current } = error.details;
    const { incarnation, version } = closest(match, current);
    const recreated = incarnation !== current.incarnation;
    throw new ContextError("CONFLICT", { ...error.details, expected: version, recreated });
  }
}

function closest(match: readonly Etag[], current: SharedContext): Etag {
  const tag = match.find(({ incarnation }) => incarnation === current.incarnation) ?? match[0];
  return tag ?? { incarnation: 0, version: NEVER };
}
