/** The demo from its arguments to its exit code. */

import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { agrees, countSequentially } from "./check.mjs";
import { EMPTY_REPORT, listFiles } from "./count.mjs";
import { toJson } from "./json.mjs";
import { printable } from "./layout.mjs";
import { showResult, showStart } from "./print.mjs";
import { runProcesses } from "./processes.mjs";
import { showProgress } from "./progress.mjs";
import { liveRecordStore, managerStore, plainStore } from "./stores.mjs";
import { runSwarm, seededThinking } from "./swarm.mjs";
import { HELP, readOptions, UsageError } from "./usage.mjs";

const PAUSE = { minMs: 5, maxMs: 25 };

/**
 * @typedef {{ folder: string, title: string, paths: string[] }} Source
 * @typedef {import("./usage.mjs").Options} Options
 *
 * @typedef {object} Trial - one store, and how the swarm fared on it
 * @property {string} name
 * @property {string} what
 * @property {import("./swarm.mjs").Outcome} outcome
 * @property {number} lost - updates that the store took and the report lacks
 * @property {boolean} exact - whether the report says what the sequential count says
 */

/** The manager comes first: it is the one that the demo is about, and that decides the exit code. */
const STORES = [
  { name: "shared-context-manager", what: "checks the snapshot that was read", make: managerStore },
  { name: "plain object", what: "report = { ...report, ...mine } after the await", make: plainStore },
  { name: "live record", what: "checks a version, but hands out the record itself", make: liveRecordStore },
];

/**
 * @param {string[]} args
 * @param {Pick<NodeJS.Process, "stdout" | "stderr" | "env">} process
 * @returns {Promise<number>} the exit code
 */
export async function main(args, { stdout, stderr, env }) {
  try {
    const options = readOptions(args);
    if (options.help) {
      stdout.write(HELP);
      return 0;
    }
    return await run(options, await findSource(options.dir, env), stdout, stderr);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    stderr.write(`demo: ${printable(error.message)} (--help shows the usage)\n`);
    return 2;
  }
}

/**
 * @param {string | undefined} dir
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Source>}
 */
async function findSource(dir, env) {
  if (dir === undefined) {
    const folder = resolve(fileURLToPath(new URL("../..", import.meta.url)));
    const paths = await listFiles(folder, (name) => /\.(md|[cm]?tsx?)$/.test(name));
    return { folder, title: "this repository (Markdown and TypeScript)", paths };
  }
  // npm runs scripts in the root of the repository, and says where it was called.
  const folder = resolve((env["npm_lifecycle_event"] === "demo" && env["INIT_CWD"]) || ".", dir);
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) throw new UsageError(`there is no folder "${dir}"`);
  if (!found.isDirectory()) throw new UsageError(`"${dir}" is a file; expected a folder`);
  return { folder, title: dir, paths: await listFiles(folder) };
}

/**
 * @param {Options} options
 * @param {Source} source
 * @param {NodeJS.WriteStream} stdout
 * @param {NodeJS.WriteStream} stderr
 */
async function run(options, source, stdout, stderr) {
  const { folder, paths } = source;
  const expected = countSequentially(folder, paths);
  if (expected.files === 0) {
    const why = paths.length === 0 ? "it has no files" : "none of its files is text of at most 1 MiB";
    stderr.write(`demo: nothing to read in ${printable(source.title)}: ${why}. Name a folder: npm run demo -- DIR\n`);
    return 1;
  }
  if (!options.json) stdout.write(showStart(options, source, PAUSE, stdout));

  const trials =
    options.store === undefined
      ? await compare(options, source, expected, stdout)
      : [await share(options.store, options, source, expected, stdout)];
  const [ours] = /** @type {[Trial, ...Trial[]]} */ (trials);
  if (!ours.exact && !isDeepStrictEqual(countSequentially(folder, paths), expected)) {
    stderr.write(`demo: files of ${printable(source.title)} changed while the agents read them. Run it again.\n`);
    return 1;
  }
  stdout.write(options.json ? toJson(options, source, expected, trials) : showResult(trials, expected, stdout));
  return ours.lost === 0 && ours.exact ? 0 : 1;
}

/**
 * Every store in turn, in this process.
 *
 * @param {Options} options
 * @param {Source} source
 * @param {import("./check.mjs").Expected} expected
 * @param {NodeJS.WriteStream} stdout
 */
async function compare(options, { folder, paths }, expected, stdout) {
  /** @type {Trial[]} */
  const trials = [];
  for (const { name, what, make } of STORES) {
    const progress = options.json ? undefined : showProgress(stdout, name, paths.length);
    const outcome = await runSwarm(make(EMPTY_REPORT), {
      folder,
      paths,
      agents: options.agents,
      thinking: seededThinking(options.seed, PAUSE),
      onProgress: (done, soFar) => progress?.step(done, soFar),
    });
    progress?.end(outcome);
    trials.push(trialOf(name, what, outcome, expected));
  }
  return trials;
}

/**
 * One store, and as many processes as are asked for.
 *
 * @param {string} url
 * @param {Options} options
 * @param {Source} source
 * @param {import("./check.mjs").Expected} expected
 * @param {NodeJS.WriteStream} stdout
 */
async function share(url, { agents, processes, seed, json }, { folder, paths }, expected, stdout) {
  const { name, what } = STORES[0] ?? { name: "", what: "" };
  const progress = json ? undefined : showProgress(stdout, name, paths.length);
  const swarm = { url, folder, paths, agents, processes, seed, pause: PAUSE };
  const outcome = await runProcesses(swarm, (done, soFar) => progress?.step(done, soFar));
  progress?.end(outcome);
  return trialOf(name, what, outcome, expected);
}

/**
 * @param {string} name
 * @param {string} what
 * @param {import("./swarm.mjs").Outcome} outcome
 * @param {import("./check.mjs").Expected} expected
 * @returns {Trial}
 */
function trialOf(name, what, outcome, expected) {
  return { name, what, outcome, lost: outcome.written - outcome.report.files, exact: agrees(outcome.report, expected) };
}
