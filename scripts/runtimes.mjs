/** Where to find the runtimes and programs that are tested with: exact versions, downloaded once into a cache. */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** @typedef {{ file: string } | { missing: string }} Found the executable, or why there is none */

const CACHE = fileURLToPath(new URL("../node_modules/.cache/runtimes/", import.meta.url));
const { platform, arch } = process;

/** @returns {Found} */
export function node(/** @type {string} */ version) {
  if (version === process.versions.node) return { file: process.execPath };
  return executable(`node-${platform}-${arch}`, version, "bin/node");
}

/** @returns {Found} */
export function bun(/** @type {string} */ version) {
  return executable(`@oven/bun-${platform}-${arch}`, version, "bin/bun");
}

/** @returns {Found} */
export function deno(/** @type {string} */ version) {
  return executable(`@deno/${platform}-${arch}${platform === "linux" ? "-glibc" : ""}`, version, "deno");
}

/** @returns {Found} */
export function chromium() {
  const names = [process.env["CHROME_BIN"], "chromium", "chromium-browser", "google-chrome"];
  const file = names.find((name) => name !== undefined && runs(name));
  return file === undefined ? { missing: "not installed, and CHROME_BIN names none" } : { file };
}

/**
 * The Inspector of MCP, a script for Node 22.19 or newer. With its web page it comes to 110 MB, and it has an install
 * script: too much to be a dependency of everybody who works on this.
 *
 * @returns {Found}
 */
export function inspector(/** @type {string} */ version) {
  return installed("@modelcontextprotocol/inspector", version, "clients/launcher/build/index.js");
}

/**
 * The platform's own package, which holds the plain executable: the wrappers `node`, `bun` and `deno` need install scripts.
 *
 * @param {string} name
 * @param {string} version
 * @param {string} path
 * @returns {Found}
 */
function executable(name, version, path) {
  const found = installed(name, version, path);
  if ("missing" in found || runs(found.file)) return found;
  return { missing: `${name}@${version} does not run here` };
}

/**
 * @param {string} name
 * @param {string} version
 * @param {string} path
 * @returns {Found}
 */
function installed(name, version, path) {
  const folder = join(CACHE, `${name.replace("/", "-")}-${version}`);
  const file = join(folder, "node_modules", name, path);
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    const flags = ["--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
    const { status, stderr } = spawnSync("npm", ["install", "--prefix", folder, ...flags, `${name}@${version}`], {
      encoding: "utf8",
    });
    if (status !== 0) return { missing: `${name}@${version} cannot be installed: ${stderr.trim().split("\n")[0]}` };
  }
  return { file };
}

function runs(/** @type {string} */ file) {
  return spawnSync(file, ["--version"]).status === 0;
}
