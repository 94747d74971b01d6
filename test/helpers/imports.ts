import { readdirSync, readFileSync } from "node:fs";

/** Not `import type`, which is erased, nor `import()`, which runs when it is asked for. */
const STATIC_IMPORT = /^(?:import|export)\s+(?!type\s)(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm;

/** What the text of a module imports when it is loaded. */
export function importsIn(text: string): string[] {
  return Array.from(text.matchAll(STATIC_IMPORT), ([, specifier]) => specifier!);
}

export function importsOf(file: string): string[] {
  return importsIn(readFileSync(new URL(file), "utf8"));
}

export function filesUnder(folder: URL): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => new URL(name, folder).href);
}

/** The file and all that it loads, directly or not. */
export function loadedBy(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const next of neighbours(file)) loadedBy(next, found);
  return found;
}

/** The files that are loaded by something they load themselves. */
export function filesInCycles(files: string[]): string[] {
  return files.filter((file) => neighbours(file).some((next) => loadedBy(next).has(file)));
}

function neighbours(file: string): string[] {
  return importsOf(file)
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => new URL(specifier, file).href);
}
