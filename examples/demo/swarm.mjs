/** The swarm: async functions that share one work list and one report. It knows the store only by its interface. */

import { setTimeout as sleep } from "node:timers/promises";
import { addFinding, examine } from "./count.mjs";

/**
 * @typedef {import("./count.mjs").ReadonlyReport} ReadonlyReport
 *
 * @typedef {object} Outcome
 * @property {ReadonlyReport} report - what the store says at the end
 * @property {number} attempts - writes that agents tried
 * @property {number} written - writes that the store took
 * @property {number} conflicts - writes that the store refused; each was tried again on a fresh read
 * @property {Record<import("./count.mjs").Skip, number>} skipped
 *
 * @typedef {object} Swarm
 * @property {string} folder
 * @property {readonly string[]} paths - the files to examine, relative to the folder
 * @property {number} agents
 * @property {number} [firstAgent] - the number of the first of them, where others work elsewhere
 * @property {number} [allAgents] - how many there are in all
 * @property {(agent: number) => () => Promise<void>} thinking - makes the pause between read and write of one agent
 * @property {(done: number, outcome: Outcome) => void} [onProgress]
 */

/**
 * Lets the agents write one report into the store.
 *
 * @param {import("./stores.mjs").Store} store
 * @param {Swarm} swarm
 * @returns {Promise<Outcome>}
 */
export async function runSwarm(store, swarm) {
  const { folder, paths, agents, firstAgent = 1, allAgents = agents, thinking, onProgress } = swarm;
  const { data: report } = await store.read();
  const skipped = { binary: 0, large: 0, unreadable: 0 };
  /** @type {Outcome} */
  const outcome = { report, attempts: 0, written: 0, conflicts: 0, skipped };
  const work = paths.values(); // one iterator for all agents: it hands out every path once
  let done = 0;

  /** @param {number} number */
  async function agent(number) {
    const name = nameOf(number, allAgents);
    const think = thinking(number);
    for (const path of work) {
      const finding = await examine(folder, path);
      if (typeof finding === "string") {
        skipped[finding] += 1;
      } else {
        await write(finding, name, think);
      }
      onProgress?.(++done, outcome);
    }
  }

  /**
   * @param {import("./count.mjs").Finding} finding
   * @param {string} name
   * @param {() => Promise<void>} think
   */
  async function write(finding, name, think) {
    for (;;) {
      const base = await store.read();
      const next = addFinding(base.data, finding, name);
      await think();
      outcome.attempts += 1;
      if ((await store.write(base, next)) === "written") break;
      outcome.conflicts += 1;
    }
    outcome.written += 1;
  }

  await Promise.all(Array.from({ length: agents }, (_, index) => agent(firstAgent + index)));
  outcome.report = (await store.read()).data;
  return outcome;
}

/**
 * Pauses as long as a small model call might take, drawn from the seed: the same seed, the same pauses.
 *
 * @param {number} seed
 * @param {{ minMs: number, maxMs: number }} limits
 * @returns {(agent: number) => () => Promise<void>}
 */
export function seededThinking(seed, { minMs, maxMs }) {
  return (agent) => {
    const random = mulberry32(Math.imul(seed, 0x9e3779b1) ^ Math.imul(agent, 0x85ebca6b));
    return () => sleep(minMs + random() * (maxMs - minMs));
  };
}

/**
 * Tommy Ettinger's mulberry32: 32 bits of state, numbers in [0, 1).
 *
 * @param {number} state
 */
function mulberry32(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), bits | 61)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * @param {number} number
 * @param {number} agents
 */
function nameOf(number, agents) {
  return `agent-${String(number).padStart(String(agents).length, "0")}`;
}
