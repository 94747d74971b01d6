/** Paths into data: JSON Pointers (RFC 6901), where `id=3` names the element of an array whose `id` is 3. */

import { isPlainObject } from "./data.ts";
import { describe } from "./describe.ts";
import { idOf } from "./elements.ts";
import { valueAt } from "./equal.ts";
import { type KnownLists, placeKnown } from "./known-lists.ts";

/** The tokens of a path, unescaped; `undefined` when it is none. */
export function parsePath(path: string): string[] | undefined {
  if (path === "") return [];
  if (!path.startsWith("/") || (path.includes("~") && /~(?![01])/.test(path))) return undefined;
  const tokens: string[] = [];
  let start = 1;
  for (let end = path.indexOf("/", start); end >= 0; end = path.indexOf("/", start)) {
    tokens.push(unescapeToken(path.slice(start, end)));
    start = end + 1;
  }
  tokens.push(unescapeToken(path.slice(start)));
  return tokens;
}

export function formatPath(tokens: readonly string[]): string {
  return tokens.map((token) => `/${escapeToken(token)}`).join("");
}

/** Why a path leads nowhere: what would have to be there. */
export interface DeadEnd {
  readonly expected: string;
  readonly received: string;
  /** The data is of another shape than the path; without it, the way is open and only an element is missing. */
  readonly misshapen: boolean;
}

/** Where a path leads. */
export interface Place {
  /** Where each token leads to: a key, or the index of an element. */
  readonly keys: readonly (string | number)[];
  /** The path again, with elements named by their `id` where it is theirs alone. */
  readonly tokens: readonly string[];
  /** What is there; `undefined` for nothing. */
  readonly value: unknown;
  /** It goes through an array whose elements have no names of their own. */
  readonly byIndex: boolean;
  readonly deadEnd: DeadEnd | undefined;
}

/**
 * Follows a path as far as it goes. What is missing in an object is missing, and no dead end.
 *
 * @param lists - what is known of the lists in `root`, where that is remembered.
 */
export function locate(root: unknown, path: readonly string[], lists?: KnownLists): Place {
  // The path as it is, until something on the way goes by another name.
  let keys: (string | number)[] | undefined;
  let tokens: string[] | undefined;
  let value = root;
  let byIndex = false;
  let deadEnd: DeadEnd | undefined;
  for (let depth = 0; depth < path.length && value !== undefined; depth++) {
    const token = path[depth] as string;
    if (Array.isArray(value)) {
      const elements: readonly unknown[] = value;
      const index = placeOf(elements, token, lists);
      if (index === undefined) {
        deadEnd = missingElement(elements, (tokens ?? path).slice(0, depth), token);
        value = undefined;
        break;
      }
      keys ??= [...path];
      keys[depth] = index;
      value = elements[index];
      if (isName(token)) continue;
      const name = nameOf(elements, index, lists);
      if (name === undefined) {
        byIndex = true;
      } else {
        tokens ??= [...path];
        tokens[depth] = name;
      }
    } else if (isPlainObject(value)) {
      value = valueAt(value, token);
    } else {
      const expected = `an object or an array at ${describe(formatPath((tokens ?? path).slice(0, depth)))}`;
      deadEnd = { expected, received: describe(value), misshapen: true };
      value = undefined;
    }
  }
  return { keys: keys ?? path, tokens: tokens ?? path, value, byIndex, deadEnd };
}

/** The index that a token stands for; `undefined` when there is no such element, or more than one. */
function placeOf(elements: readonly unknown[], token: string, lists: KnownLists | undefined): number | undefined {
  if (isName(token)) return placeKnown(elements, token.slice(3), lists);
  return isIndex(token) && Number(token) < elements.length ? Number(token) : undefined;
}

/** Its name instead of its index: its `id`, where no other element has it. */
function nameOf(elements: readonly unknown[], index: number, lists: KnownLists | undefined): string | undefined {
  const id = idOf(elements[index]);
  return id === undefined || placeKnown(elements, id, lists) === undefined ? undefined : `id=${id}`;
}

function missingElement(elements: readonly unknown[], tokens: readonly string[], token: string): DeadEnd {
  const array = describe(formatPath(tokens));
  const received = `an array of ${elements.length}`;
  if (isName(token)) {
    return { expected: `one element of ${array} with the id ${describe(token.slice(3))}`, received, misshapen: false };
  }
  return isIndex(token)
    ? { expected: `an element ${token} of ${array}; append adds one`, received, misshapen: false }
    : { expected: `an index or id=... into ${array}; append adds to it`, received: describe(token), misshapen: true };
}

function isName(token: string): boolean {
  return token.startsWith("id=");
}

function isIndex(token: string): boolean {
  return /^(?:0|[1-9][0-9]*)$/.test(token);
}

function unescapeToken(token: string): string {
  return token.includes("~") ? token.replaceAll("~1", "/").replaceAll("~0", "~") : token;
}

/** RFC 6901, section 3. */
export function escapeToken(key: string): string {
  return key.includes("~") || key.includes("/") ? key.replaceAll("~", "~0").replaceAll("/", "~1") : key;
}
