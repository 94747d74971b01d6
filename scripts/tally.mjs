/** Runs commands one after another, prints a line for each, and counts what passed. */

import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";

/** @typedef {{ passed: number, failed: number }} Outcome */

const total = { passed: 0, failed: 0 };

/**
 * Runs a command and shows what it printed only if it failed.
 *
 * @param {string} name
 * @param {[file: string, ...parameters: string[]]} command
 * @param {{ env?: Record<string, string>, count?: (succeeded: boolean) => Outcome }} [options] `count` says how many
 *   tests the command stands for; by default it is one step that passed or failed.
 * @returns {boolean} whether it succeeded
 */
export function run(name, [file, ...parameters], { env, count = one } = {}) {
  const start = performance.now();
  const result = spawnSync(file, parameters, {
    encoding: "utf8",
    env: { ...process.env, ...env },
    maxBuffer: 2 ** 28,
    timeout: 30 * 60_000,
  });
  const outcome = count(result.status === 0);
  report(name, outcome, `${((performance.now() - start) / 1000).toFixed(1)} s`);
  if (outcome.failed > 0) console.log(`\n${result.stdout}${result.stderr}${result.error?.message ?? ""}`);
  return outcome.failed === 0;
}

/**
 * @param {string} name
 * @param {Outcome} outcome nothing passed and nothing failed where the step was skipped
 * @param {string} remark
 */
export function report(name, { passed, failed }, remark) {
  total.passed += passed;
  total.failed += failed;
  const verdict = failed > 0 ? "failed" : passed > 0 ? "passed" : "skipped";
  const tests = passed + failed > 1 ? `, ${passed} of ${passed + failed} tests` : "";
  console.log(`${verdict.padEnd(8)}${name.padEnd(22)}${remark}${tests}`);
}

/** The last line, and the exit code that goes with it. */
export function finish() {
  console.log(`${total.passed} passed, ${total.failed} failed`);
  process.exitCode = total.failed > 0 ? 1 : 0;
}

/** @returns {Outcome} */
function one(/** @type {boolean} */ succeeded) {
  return succeeded ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/**
 * Counts the tests in the file that Vitest's JSON reporter is about to write. A run that failed without a failed test,
 * because a file did not load or there was none, counts as one failure.
 *
 * @param {string} file
 * @returns {(succeeded: boolean) => Outcome}
 */
export function testsIn(file) {
  rmSync(file, { force: true });
  return (succeeded) => {
    let counted;
    try {
      counted = JSON.parse(readFileSync(file, "utf8"));
    } catch {
      return one(false);
    }
    const { numPassedTests: passed, numFailedTests: failed } = counted;
    return { passed, failed: succeeded ? failed : Math.max(failed, 1) };
  };
}
