/** The same store written by several processes, each with contexts of its own. */

/** @import { ChildProcess } from "node:child_process" */
/** @import { Contestant } from "./types.d.ts" */

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { IN_FLIGHT } from "./ours.mjs";

const UPDATER = fileURLToPath(new URL("updater.mjs", import.meta.url));

/** All of them work for as long: what they come to in sum is not a matter of which of them was the last. */
const ROUND_MS = 250;

/**
 * So many updates in flight in each of so many processes; what is timed is an update of any of them.
 *
 * @param {() => string} url
 * @param {number} processes
 * @returns {Contestant<ChildProcess[]>}
 */
export function updatesOfProcesses(url, processes) {
  return {
    setUp() {
      const where = url();
      const names = Array.from({ length: processes }, (_, index) => `process-${index}`);
      return Promise.all(names.map((name) => started(where, name)));
    },
    async round(children, count) {
      const done = await Promise.all(
        children.map(async (child) => {
          const told = once(child, "message");
          child.send(ROUND_MS);
          const [number] = await told;
          return number;
        }),
      );
      return (count * ROUND_MS * 1e6) / sum(done);
    },
    async tearDown(children) {
      await Promise.all(
        children.map((child) => {
          const gone = once(child, "exit");
          child.disconnect();
          return gone;
        }),
      );
    },
  };
}

/** @param {string} url @param {string} name */
async function started(url, name) {
  const child = fork(UPDATER, [url, name, String(IN_FLIGHT)], { execArgv: [] });
  await once(child, "message");
  return child;
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((result, number) => result + number, 0);
}
