import { type SharedContext, wrap } from "../context.ts";
import { Cursor } from "../cursor.ts";
import { ContextError } from "../errors.ts";
import { type Predicate, satisfies, timeoutDetails } from "../wait-for.ts";
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
  let isLate = false;
  const cancel =
    timeoutMs === Infinity
      ? undefined
      : store.clock.setTimer(
          () => {
            isLate = true;
            cursor.end();
          },
          timeoutMs,
          true,
        );
  try {
    for await (const { context } of cursor) {
      if (context !== undefined && satisfies(predicate, context)) return context;
    }
  } finally {
    cancel?.();
  }
  if (!isLate) throw new ContextError("CLOSED", {});
  const entry = await store.load(contextId);
  const context = entry && wrap<Data>(entry);
  if (context !== undefined && satisfies(predicate, context)) return context; // it looks once, however late that is
  throw store.refusal(new ContextError("TIMEOUT", timeoutDetails(contextId, timeoutMs, entry)));
}
