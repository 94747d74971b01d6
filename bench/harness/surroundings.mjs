import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { join } from "node:path";

const packages = ["shared-context-manager", "zustand", "valtio", "immer", "keyv", "async-mutex", "fast-json-patch"];
const require = createRequire(import.meta.url);

/** What the numbers depend on, as lines of Markdown. */
export function surroundings() {
  const processors = cpus();
  const memoryGb = (totalmem() / 2 ** 30).toFixed(0);
  return [
    `- Date: ${new Date().toISOString().slice(0, 10)}`,
    `- Machine: ${processors[0]?.model ?? "unknown processor"}, ${processors.length} cores, ${memoryGb} GB of memory, ${platform()} ${release()} ${arch()}`,
    `- Node ${process.versions.node}, V8 ${process.versions.v8}`,
    `- ${packages.map((name) => `${name} ${versionOf(name)}`).join(", ")}`,
  ];
}

/**
 * Reads the manifest beside the package's code: not every package exports it.
 *
 * @param {string} name
 */
function versionOf(name) {
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return JSON.parse(readFileSync(join(folder, name, "package.json"), "utf8")).version;
    } catch {
      // Not installed there; the next folder up may have it.
    }
  }
  return "unknown";
}
