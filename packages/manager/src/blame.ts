/** Who wrote what is there now. */

import { isPlainObject } from "./data.ts";
import { escapeToken } from "./pointer.ts";
import { placesById } from "./elements.ts";
import { valueAt } from "./equal.ts";
import { type Entry, expose } from "./entry.ts";

/** Since when a value has been the same, and who wrote it. */
export interface BlameLine {
  /** JSON Pointer (RFC 6901); a token `id=3` names the element of an array whose `id` is 3. */
  readonly path: string;
  /** The version that brought the value. */
  readonly version: string;
  /** Who wrote that version; `null` when it was written without a handle. */
  readonly agentId: string | null;
  /** What the writer said about it, or `null`. */
  readonly note: string | null;
  /** When that version was written. */
  readonly writtenAt: Date;
  /**
   * The value is older than the history: it was there already in this version, the oldest that is kept, or the first behind
   * one that is missing.
   */
  readonly orEarlier: boolean;
}

/** A value at one path, and the first of the versions in a row that have it. */
interface State {
  readonly entry: Entry;
  readonly value: unknown;
}

/** @param versions - oldest first, the present one last. */
export function blame(versions: readonly Entry[]): BlameLine[] {
  const lines: BlameLine[] = [];
  const states = unbroken(versions).map((entry) => ({ entry, value: expose(entry) }));
  if (states.length > 0) collect(states, "", [], lines);
  return lines;
}

/** The last of them that follow one another: who wrote what is there behind a gap, may be in the gap. */
function unbroken(versions: readonly Entry[]): readonly Entry[] {
  let first = versions.length - 1;
  while (first > 0 && Number(versions[first]?.version) - Number(versions[first - 1]?.version) === 1) first -= 1;
  return versions.slice(Math.max(first, 0));
}

/** Shallow data may lead back to its own parents: the way round ends there. */
function collect(states: readonly State[], path: string, parents: readonly unknown[], lines: BlameLine[]): void {
  const { entry, value } = states.at(-1) as State;
  const children = parents.includes(value) ? [] : childrenOf(value);
  if (children.length === 0) {
    lines.push({
      path,
      version: entry.version,
      agentId: entry.updatedBy,
      note: entry.note,
      writtenAt: new Date(entry.updatedAtMs),
      orEarlier: states.length === 1 && entry.version !== "1",
    });
    return;
  }
  const inside = [...parents, value];
  for (const { token, valueIn } of children) {
    collect(compressed(states, valueIn), `${path}/${token}`, inside, lines);
  }
}

/** The values that a path had, one after the other. What has something inside is looked into anyway: `===` will do. */
function compressed(states: readonly State[], valueIn: (parent: unknown) => unknown): State[] {
  const values: State[] = [];
  for (const { entry, value } of states) {
    const inside = valueIn(value);
    const last = values.at(-1);
    if (last === undefined || !(last.value === inside || areBothEmpty(last.value, inside))) {
      values.push({ entry, value: inside });
    }
  }
  return values;
}

function areBothEmpty(one: unknown, other: unknown): boolean {
  if (Array.isArray(one)) return Array.isArray(other) && one.length + other.length === 0;
  return isPlainObject(one) && isPlainObject(other) && Object.keys(one).length + Object.keys(other).length === 0;
}

interface Child {
  readonly token: string;
  /** The value at this place in another version of the parent; `undefined` where there is none. */
  readonly valueIn: (parent: unknown) => unknown;
}

function childrenOf(value: unknown): Child[] {
  if (Array.isArray(value)) return elementsById(value) ?? value.map(elementByPlace);
  return isPlainObject(value) ? Object.keys(value).map(fieldByName) : [];
}

/** The elements by their ids, each array looked through once; `undefined` unless all have one of their own. */
function elementsById(elements: readonly unknown[]): Child[] | undefined {
  const places = placesById(elements);
  if (places === undefined) return undefined;
  const indexes = new Map<unknown, ReadonlyMap<string, number> | undefined>([[elements, places]]);
  const elementIn = (parent: readonly unknown[], id: string): unknown => {
    if (!indexes.has(parent)) indexes.set(parent, placesById(parent));
    const place = indexes.get(parent)?.get(id);
    return place === undefined ? undefined : parent[place];
  };
  return Array.from(places.keys(), (id) => ({
    token: `id=${escapeToken(id)}`,
    valueIn: (parent): unknown => (Array.isArray(parent) ? elementIn(parent, id) : undefined),
  }));
}

function elementByPlace(_element: unknown, index: number): Child {
  return {
    token: String(index),
    valueIn: (parent): unknown => (Array.isArray(parent) ? parent[index] : undefined),
  };
}

function fieldByName(key: string): Child {
  return {
    token: escapeToken(key),
    valueIn: (parent) => (isPlainObject(parent) ? valueAt(parent, key) : undefined),
  };
}
