/** How large data is: the bytes of its JSON in UTF-8, as `JSON.stringify` without spaces would write it. */

import { changedRange, elementsOf } from "./data.ts";

type Plain = Readonly<Record<string, unknown>>;
type List = readonly unknown[];

/** @param data - as the store has copied it. */
export function byteSize(data: object): number {
  return Array.isArray(data) ? sizeOfArray(data) : sizeOfObject(data as Plain);
}

function sizeOf(value: unknown): number {
  switch (typeof value) {
    case "string":
      return sizeOfString(value);
    case "number":
    case "boolean":
      return String(value).length;
    default:
      return value === null || value === undefined ? 4 : byteSize(value);
  }
}

/** Brackets and commas. */
function sizeOfFrame(parts: number): number {
  return 1 + Math.max(parts, 1);
}

function sizeOfArray(elements: List): number {
  let size = sizeOfFrame(elements.length);
  for (const element of elementsOf(elements)) size += sizeOf(element);
  return size;
}

function sizeOfObject(fields: Plain): number {
  const keys = Object.keys(fields);
  let size = sizeOfFrame(keys.length);
  for (const key of keys) size += sizeOfField(key, fields[key]);
  return size;
}

function sizeOfField(key: string, value: unknown): number {
  return sizeOfString(key) + 1 + sizeOf(value);
}

/**
 * The sizes of the data that contexts have now. What is written is counted by how it differs from what it replaces: what
 * both share is not looked into.
 */
export class Sizes {
  /** As few weak keys as there are contexts: one that is replaced goes. */
  readonly #known = new WeakMap<object, number>();

  of(data: object, previous: object | undefined): number {
    const before = previous && this.#known.get(previous);
    return before === undefined ? byteSize(data) : before + growth(data, previous);
  }

  /** `data` takes the place of `previous`. Should that not come true, it is counted whole the next time. */
  remember(data: object, bytes: number, previous: object | undefined): void {
    if (previous !== undefined) this.#known.delete(previous);
    this.#known.set(data, bytes);
  }
}

/** How many bytes larger a value is than the one before. */
function growth(next: unknown, previous: unknown): number {
  if (next === previous) return 0;
  if (isContainer(next) && isContainer(previous)) {
    const areLists = Array.isArray(next);
    if (areLists && Array.isArray(previous)) return growthOfArray(next, previous);
    if (!areLists && !Array.isArray(previous)) return growthOfObject(next as Plain, previous as Plain);
  }
  return sizeOf(next) - sizeOf(previous);
}

function isContainer(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** Values are read all at once: one by one, V8 looks up each key again. */
function growthOfObject(next: Plain, previous: Plain): number {
  const [keys, values] = [Object.keys(next), Object.values(next)];
  const [keysBefore, valuesBefore] = [Object.keys(previous), Object.values(previous)];
  let size = sizeOfFrame(keys.length) - sizeOfFrame(keysBefore.length);
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string;
    const value = values[index];
    if (keysBefore[index] === key) {
      if (value !== valuesBefore[index]) size += growth(value, valuesBefore[index]);
    } else {
      size += Object.hasOwn(previous, key) ? growth(value, previous[key]) : sizeOfField(key, value);
    }
  }
  for (let index = 0; index < keysBefore.length; index++) {
    const key = keysBefore[index] as string;
    if (keys[index] !== key && !Object.hasOwn(next, key)) size -= sizeOfField(key, valuesBefore[index]);
  }
  return size;
}

function growthOfArray(next: List, previous: List): number {
  const [elements, before] = [elementsOf(next), elementsOf(previous)];
  const { start, end } = changedRange(elements, before);
  const [come, gone] = exchanged(
    elements.slice(start, end),
    before.slice(start, end + before.length - elements.length),
  );
  let size = sizeOfFrame(elements.length) - sizeOfFrame(before.length);
  const pairs = Math.min(come.length, gone.length);
  for (let index = 0; index < pairs; index++) size += growth(come[index], gone[index]);
  for (const element of come.slice(pairs)) size += sizeOf(element);
  for (const element of gone.slice(pairs)) size -= sizeOf(element);
  return size;
}

/** What is left of two lists when what stands in both, wherever it stands, is taken out of them. */
function exchanged(come: List, gone: List): [List, List] {
  if (come.length <= 1 || gone.length === 0) return [come, gone];
  const left = new Map<unknown, number>();
  for (const element of gone) left.set(element, (left.get(element) ?? 0) + 1);
  const arrived = come.filter((element) => {
    const count = left.get(element) ?? 0;
    if (count > 0) left.set(element, count - 1);
    return count === 0;
  });
  return [arrived, [...left].flatMap(([element, count]) => Array.from({ length: count }, () => element))];
}

/** About the same, for what is bounded by its size: a text counts by its length. @param data - as the store has copied it. */
export function roughSize(data: object): number {
  return roughSizeOfContainer(data);
}

/** Of what is large: to remember the size of what is small costs more than to count it again. */
const roughly = new WeakMap<object, number>();
const LARGE = 1_000;

function roughSizeOfValue(value: unknown): number {
  if (typeof value === "string") return value.length + 2;
  if (typeof value !== "object" || value === null) return 5;
  const known = roughly.get(value);
  if (known !== undefined) return known;
  const size = roughSizeOfContainer(value);
  if (size > LARGE) roughly.set(value, size);
  return size;
}

function roughSizeOfContainer(value: object): number {
  let size = 2;
  if (Array.isArray(value)) {
    for (const element of value as unknown[]) size += roughSizeOfValue(element) + 1;
  } else {
    const fields = value as Readonly<Record<string, unknown>>;
    for (const key of Object.keys(fields)) size += key.length + 4 + roughSizeOfValue(fields[key]);
  }
  return size;
}

/** `JSON.stringify` escapes quotes, backslashes, control characters and lone surrogates. */
function sizeOfString(text: string): number {
  let size = text.length + 2;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 0x80) size += bytesBeyondOne(text, at, unit);
    else if (unit === 0x22 || unit === 0x5c) size += 1;
    else if (unit < 0x20) size += SHORT_ESCAPES.includes(unit) ? 1 : 5;
  }
  return size;
}

/** \b \t \n \f \r */
const SHORT_ESCAPES: readonly number[] = [0x08, 0x09, 0x0a, 0x0c, 0x0d];

function bytesBeyondOne(text: string, at: number, unit: number): number {
  if (unit < 0x800) return 1;
  if (unit < 0xd800 || unit > 0xdfff) return 2;
  const isPaired = unit < 0xdc00 ? isLow(text.charCodeAt(at + 1)) : at > 0 && isHigh(text.charCodeAt(at - 1));
  return isPaired ? 1 : 5; // four bytes for the two of them; \udXXX for one alone
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
