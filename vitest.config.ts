import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Tests import the public name and run on the sources; without the alias, the package's own `exports` lead to the build.
const onBuild = process.env["SHARED_CONTEXT_TARGET"] === "dist";
const source = (file: string, folder = "manager"): string =>
  fileURLToPath(new URL(`packages/${folder}/src/${file}`, import.meta.url));
const sources = {
  "shared-context-manager/engine": source("engine.ts"),
  "shared-context-manager/serving": source("serving.ts"),
  "shared-context-manager/testing": source("testing/index.ts"),
  "shared-context-manager/tools": source("tools.ts"),
  "shared-context-manager": source("index.ts"),
  "shared-context-server": source("index.ts", "server"),
};

const serverEngines = ["postgres", "redis"].map((name) => `packages/manager/src/engines/${name}{.ts,/**}`);

export default defineConfig({
  resolve: { alias: onBuild ? {} : sources },
  test: {
    include: ["packages/*/test/**/*.test.ts", "examples/**/*.test.ts", "test/**/*.test.ts"],
    globalSetup: ["test/helpers/left-out.ts"],
    // By default one core is left idle, of two too. Many tests wait for a disk or a server: one worker more uses that time.
    maxWorkers: availableParallelism() + 1,
    // Files share a process, and what they import is loaded once: it halves the time of most. So each restores what it has
    // changed, and removes what it has made.
    isolate: false,
    // With all cores busy, what takes a second alone may take many.
    testTimeout: 20_000,
    expect: { poll: { timeout: 10_000 } },
    typecheck: { enabled: false },
    coverage: {
      include: ["packages/*/src/**"],
      // Entry points run in processes of their own, which are not measured; engines only where their servers are.
      exclude: ["packages/server/src/bin.ts", ...(process.env["REQUIRE_ENGINES"] === "1" ? [] : serverEngines)],
      reporter: [["text", { skipFull: true }]],
      // What talks to a storage or a network has branches for failures that only the tests with killed processes and cut
      // connections reach, in processes that are not measured.
      thresholds: {
        lines: 95,
        branches: 92,
        functions: 95,
        statements: 95,
        "packages/manager/src/*.ts": { lines: 95, branches: 95, functions: 95, statements: 95 },
      },
    },
  },
});
