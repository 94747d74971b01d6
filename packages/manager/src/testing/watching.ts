/** Law 7: every stream is a part of the log, nothing twice and nothing missed, what belongs together comes together. */

import type { AsyncSharedContextManager } from "../async/manager.ts";
import type { Change, ContextFilter } from "../changes.ts";
import { equal, holds, outcomeOf, refused } from "./assert.ts";
import type { Claim } from "./case.ts";
import { type Ground, pairOf, pause, type Told } from "./ground.ts";

const BEGIN = "z-begin";
const END = "z-end";
const FILTERS: readonly (ContextFilter | undefined)[] = [undefined, "a1", { prefix: "a" }, { prefix: "b1" }, "none"];
const IDS = ["a1", "a2", "b1", "b12"];

const PATIENCE_MS = 10_000;
/** A log that is told to keep next to nothing may keep more, but not so much. */
const MOST_KEPT = 8_000;
/** Writes in flight together, as those of several agents are: one after the other they take a minute over a network. */
const AT_ONCE = 64;

function brief({ revision, kind, contextId }: Told): string {
  return `${revision} ${kind} ${contextId ?? "*"}`;
}

function passes(filter: ContextFilter | undefined, contextId: string | null): boolean {
  if (contextId === null || filter === undefined) return true;
  return typeof filter === "string" ? contextId === filter : contextId.startsWith(filter.prefix);
}

/** What a filter lets pass of the log, in short. */
function sliceOf(log: readonly Told[], filter: ContextFilter | undefined): string[] {
  return log.filter(({ contextId }) => passes(filter, contextId)).map(brief);
}

/** Writes what comes to mind: updates, deletions, transactions over two contexts, a clear now and then. */
async function write(manager: AsyncSharedContextManager, { random }: Ground, times: number): Promise<void> {
  const agent = manager.agent("writer");
  for (let time = 0; time < times; time++) {
    const [id, other] = [random.pick(IDS), random.pick(IDS)];
    const step = random.below(20);
    if (step === 0) await manager.clear();
    else if (step < 4) await manager.delete(id);
    else if (step < 8) await manager.lock(id, `agent-${step}`).catch(() => false);
    else if (step < 14) await manager.create(id, { time }).catch(() => undefined);
    else {
      await agent
        .transact(async (tx) => {
          for (const one of new Set([id, other])) await tx.patch(one, { time });
        })
        .catch(() => undefined);
    }
  }
}

interface Stream {
  readonly filter: ContextFilter | undefined;
  /** Whether it has told anything. */
  readonly hasBegun: () => boolean;
  /** Ends it when it has told what happened at a revision; all that it has told. */
  readonly endAt: (revision: number) => Promise<Change[]>;
}

/** Reads in the background, as fast as it comes. @param after - `undefined` to begin with how things are. */
function follow(manager: AsyncSharedContextManager, filter: ContextFilter | undefined, after?: number): Stream {
  const changes: Change[] = [];
  const controller = new AbortController();
  const reason = new Error("enough");
  const { signal } = controller;
  const stream = manager.watch(filter, after === undefined ? { signal } : { signal, after });
  const read = async (): Promise<void> => {
    for await (const change of stream) changes.push(change);
  };
  const reading = read().catch((error: unknown) => {
    if (error !== reason) throw error;
  });
  reading.catch(() => undefined); // told at the end
  return {
    filter,
    hasBegun: () => changes.length > 0,
    async endAt(revision) {
      const deadlineMs = performance.now() + PATIENCE_MS;
      while ((changes.at(-1)?.revision ?? 0) < revision && performance.now() < deadlineMs) await pause(2);
      controller.abort(reason);
      await reading;
      return changes;
    },
  };
}

/** Whether the log is kept no longer from this revision on. */
async function isTrimmed(manager: AsyncSharedContextManager, after: number): Promise<boolean> {
  const stream = manager.watch("a", { after });
  const outcome = await outcomeOf(stream.next(), () => "told");
  await stream.return?.();
  return outcome === "COMPACTED";
}

/** A change that passes every filter, so that every stream hears of the end. @returns its revision. */
async function finish(manager: AsyncSharedContextManager): Promise<number> {
  await manager.create(END, {});
  await manager.clear();
  return (await manager.stats()).revision;
}

export const watching: readonly Claim<Ground>[] = [
  {
    name: "every stream from a revision on is the slice of the log",
    async check(ground) {
      const { managers, log: logOf } = await ground.managers(2);
      const start = (await (managers[0] as AsyncSharedContextManager).stats()).revision;
      const streams = managers.flatMap((manager) => FILTERS.map((filter) => follow(manager, filter, start)));
      await Promise.all(managers.map((manager) => write(manager, ground, 40)));
      streams.push(...managers.map((manager) => follow(manager, undefined, start)));
      const last = await finish(managers[0] as AsyncSharedContextManager);
      const log = await logOf(start, last);
      for (const { filter, endAt } of streams) {
        equal(
          (await endAt(last)).map(brief),
          sliceOf(log, filter),
          `a stream with the filter ${JSON.stringify(filter)}`,
        );
      }
    },
  },
  {
    name: "a stream from now on is how things are and then the rest of the log",
    async check(ground) {
      const { managers, log: logOf } = await ground.managers(2);
      const [one, other] = managers as [AsyncSharedContextManager, AsyncSharedContextManager];
      await write(one, ground, 15);
      const writing = write(other, ground, 30);
      const streams = FILTERS.map((filter) => follow(one, filter));
      await writing;
      let last = await finish(other);
      // One that begins only now finds nothing, and has nothing to tell of what was.
      while (!streams.every(({ hasBegun }) => hasBegun())) {
        await pause(2);
        last = await finish(other);
      }
      const log = await logOf(0, last);
      for (const { filter, endAt } of streams) {
        const changes = await endAt(last);
        const first = changes.findIndex(({ kind }) => kind !== "current");
        const current = first === -1 ? changes : changes.slice(0, first);
        const rest = first === -1 ? [] : changes.slice(first).map(brief);
        const slice = sliceOf(log, filter);
        equal(rest, slice.slice(slice.length - rest.length), `the rest of the log for ${JSON.stringify(filter)}`);
        const before = slice.length - rest.length;
        equal(current.map(brief), stateAt(log, filter, before), `how things were for ${JSON.stringify(filter)}`);
      }
    },
  },
  {
    name: "the changes of one transaction come together",
    async check(ground) {
      const [one, other] = await pairOf(ground);
      const heard: number[] = [];
      let hasEnded: (() => void) | undefined;
      const end = new Promise<void>((resolve) => {
        hasEnded = resolve;
      });
      const begun: number[] = [];
      const stop = one.subscribe(undefined, ({ revision, contextId }) => {
        if (contextId === END) hasEnded?.();
        else if (contextId?.startsWith(BEGIN) === true) begun.push(revision);
        else heard.push(revision);
      });
      // It begins where the store is when it is first asked: what another client writes before that, it does not hear.
      for (let markers = 0; begun.length === 0; markers++) {
        await other.create(`${BEGIN}-${markers}`, {});
        await pause(1);
      }
      for (let round = 0; round < 10; round++) {
        await other.agent("writer").transact(async (tx) => {
          for (const id of IDS) await tx.create(`${id}-${round}`, {});
        });
      }
      await other.create(END, {});
      await end;
      stop();
      const groups = heard.filter((revision, index) => revision !== heard[index - 1]);
      equal([heard.length, groups.length], [10 * IDS.length, 10], "the number of changes and of groups of them");
    },
  },
  {
    name: "who has fallen behind what is kept is told COMPACTED; who coalesces gets how things are",
    async check(ground) {
      const [one, other] = await pairOf(ground, { changeLogLimit: 4 });
      const { revision: start = 0 } = await one.create("a", { step: 0 });
      const coalescing = one.watch("a", { coalesce: true });
      equal((await coalescing.next()).value?.kind, "current", "what a stream begins with");
      const agent = other.agent("writer");
      await agent.patch("a", { step: 1 });
      equal((await coalescing.next()).value?.kind, "updated", "what it goes on with");
      for (let step = 2; step < MOST_KEPT && !(await isTrimmed(other, start)); step += AT_ONCE) {
        await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => agent.patch("a", { step: step + index })));
      }
      await refused("COMPACTED", one.watch("a", { after: start }).next(), "a stream from a revision that is too old");
      const present = await other.get("a");
      let seen: Change | undefined;
      while (seen?.context?.version !== present?.version) {
        const { value } = await coalescing.next();
        holds(value !== undefined && value.revision > (seen?.revision ?? start), "revisions rise", value?.revision);
        seen = value;
      }
      await coalescing.return?.();
    },
  },
  {
    name: "who waits for a condition hears of it from another client",
    async check(ground) {
      const [one, other] = await pairOf(ground);
      const waiting = one.waitFor("a", ({ data }) => data["ready"] === true);
      const context = await other.create("a", { ready: false });
      await other.update("a", { ready: true }, context);
      equal((await waiting).version, "2", "the version that satisfies it");
    },
  },
];

/** How things were for a filter before all but so many of its changes, as a stream begins with it. */
function stateAt(log: readonly Told[], filter: ContextFilter | undefined, count: number): string[] {
  const present = new Map<string, number>();
  for (const { contextId, kind, revision } of log.filter((one) => passes(filter, one.contextId)).slice(0, count)) {
    if (contextId === null) present.clear();
    else if (kind === "deleted") present.delete(contextId);
    else present.set(contextId, revision);
  }
  const byRevision = [...present].toSorted(([, one], [, other]) => one - other);
  return byRevision.map(([contextId, revision]) => brief({ revision, kind: "current", contextId }));
}
