/** What the Node that runs the tests can do; what it cannot is skipped, and said in one line. */

import * as nodeModule from "node:module";

export const hasSqlite: boolean = await import("node:sqlite").then(
  () => true,
  () => false,
);

/** A child process runs TypeScript as it is. */
export const canRunSources: boolean =
  typeof nodeModule.registerHooks === "function" && Boolean((process.features as { typescript?: unknown }).typescript);

if (!hasSqlite || !canRunSources) {
  process.stderr.write(`Node ${process.version}: the tests that need node:sqlite, or run TypeScript, are skipped\n`);
}
