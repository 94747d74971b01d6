/** The swarm as several processes over one store: each has a manager of its own, and they meet only in the store. */

import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { isContextError, openManager } from "shared-context-manager";
import { EMPTY_REPORT } from "./count.mjs";
import { UsageError } from "./usage.mjs";

/** @typedef {import("./swarm.mjs").Outcome} Outcome */
/** @typedef {Omit<Outcome, "report">} Share - what one process has done; the report is in the store */

/**
 * @typedef {object} Task - what a process is told
 * @property {string} url
 * @property {string} contextId
 * @property {string} folder
 * @property {readonly string[]} paths
 * @property {number} firstAgent
 * @property {number} agents
 * @property {number} allAgents
 * @property {number} seed
 * @property {{ minMs: number, maxMs: number }} pause
 */

/**
 * @typedef {{ kind: "ready" } | { kind: "step" | "done", done: number, share: Share } | { kind: "failed", reason: string }} News
 */

/** A report has every word of every file: old ones are of no use here, and would fill the store. */
export const LIMITS = { historyLimit: 0, changeLogLimit: 100 };

/**
 * Lets the processes write one report into the store, and takes it out again at the end.
 *
 * @param {Pick<Task, "url" | "folder" | "paths" | "seed" | "pause"> & { agents: number, processes: number }} swarm
 * @param {(done: number, outcome: Outcome) => void} onProgress
 * @returns {Promise<Outcome>}
 */
export async function runProcesses({ agents, processes, ...swarm }, onProgress) {
  const manager = await opened(swarm.url);
  if (processes > 1 && !manager.supports.shared) {
    await manager.close();
    throw new UsageError("--processes needs a store that processes share, such as --store sqlite:demo.db");
  }
  const contextId = `report ${crypto.randomUUID()}`;
  try {
    await manager.create(contextId, EMPTY_REPORT);
    const tasks = Array.from({ length: processes }, (_, index) => ({
      ...swarm,
      contextId,
      paths: swarm.paths.filter((_path, at) => at % processes === index),
      firstAgent: Math.floor((agents * index) / processes) + 1,
      agents: Math.floor((agents * (index + 1)) / processes) - Math.floor((agents * index) / processes),
      allAgents: agents,
    }));
    const total = await runTasks(tasks, onProgress);
    const context = await manager.get(contextId);
    return { ...total, report: context?.data ?? EMPTY_REPORT };
  } finally {
    // What went wrong before is what the caller should hear of.
    await manager.delete(contextId).catch(() => undefined);
    await manager.close();
  }
}

/** @param {string} url */
async function opened(url) {
  try {
    /** @type {import("shared-context-manager").AsyncSharedContextManager<import("./count.mjs").Report>} */
    const manager = await openManager(url, LIMITS);
    return manager;
  } catch (error) {
    if (isContextError(error)) throw new UsageError(error.message);
    throw error;
  }
}

/**
 * All of them begin at the same time, when the last one is ready.
 *
 * @param {readonly Task[]} tasks
 * @param {(done: number, outcome: Outcome) => void} onProgress
 * @returns {Promise<Outcome>}
 */
async function runTasks(tasks, onProgress) {
  const children = tasks.map((task) => childFor(task, tell));
  function tell() {
    const done = children.reduce((sum, child) => sum + child.done, 0);
    onProgress(done, sumOf(children.map(({ share }) => share)));
  }
  try {
    await Promise.all(children.map(({ ready }) => ready));
    for (const { start } of children) start();
    await Promise.all(children.map(({ ended }) => ended));
  } finally {
    for (const { stop } of children) stop();
  }
  return sumOf(children.map(({ share }) => share));
}

/**
 * @param {Task} task
 * @param {() => void} tell
 */
function childFor(task, tell) {
  const child = fork(fileURLToPath(new URL("worker.mjs", import.meta.url)));
  let isReady = () => {};
  const state = {
    done: 0,
    share: noShare(),
    start: () => void child.send({ kind: "start" }),
    stop: () => void child.kill(),
    /** @type {Promise<void>} */
    ready: new Promise((resolve) => {
      isReady = resolve;
    }),
    /** @type {Promise<void>} */
    ended: new Promise((resolve, reject) => {
      child.on("message", (message) => {
        const news = /** @type {News} */ (message);
        if (news.kind === "ready") isReady();
        else if (news.kind === "failed") reject(new Error(news.reason));
        else {
          ({ done: state.done, share: state.share } = news);
          tell();
          if (news.kind === "done") resolve();
        }
      });
      child.once("exit", (code, signal) => reject(new Error(`a process of the demo ended with ${signal ?? code}`)));
    }),
  };
  // Whoever fails before it is ready fails both.
  state.ready = Promise.race([state.ready, state.ended]);
  state.ended.catch(() => undefined);
  child.send({ kind: "task", task });
  return state;
}

/** @returns {Share} */
function noShare() {
  return { attempts: 0, written: 0, conflicts: 0, skipped: { binary: 0, large: 0, unreadable: 0 } };
}

/**
 * @param {readonly Share[]} shares
 * @returns {Outcome}
 */
function sumOf(shares) {
  const sum = { report: EMPTY_REPORT, ...noShare() };
  for (const { attempts, written, conflicts, skipped } of shares) {
    sum.attempts += attempts;
    sum.written += written;
    sum.conflicts += conflicts;
    sum.skipped.binary += skipped.binary;
    sum.skipped.large += skipped.large;
    sum.skipped.unreadable += skipped.unreadable;
  }
  return sum;
}
