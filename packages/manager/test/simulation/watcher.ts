/** Who watches, goes on after a cut, and keeps what it was told; and whether that is what the log says. */

import { isDeepStrictEqual } from "node:util";
import {
  type AsyncSharedContextManager,
  type Change,
  type ContextFilter,
  isContextError,
} from "shared-context-manager";
import type { LoggedChange } from "../../src/engine.ts";
import type { Data } from "./journal.ts";
import type { Ledger } from "./ledger.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** A stretch of watching without anything missed in between. */
interface Stretch {
  readonly current: Change<Data>[];
  readonly changes: Change<Data>[];
}

type Told = LoggedChange & { readonly revision: number };

export class Watcher {
  readonly filter: ContextFilter | undefined;
  readonly stretches: Stretch[] = [];
  readonly #manager: AsyncSharedContextManager<Data>;
  readonly #time: VirtualTime;

  constructor(manager: AsyncSharedContextManager<Data>, filter: ContextFilter | undefined, time: VirtualTime) {
    this.#manager = manager;
    this.filter = filter;
    this.#time = time;
  }

  async watch(signal: AbortSignal): Promise<void> {
    await this.#time.pause(300);
    let after: number | undefined;
    while (!signal.aborted) {
      try {
        await this.#follow(after, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!isContextError(error, "UNAVAILABLE") && !isContextError(error, "COMPACTED")) throw error;
        const known = this.stretches.at(-1)?.changes.at(-1)?.revision;
        after = isContextError(error, "UNAVAILABLE") ? known : undefined;
      }
    }
  }

  async #follow(after: number | undefined, signal: AbortSignal): Promise<void> {
    const stretch = after === undefined ? { current: [], changes: [] } : (this.stretches.at(-1) as Stretch);
    if (after === undefined) this.stretches.push(stretch);
    for await (const change of this.#manager.watch(this.filter, { signal, ...(after !== undefined && { after }) })) {
      (change.kind === "current" ? stretch.current : stretch.changes).push(change);
      await this.#time.pause(5);
    }
  }

  /** @throws when what it was told is not a slice of the log, or when the end is missing. */
  check(ledger: Ledger): void {
    const logged = ledger.commits.flatMap(({ revision, changes }) => changes.map((one) => ({ ...one, revision })));
    const all = logged.filter(({ contextId }) => passes(this.filter, contextId));
    for (const [index, stretch] of this.stretches.entries()) {
      checkSlice(all, stretch.changes, index === this.stretches.length - 1, describe(this.filter));
      const first = stretch.changes[0]?.revision;
      const isWhole = index === this.stretches.length - 1 || first !== undefined;
      if (isWhole) this.#checkStart(ledger, stretch.current, first === undefined ? ledger.head : first - 1);
    }
  }

  /** What it was shown in the beginning is how things were before the first change. */
  #checkStart(ledger: Ledger, current: readonly Change<Data>[], revision: number): void {
    const ids = new Set(ledger.commits.flatMap(({ steps }) => steps.map(({ contextId }) => contextId)));
    const brief = (id: string, version: string | undefined, data: unknown, token: number | undefined): string =>
      JSON.stringify([id, version, data, token]);
    const shown = current.map(({ contextId, context }) =>
      brief(contextId ?? "", context?.version, context?.data, context?.lock?.token),
    );
    const present = [...ids]
      .filter((id) => passes(this.filter, id))
      .flatMap((id) => {
        const entry = ledger.at(id, revision);
        return entry === undefined ? [] : [brief(id, entry.version, entry.data, entry.lock?.token)];
      });
    if (isDeepStrictEqual(shown.toSorted(), present.toSorted())) return;
    throw new Error(
      `${describe(this.filter)} began with ${shown.join()} but before revision ${revision + 1} it was ${present.join()}`,
    );
  }
}

/** @param isLast - whether it must reach to the end of the log. */
export function checkSlice(
  all: readonly Told[],
  told: readonly Change<Data>[],
  isLast: boolean,
  who: string,
  since = Infinity,
): void {
  const start = told.length === 0 ? all.length : all.findIndex(({ revision }) => revision === told[0]?.revision);
  const slice = all.slice(start, isLast ? undefined : start + told.length);
  const missed = all.findIndex(({ revision }) => revision > since);
  const expected = slice.map((one) => brief(one, one.entry?.version));
  const received = told.map((one) => brief(one, one.context?.version));
  const isLate = missed !== -1 && start > missed;
  if (!isLate && isDeepStrictEqual(received, expected)) return;
  throw new Error(`${who} was told\n  ${received.join("\n  ")}\nbut the log has\n  ${expected.join("\n  ")}`);
}

function brief({ revision, kind, contextId, agentId, note }: Omit<Told, "entry">, version: string | undefined): string {
  return [revision, kind, contextId, version ?? "gone", agentId, note].join(" ");
}

function passes(filter: ContextFilter | undefined, contextId: string | null): boolean {
  if (filter === undefined || contextId === null) return true;
  return typeof filter === "string" ? filter === contextId : contextId.startsWith(filter.prefix);
}

function describe(filter: ContextFilter | undefined): string {
  return `whoever watches ${JSON.stringify(filter) ?? "everything"}`;
}
