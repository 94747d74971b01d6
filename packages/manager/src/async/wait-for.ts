import { entryOf, type SharedContext, wrap } from "../context.ts";
import { Cursor } from "../cursor.ts";
import { ContextError } from "../errors.ts";
import { type Predicate, satisfies, timeoutDetails } from "../wait-for.ts";
import { LATE, whenTimeHasCome, within } from "./patience.ts";
import type { SharedStore } from "./shared-store.ts";

/** The context as soon as it satisfies the predicate: as it is, or after one of the changes to come. */
export async function waitFor<Data extends object>(
  store: SharedStore,
  contextId: string,
  predicate: Predicate<Data>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<SharedContext<Data>> {
  const cursor = new Cursor<Data>(store.follower, { filter: contextId, after: undefined, coalesce: false, signal });
  const { clock } = store;
  const endsAtMs = clock.leaseMs() + timeoutMs;
  let isLate = false;
  let last: SharedContext<Data> | undefined;
  const cancel = whenTimeHasCome(clock, endsAtMs, () => {
    isLate = true;
    cursor.end();
  });
  try {
    for await (const { context } of cursor) {
      if (context !== undefined && satisfies(predicate, context)) return context;
      last = context;
    }
  } finally {
    cancel();
  }
  if (!isLate) throw new ContextError("CLOSED", {});
  // It looks once, however late that is; where no answer comes, the last that was told is what there is to tell.
  const found = await within(store.load(contextId), { clock, endsAtMs, signal });
  const entry = found === LATE ? last && entryOf(last) : found;
  const context = entry && wrap<Data>(entry);
  if (context !== undefined && satisfies(predicate, context)) return context;
  throw store.refusal(new ContextError("TIMEOUT", timeoutDetails(contextId, timeoutMs, entry)));
}
