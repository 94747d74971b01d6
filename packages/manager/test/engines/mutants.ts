/** Engines that break the contract, each in one way: the reference engine with something wrong on the way in or out. */

import { systemClock } from "../../src/clock.ts";
import type { CommitOutcome, Engine, EngineOptions, Transaction, Write } from "../../src/engine.ts";
import { MemoryEngine } from "../../src/engines/memory.ts";

type Methods = Partial<Pick<Engine, "load" | "commit" | "list" | "changes" | "history" | "onWake" | "close">>;

export interface Mutant {
  readonly breaks: string;
  /** What it does instead; the methods that it does not mention are those of the reference engine. */
  readonly over: (engine: Engine, options: EngineOptions) => Methods & { supports?: Engine["supports"] };
}

export function open({ over }: Mutant, options: EngineOptions): Engine {
  const engine = new MemoryEngine(systemClock, options);
  const methods: Engine = {
    supports: engine.supports,
    load: (ids, counts) => engine.load(ids, counts),
    commit: (transactions) => engine.commit(transactions),
    list: (query) => engine.list(query),
    changes: (query) => engine.changes(query),
    history: (id) => engine.history(id),
    onWake: (listener) => engine.onWake(listener),
    close: () => engine.close(),
  };
  return { ...methods, ...over(engine, options) };
}

/** Commits something else than what it was given. */
function altering(
  breaks: string,
  alter: (transaction: Transaction, engine: Engine, index: number) => Transaction | Promise<Transaction>,
): Mutant {
  return {
    breaks,
    over: (engine) => ({
      async commit(transactions) {
        const altered: Transaction[] = [];
        for (const [index, one] of transactions.entries()) altered.push(await alter(one, engine, index));
        return engine.commit(altered);
      },
    }),
  };
}

function withWrites(transaction: Transaction, alter: (write: Write) => Write | undefined): Transaction {
  return { ...transaction, writes: transaction.writes.flatMap((write) => alter(write) ?? []) };
}

/** Expects whatever is there. */
async function uncompared(transaction: Transaction, engine: Engine): Promise<Transaction> {
  const { entries } = await engine.load(transaction.writes.map(({ id }) => id));
  const writes = transaction.writes.map((write, index) => {
    const expect = write.expect < 0 ? write.expect : (entries[index]?.revision ?? 0);
    return { ...write, expect };
  });
  return { ...transaction, writes };
}

export const mutants: readonly Mutant[] = [
  altering("does not compare", uncompared),
  altering("does not compare what is only checked", (transaction) =>
    withWrites(transaction, (write) => (write.next === undefined ? undefined : write)),
  ),
  altering("deletes what is only to be checked", (transaction) =>
    withWrites(transaction, (write) =>
      write.next === undefined && write.expect > 0 ? { ...write, next: null } : write,
    ),
  ),
  altering("leaves out the second write", (transaction) => ({
    ...transaction,
    writes: transaction.writes.filter((_, index) => index !== 1),
  })),
  altering("forgets no history", (transaction) =>
    withWrites(transaction, (write) => (write.keeps === null ? { ...write, keeps: false } : write)),
  ),
  altering("keeps no history", (transaction) =>
    withWrites(transaction, (write) => (write.keeps === true ? { ...write, keeps: false } : write)),
  ),
  altering("takes every write for a version", (transaction) =>
    withWrites(transaction, (write) =>
      write.next && write.expect > 0 && write.keeps === false ? { ...write, keeps: true } : write,
    ),
  ),
  altering("loses operation ids", (transaction) => ({ ...transaction, opId: "" })),
  altering("logs no changes of a transaction but the first", (transaction) => ({
    ...transaction,
    changes: transaction.changes.slice(0, 1),
  })),
  altering("logs the changes of a transaction backwards", (transaction) => ({
    ...transaction,
    changes: transaction.changes.toReversed(),
  })),
  altering("logs no clear", (transaction) =>
    transaction.clears === true ? { ...transaction, changes: [] } : transaction,
  ),
  altering("clears nothing", (transaction) => ({ ...transaction, clears: false })),
  altering("loses notes", (transaction) =>
    withWrites(transaction, (write) =>
      write.next ? { ...write, next: Object.assign(write.next, { note: null }) } : write,
    ),
  ),
  altering("does not know case", (transaction) =>
    withWrites(transaction, (write) => ({ ...write, id: write.id.toLowerCase() })),
  ),
  altering("cuts ids off", (transaction) =>
    withWrites(transaction, (write) => ({ ...write, id: write.id.slice(0, 255) })),
  ),
  {
    breaks: "settles no placeholders in what it was given",
    over: (engine) => ({ commit: (transactions) => engine.commit(structuredClone(transactions)) }),
  },
  {
    breaks: "leaves the placeholder of a token",
    over: (engine) => ({
      async commit(transactions) {
        const outcomes = await engine.commit(transactions);
        for (const [index, { writes }] of transactions.entries()) {
          for (const { next } of writes) {
            const outcome = outcomes[index];
            if (next?.lock && outcome?.kind === "ok" && next.lock.token === outcome.revision) {
              Object.assign(next.lock, { token: -1 - index });
            }
          }
        }
        return outcomes;
      },
    }),
  },
  {
    breaks: "commits a transaction write by write",
    over: (engine) => ({
      async commit(transactions) {
        const outcomes: CommitOutcome[] = [];
        for (const { writes, ...rest } of transactions) {
          let outcome: CommitOutcome | undefined;
          for (const write of writes) {
            [outcome] = await engine.commit([{ ...rest, writes: [write], changes: [] }]);
            if (outcome?.kind !== "ok") break;
          }
          outcomes.push(outcome ?? ((await engine.commit([{ writes, ...rest }]))[0] as CommitOutcome));
        }
        return outcomes;
      },
    }),
  },
  {
    breaks: "stops at the first mismatch",
    over: (engine) => ({
      async commit(transactions) {
        const outcomes: CommitOutcome[] = [];
        for (const one of transactions) {
          const [outcome = { kind: "mismatch" }] =
            outcomes.at(-1)?.kind === "mismatch" ? [] : await engine.commit([one]);
          outcomes.push(outcome);
        }
        return outcomes;
      },
    }),
  },
  {
    breaks: "gives outcomes in another order",
    over: (engine) => ({ commit: async (transactions) => (await engine.commit(transactions)).toReversed() }),
  },
  {
    breaks: "mixes up commits that are under way at once",
    over(engine) {
      let underWay: readonly Transaction[] = [];
      return {
        async commit(transactions) {
          underWay = transactions;
          await Promise.resolve();
          return engine.commit(underWay);
        },
      };
    },
  },
  {
    breaks: "begins with new revisions after a clear",
    over(engine, options) {
      let present: Engine = engine;
      return {
        load: (ids, counts) => present.load(ids, counts),
        history: (id) => present.history(id),
        list: (query) => present.list(query),
        changes: (query) => present.changes(query),
        onWake: (listener) => present.onWake(listener),
        commit(transactions) {
          if (transactions[0]?.clears === true) present = new MemoryEngine(systemClock, options);
          return present.commit(transactions);
        },
      };
    },
  },
  {
    breaks: "gives entries in the order of their ids",
    over: (engine) => ({ load: (ids, counts) => engine.load(ids.toSorted(), counts) }),
  },
  {
    breaks: "counts nothing",
    over: (engine) => ({ load: async (ids) => ({ ...(await engine.load(ids)), contexts: 0 }) }),
  },
  {
    breaks: "takes what it is asked for for its head",
    over: (engine) => ({
      async changes(query) {
        const page = await engine.changes(query);
        return { ...page, head: Math.max(page.head, query.after) };
      },
    }),
  },
  {
    breaks: "is one behind with head",
    over: (engine) => ({
      async load(ids, counts) {
        const loaded = await engine.load(ids, counts);
        return { ...loaded, head: Math.max(0, loaded.head - 1) };
      },
    }),
  },
  {
    breaks: "lets lease time go back",
    over(engine) {
      let fromMs = 1e6;
      return {
        async load(ids, counts) {
          const loaded = await engine.load(ids, counts);
          return { ...loaded, time: { ...loaded.time, leaseMs: fromMs-- } };
        },
      };
    },
  },
  {
    breaks: "repeats the last of a page on the next one",
    over: (engine) => ({
      async list(query) {
        const page = await engine.list(query);
        if (page.next === undefined || page.entries.length < 2) return page;
        return { ...page, next: String(Number(page.next) - 1) };
      },
    }),
  },
  {
    breaks: "begins anew after what no page has ended with",
    over: (engine) => ({
      list: ({ after, ...query }) => engine.list({ ...query, after: /^\d+$/.test(after ?? "") ? after : undefined }),
    }),
  },
  {
    breaks: "skips one between pages",
    over: (engine) => ({
      async list(query) {
        const page = await engine.list(query);
        return page.next === undefined ? page : { ...page, next: String(Number(page.next) + 1) };
      },
    }),
  },
  {
    breaks: "takes a place in the pages for a number of contexts to skip",
    over: (engine) => ({
      async list({ prefix, after, limit }) {
        const { entries, head } = await engine.list({ prefix, after: undefined, limit: Infinity });
        const from = Number(after ?? 0);
        const next = from + limit < entries.length ? String(from + limit) : undefined;
        return { entries: entries.slice(from, from + limit), next, head };
      },
    }),
  },
  {
    breaks: "lists by id",
    over: (engine) => ({
      async list(query) {
        const page = await engine.list(query);
        return { ...page, entries: page.entries.toSorted((one, other) => (one.contextId < other.contextId ? -1 : 1)) };
      },
    }),
  },
  {
    breaks: "takes a prefix for a pattern",
    over: (engine) => ({
      async list({ prefix, ...query }) {
        const page = await engine.list({ prefix: "", ...query });
        const text = prefix.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
        const pattern = new RegExp(`^${text.replaceAll("%", ".*").replaceAll("_", ".")}`, "su");
        return { ...page, entries: page.entries.filter(({ contextId }) => pattern.test(contextId)) };
      },
    }),
  },
  {
    breaks: "gives changes out of order",
    over: (engine) => ({
      async changes(query) {
        const page = await engine.changes(query);
        return { ...page, changes: page.changes.toReversed() };
      },
    }),
  },
  {
    breaks: "tears transactions apart",
    over: (engine) => ({
      async changes(query) {
        const page = await engine.changes(query);
        return { ...page, changes: page.changes.slice(0, query.limit) };
      },
    }),
  },
  {
    breaks: "gives the change at a revision again",
    over: (engine) => ({ changes: ({ after, limit }) => engine.changes({ after: Math.max(0, after - 1), limit }) }),
  },
  {
    breaks: "conceals that it has dropped changes",
    over: (engine) => ({ changes: async (query) => ({ ...(await engine.changes(query)), oldest: 1 }) }),
  },
  {
    breaks: "drops nothing",
    over(_engine, options) {
      const hoarder = new MemoryEngine(systemClock, { ...options, changeLogLimit: Infinity });
      return {
        load: (ids, counts) => hoarder.load(ids, counts),
        commit: (transactions) => hoarder.commit(transactions),
        list: (query) => hoarder.list(query),
        changes: (query) => hoarder.changes(query),
        history: (id) => hoarder.history(id),
        onWake: (listener) => hoarder.onWake(listener),
      };
    },
  },
  {
    breaks: "gives the history backwards",
    over: (engine) => ({ history: async (id) => (await engine.history(id)).toReversed() }),
  },
  {
    breaks: "has the present version in the history",
    over: (engine) => ({
      async history(id) {
        const [present] = (await engine.load([id])).entries;
        const kept = await engine.history(id);
        return present === undefined ? kept : [...kept, present];
      },
    }),
  },
  {
    breaks: "says that it is durable",
    over: (engine) => ({ supports: Object.freeze({ ...engine.supports, durable: true }) }),
  },
  {
    breaks: "says that it is shared",
    over: (engine) => ({ supports: Object.freeze({ ...engine.supports, shared: true }) }),
  },
  {
    breaks: "changes its mind about what it supports",
    over: (engine) => ({ supports: { ...engine.supports } }),
  },
  {
    breaks: "gives hints to those who have stopped listening",
    over: (engine) => ({
      onWake(listener) {
        engine.onWake(listener);
        return () => undefined;
      },
    }),
  },
];
