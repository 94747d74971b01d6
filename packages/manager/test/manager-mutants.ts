/** Managers that break the contract, each in one way: one over memory with something wrong on the way in or out. */

import { type Change, ContextError, isContextError, type SharedContext } from "shared-context-manager";
import type { Manager, ManagerMutant } from "./broken-manager.ts";

/** What is refused with this code comes to something else. */
async function instead<Result>(code: string, work: Promise<Result>, otherwise: () => unknown): Promise<unknown> {
  try {
    return await work;
  } catch (error) {
    if (isContextError(error) && error.code === code) return otherwise();
    throw error;
  }
}

function streamOf(stream: AsyncIterableIterator<Change>, alter: (change: Change) => Change[]): unknown {
  const waiting: Change[] = [];
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      while (waiting.length === 0) {
        const { done = false, value } = await stream.next();
        if (done) return { done, value };
        waiting.push(...alter(value as Change));
      }
      return { done: false, value: waiting.shift() };
    },
    return: () => stream.return?.(),
  };
}

function watching(breaks: string, alter: (change: Change) => Change[]): ManagerMutant {
  return { breaks, manager: (m) => ({ watch: (...args: []) => streamOf(m.watch(...args), alter) }) };
}

export const FOREVER = new Promise<never>(() => {
  // It comes to nothing.
});

function isUncommitted(expected: unknown): expected is SharedContext {
  return typeof expected === "object" && expected !== null && (expected as SharedContext).revision === undefined;
}

export const managerMutants: readonly ManagerMutant[] = [
  {
    breaks: "writes whatever version is expected",
    manager: (m) => ({
      update: async (id: string, data: object, expected: string) =>
        instead("CONFLICT", m.update(id, data as never, expected), async () =>
          m.update(id, data as never, (await m.get(id)) as SharedContext),
        ),
    }),
  },
  {
    breaks: "does not tell a context that was created again",
    manager: (m) => ({
      update: (id: string, data: never, expected: SharedContext | string) =>
        m.update(id, data, typeof expected === "object" ? (expected?.version ?? (expected as never)) : expected),
    }),
  },
  {
    breaks: "goes on from what was not committed",
    manager: (m) => ({
      update: (id: string, data: never, expected: SharedContext | string) =>
        m.update(id, data, isUncommitted(expected) ? expected.version : expected),
    }),
  },
  {
    breaks: "creates over what is there",
    manager: (m) => ({
      create: (id: string, data: never) =>
        instead("EXISTS", m.create(id, data), async () => m.update(id, data, (await m.get(id)) as SharedContext)),
    }),
  },
  {
    breaks: "shows what it has read before",
    manager(m) {
      const seen = new Map<string, unknown>();
      return {
        async get(id: string) {
          if (!seen.has(id)) seen.set(id, await m.get(id));
          return seen.get(id);
        },
      };
    },
  },
  {
    breaks: "respects locks where it deletes",
    manager: (m) => ({ delete: (id: string, expected?: string) => m.agent("nobody").delete(id, expected) }),
  },
  {
    breaks: "says that it has deleted what was not there",
    manager: (m) => ({ delete: (...args: Parameters<Manager["delete"]>) => m.delete(...args).then(() => true) }),
  },
  {
    breaks: "grants a lock that another has",
    manager: (m) => ({ lock: (...args: Parameters<Manager["lock"]>) => m.lock(...args).then(() => true) }),
  },
  {
    breaks: "lets anybody unlock",
    manager: (m) => ({
      unlock: async (id: string, agentId: string) =>
        m.unlock(id, (await m.get(id))?.lockedBy ?? agentId).then((was) => was),
    }),
  },
  {
    breaks: "says that it has broken a lock that was not there",
    manager: (m) => ({
      forceUnlock: (...args: Parameters<Manager["forceUnlock"]>) => m.forceUnlock(...args).then(() => true),
    }),
  },
  {
    breaks: "has the history backwards",
    manager: (m) => ({ history: async (id: string) => (await m.history(id)).toReversed() }),
  },
  {
    breaks: "has no present version in its history",
    manager: (m) => ({ history: async (id: string) => (await m.history(id)).slice(0, -1) }),
  },
  {
    breaks: "blames the last writer for everything",
    manager: (m) => ({
      blame: async (id: string) => {
        const { updatedBy = null } = (await m.get(id)) ?? {};
        return (await m.blame(id)).map((line) => ({ ...line, agentId: updatedBy }));
      },
    }),
  },
  { breaks: "lists by name", manager: (m) => ({ listContexts: async () => (await m.listContexts()).toSorted() }) },
  {
    breaks: "forgets the prefix on the second page",
    manager: (m) => ({
      page: (options: Parameters<Manager["page"]>[0] = {}) =>
        m.page(options.after === undefined ? options : { ...options, prefix: "" }),
    }),
  },
  { breaks: "counts one too many", manager: (m) => ({ size: async () => (await m.size()) + 1 }) },
  { breaks: "does not clear", manager: () => ({ clear: () => Promise.resolve() }) },
  {
    breaks: "clears one by one",
    manager: (m) => ({
      clear: async () => {
        for (const id of await m.listContexts()) await m.delete(id);
      },
    }),
  },
  {
    breaks: "loses what the caller changes after the call",
    manager: (m) => ({ create: (id: string, data: never) => Promise.resolve().then(() => m.create(id, data)) }),
  },
  {
    breaks: "has no revisions of its own",
    manager: (m) => ({ stats: async () => ({ ...(await m.stats()), revision: 0 }) }),
  },
  {
    breaks: "dumps no locks",
    manager: (m) => ({
      toDict: async () => {
        const dict = await m.toDict();
        return { ...dict, contexts: dict.contexts.map((context) => ({ ...context, locked_by: null })) };
      },
    }),
  },
  watching("tells of no deletion", (change) => (change.kind === "deleted" ? [] : [change])),
  watching("tells everything twice", (change) => [change, change]),
  watching("tells of no agent", (change) => [{ ...change, agentId: null }]),
  {
    breaks: "begins a stream too late",
    manager: (m) => ({
      watch: (filter: never, options: { after?: number } = {}) =>
        m.watch(filter, options.after === undefined ? options : { ...options, after: options.after + 1 }),
    }),
  },
  {
    breaks: "does not say what is compacted",
    manager: (m) => ({
      watch: (filter: never, options: { after?: number } = {}) => {
        const stream = m.watch(filter, options);
        const own = streamOf(stream, (change) => [change]) as AsyncIterableIterator<Change>;
        return { ...own, next: () => instead("COMPACTED", stream.next(), () => FOREVER) };
      },
    }),
  },
  { breaks: "calls no listener", manager: () => ({ subscribe: () => () => undefined }) },
  {
    breaks: "calls who has unsubscribed",
    manager: (m) => ({
      subscribe: (...args: Parameters<Manager["subscribe"]>) => {
        m.subscribe(...args);
        return () => undefined;
      },
    }),
  },
  {
    breaks: "waits for nothing",
    manager: (m) => ({ waitFor: (id: string) => m.waitFor(id, () => true) }),
  },
  {
    breaks: "waits for ever",
    manager: (m) => ({ waitFor: (id: string, predicate: never) => m.waitFor(id, predicate) }),
  },
  { breaks: "does not close", manager: () => ({ close: () => Promise.resolve() }) },
  {
    breaks: "does not close what has been handed out",
    manager(m) {
      let isClosed = false;
      const check = (): void => {
        if (isClosed) throw new ContextError("CLOSED", {});
      };
      return {
        get: async (id: string) => (check(), m.get(id)),
        close: () => {
          isClosed = true;
          return Promise.resolve();
        },
      };
    },
  },
  {
    breaks: "refuses with what is no refusal",
    manager: (m) => ({
      update: (...args: Parameters<Manager["update"]>) =>
        m.update(...args).catch((error: Error) => {
          throw new Error(error.message);
        }),
    }),
  },
  { breaks: "can be told what it supports", manager: (m) => ({ supports: { ...m.supports } }) },
  {
    breaks: "says that it keeps what it does not",
    manager: () => ({ supports: Object.freeze({ durable: true, shared: false }) }),
  },
  {
    breaks: "says that it shares what it does not",
    manager: () => ({ supports: Object.freeze({ durable: false, shared: true }) }),
  },
];
