/** The public vectors of JSON Patch: json-patch/json-patch-tests on GitHub (Apache-2.0), not part of this repository. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const BESIDE = fileURLToPath(new URL("../../../../shared/json-patch-tests", import.meta.url));

/**
 * The vectors of a file, from the folder that `JSON_PATCH_TESTS` names or one beside this repository; `undefined` where
 * it is not there, in a line that says so, or an error with `REQUIRE_VECTORS=1`.
 */
export function vectorsOf(suite: string, name: string): readonly unknown[] | undefined {
  const file = join(process.env["JSON_PATCH_TESTS"] ?? BESIDE, `${name}.json`);
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8")) as unknown[];
  const line = `${suite}: skipped: the public vectors are not there (${file})`;
  if (process.env["REQUIRE_VECTORS"] === "1") throw new Error(line);
  console.info(line);
  return undefined;
}
