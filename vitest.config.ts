import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    // Tests import the public name and run on the sources; `npm run test:nodes` runs the same files on the build.
    alias: { "shared-context-manager": fileURLToPath(new URL("packages/manager/src/index.ts", import.meta.url)) },
  },
  test: {
    include: ["packages/*/test/**/*.test.ts", "examples/**/*.test.ts", "test/**/*.test.ts"],
    typecheck: { enabled: false },
  },
});
