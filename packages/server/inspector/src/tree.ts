/** The data as rows: what is open is followed by what is inside it. */

import { childrenOf, isArray, isObject, sizeOf } from "./pointer.ts";
import type { BlameLine, Json } from "./types.ts";

export interface Row {
  readonly path: string;
  readonly label: string;
  readonly value: Json;
  /** 1 for the fields of the data. */
  readonly level: number;
  /** How many are inside; 0 for what cannot be opened. */
  readonly size: number;
  readonly isOpen: boolean;
}

/** Only what is open is looked into, so that a large tree costs what is shown of it. */
export function flatten(data: Json, isOpen: (path: string) => boolean): Row[] {
  const rows: Row[] = [];
  const add = (value: Json, path: string, level: number): void => {
    for (const child of childrenOf(value)) {
      const at = `${path}/${child.token}`;
      const size = sizeOf(child.value);
      const opened = size > 0 && isOpen(at);
      rows.push({ path: at, label: child.label, value: child.value, level, size, isOpen: opened });
      if (opened) add(child.value, at, level + 1);
    }
  };
  add(data, "", 1);
  return rows;
}

/** Every path that can be opened, from the top, at most so many rows of them. */
export function openable(data: Json, most: number): Set<string> {
  const paths = new Set<string>();
  let level: { value: Json; path: string }[] = [{ value: data, path: "" }];
  let rows = sizeOf(data);
  while (level.length > 0) {
    const next: typeof level = [];
    for (const { value, path } of level) {
      for (const child of childrenOf(value)) {
        const size = sizeOf(child.value);
        if (size === 0) continue;
        if (rows + size > most) return paths;
        rows += size;
        const at = `${path}/${child.token}`;
        paths.add(at);
        next.push({ value: child.value, path: at });
      }
    }
    level = next;
  }
  return paths;
}

/** A value in one line, never much of it. */
export function brief(value: Json | undefined, most = 200): string {
  if (value === undefined) return "nothing";
  if (isArray(value)) return value.length === 0 ? "[]" : `[ ${value.length} ]`;
  if (isObject(value)) return sizeOf(value) === 0 ? "{}" : `{ ${sizeOf(value)} }`;
  if (typeof value !== "string") return String(value);
  if (value.length <= most) return JSON.stringify(value);
  // Said first: the end of a long line may not be seen.
  return `(${value.length.toLocaleString("en")} characters) ${JSON.stringify(value.slice(0, most)).slice(0, -1)}…`;
}

/** Who wrote what is at each path: of a value with something inside, the newest line of what is inside. */
export function blameByPath(lines: readonly BlameLine[]): Map<string, BlameLine> {
  const found = new Map<string, BlameLine>();
  for (const line of lines) {
    for (let path = line.path; ; path = path.slice(0, path.lastIndexOf("/"))) {
      const known = found.get(path);
      if (known !== undefined && Number(known.version) >= Number(line.version)) break;
      found.set(path, line);
      if (path === "") break;
    }
  }
  return found;
}
