/** The result for programs: the same numbers that people read. */

import { mostFrequent, TOP_WORDS } from "./count.mjs";
import { kindOf } from "./layout.mjs";

/** @typedef {import("./command-line.mjs").Trial} Trial */

/**
 * @param {import("./usage.mjs").Options} options
 * @param {import("./command-line.mjs").Source} source
 * @param {import("./check.mjs").Expected} expected
 * @param {readonly Trial[]} trials - ours first
 */
export function toJson({ agents, seed, store, processes }, { folder, paths }, { files, words }, trials) {
  const [ours] = /** @type {[Trial, ...Trial[]]} */ (trials);
  const { report, skipped } = ours.outcome;
  const result = {
    folder,
    agents,
    seed,
    ...(store !== undefined && { store: kindOf(store), processes }),
    paths: paths.length,
    skipped,
    expected: { files, words },
    report: {
      files: report.files,
      words: report.words,
      differentWords: report.counts.length,
      frequent: mostFrequent(report, TOP_WORDS).map(([word, times]) => ({ word, times })),
      biggest: report.biggest,
      agents: report.agents,
    },
    stores: trials.map(({ name, outcome, lost, exact }) => ({
      name,
      files: outcome.report.files,
      words: outcome.report.words,
      attempts: outcome.attempts,
      written: outcome.written,
      conflicts: outcome.conflicts,
      lost,
      exact,
    })),
  };
  return `${JSON.stringify(result, null, 2)}\n`;
}
