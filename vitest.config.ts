import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Tests import the public name and run on the sources; without the alias, the package's own `exports` lead to the build.
const onBuild = process.env["SHARED_CONTEXT_TARGET"] === "dist";
const sources = fileURLToPath(new URL("packages/manager/src/index.ts", import.meta.url));

export default defineConfig({
  resolve: { alias: onBuild ? {} : { "shared-context-manager": sources } },
  test: {
    include: ["packages/*/test/**/*.test.ts", "examples/**/*.test.ts", "test/**/*.test.ts"],
    typecheck: { enabled: false },
    coverage: {
      include: ["packages/*/src/**"],
      reporter: [["text", { skipFull: true }]],
      thresholds: { lines: 95, branches: 95, functions: 95, statements: 95 },
    },
  },
});
