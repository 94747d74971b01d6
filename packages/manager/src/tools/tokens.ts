/** How long a result is, as models count; and data that is too long, as an outline. */

import { isPlainObject } from "../data.ts";
import { escapeToken } from "../pointer.ts";
import { placesById } from "../elements.ts";

/** What tokenizers hardly ever join: words, capitals, up to three digits, spaces, and all else one by one. */
const PIECES = /[A-Z]?[a-z]+|[A-Z]+|[0-9]{1,3}|\s+|[^\0-\u1fff]|[^\0-\x7f]|[!-~]/g;

const MARGIN = 1.15;

/**
 * About how many tokens a text has, rather too many than too few: public tokenizers need a few hundred kilobytes to know
 * better.
 */
function tokensOfText(text: string): number {
  let tokens = 0;
  for (const piece of text.match(PIECES) ?? []) tokens += tokensOfPiece(piece);
  return Math.ceil(tokens * MARGIN);
}

function tokensOfPiece(piece: string): number {
  const { length } = piece;
  const code = piece.charCodeAt(0);
  if (code > 0x7f) return code > 0x1fff ? 1.6 : 0.7; // alphabets have words, too
  if (code <= 0x20) return length === 1 && code === 0x20 ? 0.1 : 1 + length / 16; // one space goes with its word
  if (code >= 0x30 && code <= 0x39) return 1;
  if (!/[A-Za-z]/.test(piece)) return 0.85;
  if (/[A-Z]{2}/.test(piece)) return length / 1.4;
  return length <= 7 ? Math.max(length / 5, 1) : length / (length > 14 ? 1.7 : 3.5);
}

/** About how many tokens the JSON of a value has. */
export function tokensOf(value: unknown): number {
  return value === undefined ? 0 : tokensOfText(JSON.stringify(value));
}

/** A purse of tokens: what is taken is taken if it fits. */
export class Budget {
  left: number;

  constructor(tokens: number) {
    this.left = tokens;
  }

  /** Whether there was room for the value and, with it, for its key. */
  take(value: unknown, key = ""): boolean {
    const tokens = tokensOf(value) + (key === "" ? 1 : tokensOfText(key) + 3);
    if (tokens > this.left) return false;
    this.left -= tokens;
    return true;
  }
}

/**
 * What is below a path, as lines from JSON Pointers to descriptions: level by level, as far as the budget goes. Each
 * pointer can be read.
 */
export function outline(root: unknown, at: string, budget: Budget): Record<string, string> {
  const lines: Record<string, string> = {};
  const level = [{ path: at, value: root }];
  for (let next = level.shift(); next !== undefined; next = level.shift()) {
    const children = childrenOf(next.value, next.path);
    for (const [index, child] of children.entries()) {
      const line = shapeOf(child.value);
      if (!budget.take(line, child.path)) {
        const rest = `${children.length - index} more below`;
        if (budget.take(rest, next.path)) lines[next.path] = rest;
        return lines;
      }
      lines[child.path] = line;
      level.push(child);
    }
  }
  return lines;
}

interface Child {
  readonly path: string;
  readonly value: unknown;
}

function childrenOf(value: unknown, path: string): Child[] {
  if (Array.isArray(value)) {
    const elements: readonly unknown[] = value;
    const named = placesById(elements);
    const names =
      named === undefined ? elements.map((_, index) => String(index)) : Array.from(named.keys(), (id) => `id=${id}`);
    return names.map((name, index) => ({ path: `${path}/${escapeToken(name)}`, value: elements[index] }));
  }
  if (!isPlainObject(value)) return [];
  return Object.keys(value).map((key) => ({ path: `${path}/${escapeToken(key)}`, value: value[key] }));
}

/** What a value is and how long. */
export function shapeOf(value: unknown): string {
  const long = `about ${tokensOf(value)} tokens`;
  if (Array.isArray(value)) return `array of ${value.length}, ${long}`;
  if (isPlainObject(value)) return `object of ${Object.keys(value).length}, ${long}`;
  return typeof value === "string" ? `string, ${long}` : typeof value;
}
