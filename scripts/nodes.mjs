/**
 * The package as it is built: its tests on every supported Node, a smoke test on Bun, Deno and Chromium. A runtime that
 * cannot be had is skipped; with REQUIRE_RUNTIMES=1 that is a failure.
 */

import { join } from "node:path";
import { bun, chromium, deno, node } from "./runtimes.mjs";
import { finish, report, run, testsIn } from "./tally.mjs";

/** The oldest that `engines` allows of each line that has an end, and the newest of the others. */
const NODES = ["20.19.0", "22.12.0", "24.21.0", "26.10.0"];
const BUN = "1.4.5";
const DENO = "2.9.6";
const SMOKE = "test/smoke/smoke.mjs";

for (const version of NODES) {
  on(`Node ${version}`, node(version), (name, file) => {
    const results = join("temp", `node-${version}.json`);
    const vitest = [
      "node_modules/vitest/vitest.mjs",
      "run",
      "packages/manager/test",
      "--exclude",
      "**/*.internal.test.ts",
      // What becomes of the servers of others is the same on every Node.
      "--exclude",
      "**/test/servers/**",
    ];
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${results}`];
    run(name, [file, ...vitest, ...reporters], { env: { SHARED_CONTEXT_TARGET: "dist" }, count: testsIn(results) });
  });
}
on(`Bun ${BUN}`, bun(BUN), (name, file) => run(name, [file, SMOKE]));
// No permission is granted: the package asks for none.
on(`Deno ${DENO}`, deno(DENO), (name, file) => run(name, [file, "run", "--no-prompt", "--no-remote", SMOKE]));
on("Chromium", chromium(), (name, file) => run(name, [process.execPath, "test/smoke/chromium.mjs", file]));
finish();

/**
 * @param {string} name
 * @param {import("./runtimes.mjs").Found} found
 * @param {(name: string, file: string) => void} test
 */
function on(name, found, test) {
  if ("file" in found) test(name, found.file);
  else report(name, { passed: 0, failed: process.env["REQUIRE_RUNTIMES"] === "1" ? 1 : 0 }, found.missing);
}
