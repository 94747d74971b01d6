// #region parts
import {
  type CommitOutcome,
  type Engine,
  type EngineChange,
  type EngineOptions,
  type EngineTransaction,
  type EngineWrite,
  managerOver,
} from "shared-context-manager";
import { pageStart } from "shared-context-manager/engine";
import { engineSuite, managerSuite } from "shared-context-manager/testing";

type Entry = NonNullable<EngineWrite["next"]>;

/** What a storage has to keep. In place of maps and a list, yours has tables, keys or files. */
class Store {
  head = 0;
  oldest = 1;
  created = 0;
  log: EngineChange[] = [];
  readonly contexts = new Map<string, { readonly place: number; readonly entry: Entry }>();
  readonly history = new Map<string, Entry[]>();
}
// #endregion

// #region placeholders
/** `-n` stands for the revision of the n-th transaction of this commit. */
function resolved(value: number, revisions: readonly number[]): number {
  return value >= 0 ? value : (revisions[-value - 1] ?? value);
}

/** In the entry that was handed in: whoever called goes on with it. */
function settle(entry: Entry, revisions: readonly number[]): void {
  const { revision, incarnation, lock } = entry;
  Object.assign(entry, {
    revision: resolved(revision, revisions),
    incarnation: resolved(incarnation, revisions),
  });
  if (lock !== null) Object.assign(lock, { token: resolved(lock.token, revisions) });
}
// #endregion

// #region commit
function commitOne(
  store: Store,
  { historyLimit }: EngineOptions,
  { opId, writes, changes, clears }: EngineTransaction,
  revisions: number[],
): CommitOutcome {
  const fits = writes.every(
    ({ id, expect }) => (store.contexts.get(id)?.entry.revision ?? 0) === resolved(expect, revisions),
  );
  if (!fits) {
    revisions.push(Number.NaN); // equal to nothing: what builds on it is a mismatch too
    return { kind: "mismatch" };
  }
  const revision = ++store.head;
  revisions.push(revision);
  if (clears === true) {
    store.contexts.clear();
    store.history.clear();
  }
  for (const { id, next, keeps } of writes) {
    if (next === undefined) continue; // only checked
    const found = store.contexts.get(id);
    if (keeps === null) store.history.delete(id);
    if (keeps === true && found !== undefined && historyLimit > 0) {
      store.history.set(id, [...(store.history.get(id) ?? []), found.entry].slice(-historyLimit));
    }
    if (next === null || keeps === null) store.contexts.delete(id);
    if (next === null) continue;
    settle(next, revisions);
    const place = store.contexts.get(id)?.place ?? ++store.created;
    store.contexts.set(id, { place, entry: next });
  }
  store.log.push(...changes.map((change) => ({ ...change, revision, opId })));
  return { kind: "ok", revision };
}

function trim(store: Store, { changeLogLimit }: EngineOptions): void {
  const surplus = store.log.length - changeLogLimit;
  if (surplus <= 0) return;
  store.oldest = store.log[surplus]?.revision ?? store.head + 1;
  store.log = store.log.filter(({ revision }) => revision >= store.oldest);
}
// #endregion

// #region engine
function mapEngine(options: EngineOptions): Engine {
  const store = new Store();
  const listeners = new Set<() => void>();
  return {
    supports: Object.freeze({ durable: false, shared: false }),

    load(ids, counts = false) {
      return Promise.resolve({
        entries: ids.map((id) => store.contexts.get(id)?.entry),
        time: { wallMs: Date.now(), leaseMs: performance.now() },
        head: store.head,
        contexts: counts ? store.contexts.size : undefined,
      });
    },

    commit(transactions) {
      const revisions: number[] = [];
      const outcomes = transactions.map((transaction) => commitOne(store, options, transaction, revisions));
      trim(store, options);
      for (const listener of listeners) queueMicrotask(listener);
      return Promise.resolve(outcomes);
    },

    list({ prefix, after, limit }) {
      const from = pageStart(after); // INVALID for what no page has ended with
      const found = [...store.contexts.values()].filter(
        ({ place, entry }) => place > from && entry.contextId.startsWith(prefix),
      );
      const next = found.length > limit ? String(found[limit - 1]?.place) : undefined;
      const entries = found.slice(0, limit).map(({ entry }) => entry);
      return Promise.resolve({ entries, next, head: store.head });
    },

    changes({ after, limit }) {
      const later = store.log.filter(({ revision }) => revision > after);
      const last = later[limit - 1]?.revision ?? Infinity; // the whole transaction of the last one
      const changes = later.filter(({ revision }) => revision <= last);
      return Promise.resolve({ changes, head: store.head, oldest: store.oldest });
    },

    history(id) {
      return Promise.resolve([...(store.history.get(id) ?? [])]);
    },

    onWake(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    close() {
      listeners.clear();
      return Promise.resolve();
    },
  };
}
// #endregion

// #region use
await using manager = await managerOver(mapEngine({ historyLimit: 64, changeLogLimit: 10_000 }));
const plan = await manager.create("plan", { step: 1 });
await manager.agent("planner").patch("plan", { step: 2 }, plan);
console.log((await manager.get("plan"))?.data);
// prints: { step: 2 }
// #endregion

// #region kit
const suite = engineSuite({ name: "maps", open: (_store, options) => mapEngine(options) });
for (const { group, name, run } of suite.cases) {
  try {
    await run();
  } catch (error) {
    console.log(`${group}: ${name}\n${String(error)}`);
  }
}
console.log(`${suite.name}: every case has run`);
// prints: maps: every case has run
// #endregion

// #region managers
const client = managerSuite({ name: "a client", open: (_store, options) => managerOver(mapEngine(options)) });
for (const { run } of client.cases) await run();
console.log(`${client.name}: every case has passed`);
// prints: a client: every case has passed
// #endregion
