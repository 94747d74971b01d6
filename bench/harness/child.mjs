import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** `production` switches the development checks of the peers off. */
const env = { ...process.env, NODE_ENV: "production" };
const flags = ["--expose-gc", "--max-old-space-size=8192"];

/**
 * Runs a file of this folder in a process of its own and gives what it prints.
 *
 * @param {string} file
 * @param {object} task
 * @returns {any}
 */
export function runChild(file, task) {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const { status, signal, stdout, error } = spawnSync(process.execPath, [...flags, path, JSON.stringify(task)], {
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw error ?? new Error(`${file} ended with ${signal ?? status}: ${JSON.stringify(task)}`);
  return JSON.parse(stdout);
}
