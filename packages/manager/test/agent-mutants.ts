/** Managers whose agents or leases break the contract, each in one way. */

import type { AsyncAgent, AsyncLease, ModifyOptions, SharedContext } from "shared-context-manager";
import { type ManagerMutant, over } from "./broken-manager.ts";

const VERBS = ["get", "create", "update", "patch", "delete"] as const;

export const agentMutants: readonly ManagerMutant[] = [
  {
    breaks: "writes in the name of nobody",
    manager: (m) => ({
      agent: (id: string) => over(m.agent(id), { create: (one: string, data: never) => m.create(one, data) }),
    }),
  },
  {
    breaks: "loses notes",
    agent: (agent) => ({ update: (id: string, data: never, expected: string) => agent.update(id, data, expected) }),
  },
  {
    breaks: "patches what is there, whatever was read",
    agent: (agent) => ({ patch: (id: string, patch: never) => agent.patch(id, patch) }),
  },
  {
    breaks: "merges by overwriting",
    agent: (agent) => ({
      merge: (base: SharedContext, data: never) => agent.modify(base.contextId, () => data),
    }),
  },
  {
    breaks: "does not try again",
    agent: (agent) => ({
      modify: (id: string, change: never, options: object) => agent.modify(id, change, { ...options, attempts: 1 }),
    }),
  },
  {
    breaks: "writes although the signal has aborted",
    agent: (agent) => ({
      async modify(id: string, change: never, { signal, ...options }: ModifyOptions = {}) {
        const context = await agent.modify(id, change, options);
        signal?.throwIfAborted();
        return context;
      },
    }),
  },
  {
    breaks: "restores nothing",
    agent: (agent) => ({ restore: (id: string) => agent.patch(id, {}) }),
  },
  {
    breaks: "commits a transaction write by write",
    agent: (agent) => ({
      transact(run: (tx: unknown) => unknown) {
        if (typeof run !== "function") return agent.transact(run);
        const alone =
          (verb: "get" | "create" | "update" | "patch" | "delete") =>
          (...args: unknown[]): Promise<unknown> =>
            agent.transact((tx) => (tx[verb] as (...all: unknown[]) => Promise<unknown>).apply(tx, args));
        return Promise.resolve(run(Object.fromEntries(VERBS.map((verb) => [verb, alone(verb)]))));
      },
    }),
  },
  {
    breaks: "does not check what a transaction has only read",
    agent: (agent) => ({
      async transact(run: (tx: object) => Promise<unknown>) {
        if (typeof run !== "function") return agent.transact(run);
        return agent.transact((tx) => run(over(tx, { get: (id: string) => agent.transact((own) => own.get(id)) })));
      },
    }),
  },
  { breaks: "keeps its locks when it closes", agent: () => ({ close: () => Promise.resolve() }) },
  {
    breaks: "waits for a lock for ever",
    agent: (agent) => ({
      acquire: (ids: string, options: object = {}) => agent.acquire(ids, { ...options, timeoutMs: 60_000 }),
    }),
  },
  {
    breaks: "acquires the first of several contexts",
    agent: (agent) => ({
      acquire: (ids: string | string[], options: object) =>
        agent.acquire(Array.isArray(ids) ? (ids[0] ?? "") : ids, options),
    }),
  },
  {
    breaks: "keeps the lock",
    agent: (agent) => ({
      withLock: async (id: string, run: (lease: AsyncLease) => unknown) => run(await agent.acquire(id)),
    }),
  },
];

export const leaseMutants: readonly ManagerMutant[] = [
  { breaks: "gives no lock back", lease: () => ({ release: () => Promise.resolve() }) },
  { breaks: "never tells that a lease is lost", lease: () => ({ signal: new AbortController().signal }) },
  { breaks: "does not delete by a lease", lease: () => ({ delete: () => Promise.resolve(true) }) },
  { breaks: "does not say that a lease is over", lease: () => ({ renew: () => Promise.resolve() }) },
  {
    breaks: "writes without the token of the lease",
    agent: (agent) => ({
      acquire: async (...args: Parameters<AsyncAgent["acquire"]>) =>
        over(await agent.acquire(...args), { patch: (id: string, patch: never) => agent.patch(id, patch) }),
    }),
  },
];
