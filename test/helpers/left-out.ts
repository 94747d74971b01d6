/** Says at the end of a run without the long tests that they were left out, and what runs them. */

import { readdirSync } from "node:fs";
import { sep } from "node:path";
import type { TestProject } from "vitest/node";

const ROOT = new URL("../../", import.meta.url);
/** As in the script `test` of package.json. */
const LONG = "**/*.long.*";

export default function setup({ config }: TestProject): (() => void) | undefined {
  if (!config.exclude.includes(LONG)) return undefined;
  return () => {
    const files = longFiles().length;
    console.info(`Left out: the long tests, ${files} files named *.long.*; npm run test:all runs them too.`);
  };
}

function longFiles(): string[] {
  const files = ["packages", "examples", "test"].flatMap((folder) =>
    readdirSync(new URL(folder, ROOT), { recursive: true, encoding: "utf8" }),
  );
  return files.filter((file) => /\.long\..*test\.ts$/.test(file) && !file.split(sep).includes("node_modules"));
}
