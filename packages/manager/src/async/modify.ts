/** Read, change, write over a storage; and again from what is there now, when somebody was faster. */

import { checkFunction, readAttempts, readFlag, readNote, readSignal } from "../arguments.ts";
import { mergeCommand, updateCommand } from "../commands.ts";
import { type SharedContext, wrap } from "../context.ts";
import type { DeepReadonly } from "../data.ts";
import type { Author } from "../entry.ts";
import { ContextError, isContextError } from "../errors.ts";
import { type ModifyOptions, pause, unlessAborted } from "../modify.ts";
import type { SharedStore } from "./shared-store.ts";

/** Makes new data of a snapshot. */
export type AsyncChange<Data extends object> = (
  context: SharedContext<Data>,
) => DeepReadonly<Data> | PromiseLike<DeepReadonly<Data>>;

export async function modify<Data extends object>(
  store: SharedStore,
  contextId: string,
  change: AsyncChange<Data>,
  options: ModifyOptions | undefined,
  author: Author,
  check: () => void,
): Promise<SharedContext<Data>> {
  checkFunction("change", change);
  readNote(options); // before the first run, and again before each write
  const attempts = readAttempts(options);
  const merges = readFlag(options, "merge");
  const signal = readSignal(options);
  signal?.throwIfAborted();
  for (let attempt = 1; ; attempt++) {
    check();
    const entry = await unlessAborted(store.load(contextId), signal);
    if (entry === undefined) throw store.refusal(new ContextError("NOT_FOUND", { contextId }));
    const context = wrap<Data>(entry);
    const data = await unlessAborted(change(context), signal);
    check();
    try {
      const next = merges
        ? store.edit(mergeCommand(author, context, data, options))
        : store.update(updateCommand(author, contextId, data, context, options));
      return wrap<Data>(await unlessAborted(next, signal));
    } catch (error) {
      if (attempt >= attempts || !isContextError(error, "CONFLICT")) throw error;
    }
    await pause(store.clock, attempt, signal);
  }
}
