/** The package as it is published, in a folder that has nothing else: no driver, and no network to get one. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const TIMEOUT_MS = 240_000;

const onBuild = process.env["SHARED_CONTEXT_TARGET"] === "dist";
if (!onBuild) console.info("bare-install.test.ts: skipped: it needs the build");

/** Prints, for each URL that it is given, what became of opening and using it. */
const OPEN = `import { openManager } from "shared-context-manager";
for (const url of process.argv.slice(2)) {
  try {
    const manager = await openManager(url);
    const { version } = await manager.create("plan", { step: 1 });
    await manager.close();
    console.log("version " + version);
  } catch (error) {
    console.log(error.code + ": " + error.message);
  }
}
`;

describe.skipIf(!onBuild)("the package alone in a folder", () => {
  let folder = "";
  // What the npm that runs the tests has set is not for this one.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_/i.test(name)));
  const run = (file: string, args: readonly string[]): string =>
    execFileSync(file, args, { cwd: folder, env, encoding: "utf8", timeout: TIMEOUT_MS });

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "shared-context-bare-"));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
    writeFileSync(join(folder, "open.js"), OPEN);
    const quiet = ["--loglevel=error", "--no-audit", "--no-fund", "--offline"];
    // Without scripts: they would build again what is being tested.
    run("npm", ["pack", PACKAGE, "--ignore-scripts", ...quiet]);
    const archive = readdirSync(folder).find((name) => name.endsWith(".tgz"))!;
    run("npm", ["install", "--prefix", folder, ...quiet, join(folder, archive)]);
  }, TIMEOUT_MS);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("has brought nothing along", () => {
    const names = readdirSync(join(folder, "node_modules")).filter((name) => !name.startsWith("."));
    expect(names).toEqual(["shared-context-manager"]);
  });

  it(
    "works, and says of each driver that is missing how to install it",
    () => {
      const urls = ["memory:", "postgres://agent:secret@127.0.0.1/contexts", "redis://agent:secret@127.0.0.1"];
      const lines = run(process.execPath, ["open.js", ...urls])
        .trimEnd()
        .split("\n");
      expect(lines).toEqual([
        "version 1",
        expect.stringMatching(/^MISSING_DEPENDENCY: .*npm install pg@\^8\.23$/),
        expect.stringMatching(/^MISSING_DEPENDENCY: .*npm install redis@\^6\.3$/),
      ]);
      expect(lines.join()).not.toContain("secret");
    },
    TIMEOUT_MS,
  );
});
