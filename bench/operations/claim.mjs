/** @import { Agent, SharedContextManager } from "shared-context-manager" */
/** @import { Contestant, Store, Target, Walk } from "../types.d.ts" */
/** @import { ImmerContexts } from "../peers/immer.mjs" */

import { tasks } from "../payloads.mjs";
import * as stores from "../stores.mjs";

const TASKS = 200;
const names = Array.from({ length: 20 }, (_, index) => `agent-${index}`);

export const name = "claim";
export const title = "claim of one of 200 tasks by one of 20 agents";
export const sizes = [1];

const payload = () => tasks(TASKS);
const fill = stores.filled(stores.deep, payload);

/** @type {Record<string, Contestant>} */
export const contestants = {
  "hand-written": { setUp: filledWithFree(stores.handWritten), round: withSpreads },
  deep: {
    async setUp(ids) {
      const manager = await fill(ids);
      const agents = names.map((agentId) => manager.agent(agentId));
      return { manager, agents, free: manager.get(ids[0] ?? "")?.data, claimed: 0 };
    },
    round,
  },
  immer: { setUp: filledWithFree(stores.immer), round: inPlace },
};

/** @type {Target[]} */
export const targets = [
  { contestant: "deep", against: "hand-written", atMost: 5 },
  { contestant: "deep", against: "immer", atMost: 1 },
];

/**
 * Keeps the list as it was before the first claim: once all tasks are taken, it is put back and they start again.
 *
 * @template {{ create(id: string, data: any): unknown, get(id: string): any }} Store
 * @param {() => Store} open
 */
function filledWithFree(open) {
  const fillStore = stores.filled(open, payload);
  return async (/** @type {readonly string[]} */ ids) => {
    const store = await fillStore(ids);
    return { store, free: store.get(ids[0] ?? "").data, claimed: 0 };
  };
}

/**
 * @param {{ manager: SharedContextManager<any>, agents: readonly any[], free: any, claimed: number }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function round(state, walk, from, count) {
  const { manager, agents, free } = state;
  const id = walk[from];
  let sum = 0;
  for (let done = 0; done < count; done++) {
    const task = state.claimed++ % TASKS;
    if (task === 0) manager.update(id, free, manager.get(id) ?? "");
    /** @type {Agent<any>} */
    const agent = agents[task % agents.length];
    const path = `/tasks/id=${task}/owner`;
    const claimed = agent.patch(id, [
      { op: "test", path, value: null },
      { op: "set", path, value: agent.agentId },
    ]);
    sum += claimed.version.length;
  }
  return sum;
}

/**
 * The same by hand: find the task, look whether it is free, make a new list.
 *
 * @param {{ store: Store<any>, free: any, claimed: number }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function withSpreads(state, walk, from, count) {
  const { store, free } = state;
  const id = walk[from];
  let sum = 0;
  for (let done = 0; done < count; done++) {
    const task = state.claimed++ % TASKS;
    if (task === 0) store.update(id, free, store.get(id)?.version ?? "");
    const context = store.get(id);
    if (context === undefined) return NaN;
    const { data, version } = context;
    const place = data.tasks.findIndex((/** @type {any} */ one) => one.id === task);
    if (data.tasks[place].owner !== null) return NaN;
    const claimed = [...data.tasks];
    claimed[place] = { ...claimed[place], owner: names[task % names.length] };
    sum += store.update(id, { ...data, tasks: claimed }, version).version.length;
  }
  return sum;
}

/**
 * The same by assignment, on a draft of the task that was found.
 *
 * @param {{ store: ImmerContexts<any>, free: any, claimed: number }} state
 * @param {Walk} walk
 * @param {number} from
 * @param {number} count
 */
function inPlace(state, walk, from, count) {
  const { store, free } = state;
  const id = walk[from];
  let sum = 0;
  for (let done = 0; done < count; done++) {
    const task = state.claimed++ % TASKS;
    if (task === 0) store.update(id, free, store.get(id).version);
    const { data, version } = store.get(id);
    const place = data.tasks.findIndex((/** @type {any} */ one) => one.id === task);
    if (data.tasks[place].owner !== null) return NaN;
    const change = (/** @type {any} */ draft) => {
      draft.tasks[place].owner = names[task % names.length];
    };
    sum += store.edit(id, change, version).version.length;
  }
  return sum;
}
