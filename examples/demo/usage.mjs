/** What the demo can be told, and the help that says so. */

import { parseArgs } from "node:util";

/** @typedef {{ dir: string | undefined, agents: number, seed: number, store: string | undefined, processes: number, json: boolean, help: boolean }} Options */

export const HELP = `Usage: npm run demo -- [DIR] [--agents N] [--seed N] [--store URL [--processes N]] [--json]

A swarm of agents reads the text files of a folder and writes one shared report: through one context of a
SharedContextManager, and for comparison through two stores that lose updates without a word.

  DIR          the folder to read; default: the Markdown and TypeScript of this repository
  --agents N   how many agents work at the same time, 1 to 1000; default 20
  --seed N     where their random pauses start, 0 to 4294967295; default 1
  --store URL  the same over a store that processes share, such as sqlite:demo.db, postgres://... or redis://...
  --processes N   as how many processes, 1 to 64 and at most one for each agent; default 1, more need --store
  --json       print the result as JSON (npm run --silent demo -- --json prints nothing else)
  --help       print this help

Left out: folders named .git, node_modules and dist, symbolic links, binary files, files over 1 MiB.

Exit code: 0 when the manager lost nothing, 1 when it did or there is nothing to read, 2 for wrong arguments.
`;

/** Wrong arguments; the message is the one line for the person who typed them. */
export class UsageError extends Error {}

/**
 * @param {string[]} args
 * @returns {Options}
 */
export function readOptions(args) {
  const { values, positionals } = parse(args);
  if (positionals.length > 1) throw new UsageError(`expected one folder, found ${positionals.length}`);
  const agents = wholeNumber("--agents", values.agents, 1, 1000);
  const processes = wholeNumber("--processes", values.processes, 1, 64);
  if (processes > 1 && values.store === undefined) throw new UsageError("--processes needs --store URL");
  if (processes > agents) throw new UsageError(`--processes ${processes} needs at least as many --agents`);
  return {
    dir: positionals[0],
    agents,
    store: values.store,
    processes,
    seed: wholeNumber("--seed", values.seed, 0, 2 ** 32 - 1),
    json: values.json,
    help: values.help,
  };
}

/** @param {string[]} args */
function parse(args) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        agents: { type: "string", default: "20" },
        seed: { type: "string", default: "1" },
        store: { type: "string" },
        processes: { type: "string", default: "1" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    // Node's first sentence says what is wrong; the rest is about its own conventions.
    throw new UsageError(String(error instanceof Error ? error.message : error).split(/\.\s/)[0]);
  }
}

/**
 * @param {string} flag
 * @param {string} text
 * @param {number} min
 * @param {number} max
 */
function wholeNumber(flag, text, min, max) {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= min && number <= max) return number;
  throw new UsageError(`${flag} takes a whole number from ${min} to ${max}, found "${text}"`);
}
