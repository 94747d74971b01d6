/** Paths into data: JSON Pointers (RFC 6901), where `id=3` names the element of an array whose `id` is 3. */

import { isPlainObject } from "./data.ts";
import { describe } from "./describe.ts";
import { idOf, placeOfId } from "./elements.ts";
import { valueAt } from "./equal.ts";

/** The tokens of a path, unescaped; `undefined` when it is none. */
export function parsePath(path: string): string[] | undefined {
  if (path === "") return [];
  if (!path.startsWith("/") || /~(?![01])/.test(path)) return undefined;
  return path.slice(1).split("/").map(unescapeToken);
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

/** Follows a path as far as it goes. What is missing in an object is missing, and no dead end. */
export function locate(root: unknown, path: readonly string[]): Place {
  const keys: (string | number)[] = [];
  const tokens: string[] = [];
  let value = root;
  let byIndex = false;
  let deadEnd: DeadEnd | undefined;
  for (const token of path) {
    let key: string | number = token;
    let name = token;
    if (deadEnd !== undefined || value === undefined) {
      value = undefined;
    } else if (Array.isArray(value)) {
      const elements: readonly unknown[] = value;
      const index = placeOf(elements, token);
      if (index === undefined) {
        deadEnd = missingElement(elements, tokens, token);
        value = undefined;
      } else {
        key = index;
        name = nameOf(elements, index, token);
        byIndex ||= isIndex(name);
        value = elements[index];
      }
    } else if (isPlainObject(value)) {
      value = valueAt(value, token);
    } else {
      const expected = `an object or an array at ${describe(formatPath(tokens))}`;
      deadEnd = { expected, received: describe(value), misshapen: true };
      value = undefined;
    }
    keys.push(key);
    tokens.push(name);
  }
  return { keys, tokens, value, byIndex, deadEnd };
}

/** The index that a token stands for; `undefined` when there is no such element, or more than one. */
function placeOf(elements: readonly unknown[], token: string): number | undefined {
  if (!token.startsWith("id=")) return isIndex(token) && Number(token) < elements.length ? Number(token) : undefined;
  return placeOfId(elements, token.slice(3));
}

/** By its `id` rather than by its index, where no other element has it. */
function nameOf(elements: readonly unknown[], index: number, token: string): string {
  if (!isIndex(token)) return token;
  const id = idOf(elements[index]);
  return id === undefined || placeOfId(elements, id) === undefined ? token : `id=${id}`;
}

function missingElement(elements: readonly unknown[], tokens: readonly string[], token: string): DeadEnd {
  const array = describe(formatPath(tokens));
  const received = `an array of ${elements.length}`;
  if (token.startsWith("id=")) {
    return { expected: `one element of ${array} with the id ${describe(token.slice(3))}`, received, misshapen: false };
  }
  return isIndex(token)
    ? { expected: `an element ${token} of ${array}; append adds one`, received, misshapen: false }
    : { expected: `an index or id=... into ${array}; append adds to it`, received: describe(token), misshapen: true };
}

function isIndex(token: string): boolean {
  return /^(?:0|[1-9][0-9]*)$/.test(token);
}

function unescapeToken(token: string): string {
  return token.includes("~") ? token.replaceAll("~1", "/").replaceAll("~0", "~") : token;
}

/** RFC 6901, section 3. */
export function escapeToken(key: string): string {
  return /[~/]/.test(key) ? key.replaceAll("~", "~0").replaceAll("/", "~1") : key;
}
