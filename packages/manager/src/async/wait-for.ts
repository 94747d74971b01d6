import { type SharedContext, wrap } from "../context.ts";
import { Cursor } from "../cursor.ts";
import type { JsonObject } from "../data.ts";
import { type Entry, holding } from "../entry.ts";
import { ContextError } from "../errors.ts";
import { type Predicate, satisfies } from "../wait-for.ts";
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
  throw store.refusal(new ContextError("TIMEOUT", detailsOf(contextId, timeoutMs, entry)));
}

function detailsOf(contextId: string, timeoutMs: number, entry: Entry | undefined): ContextError<"TIMEOUT">["details"] {
  return {
    contextId,
    timeoutMs,
    position: 0,
    holder: entry?.lock ? holding(entry.lock) : null,
    current: entry && wrap<JsonObject>(entry),
  };
}
