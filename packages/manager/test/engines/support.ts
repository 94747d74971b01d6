/** Engines are not exported from the package: tests of the build take them from the build, as they take everything else. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const onBuild = process.env["SHARED_CONTEXT_TARGET"] === "dist";

/** A module of the package, by its path in the sources and without its ending. */
export async function moduleOf<Module>(path: string): Promise<Module> {
  const file = onBuild ? `../../dist/${path}.js` : `../../src/${path}.ts`;
  return (await import(/* @vite-ignore */ new URL(file, import.meta.url).href)) as Module;
}

/** A directory that goes with the test. */
export interface Scratch {
  file(name: string): string;
  remove(): void;
}

export function scratch(): Scratch {
  const directory = mkdtempSync(join(tmpdir(), "shared-context-"));
  return {
    file: (name) => join(directory, name),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Whether this Node has `node:sqlite`, and with an SQLite that is new enough. */
export async function hasSqlite(): Promise<boolean> {
  if (!isBuiltin("node:sqlite")) return false;
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(":memory:");
  const { version } = database.prepare("SELECT sqlite_version() AS version").get() as { version: string };
  database.close();
  return version.localeCompare("3.51.3", "en", { numeric: true }) >= 0;
}

/** The version of a driver that the tests run with, part by part: what is told to install must have it. */
export function testedVersion(driver: string): string[] {
  const manifest = readFileSync(new URL("../../../../package.json", import.meta.url), "utf8");
  const { devDependencies } = JSON.parse(manifest) as { devDependencies: Readonly<Record<string, string>> };
  return (devDependencies[driver] ?? "").split(".");
}
