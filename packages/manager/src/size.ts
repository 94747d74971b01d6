/** How large data is: the bytes of its JSON in UTF-8, as `JSON.stringify` without spaces would write it. */

/** What is nested in data of the store never changes, so it is counted once: a version costs what is new in it. */
const counted = new WeakMap<object, number>();

/** @param data - as the store has copied it. */
export function byteSize(data: object): number {
  return byteSizeOfObject(data as Record<string, unknown>);
}

function byteSizeOfValue(value: unknown): number {
  switch (typeof value) {
    case "string":
      return byteSizeOfString(value);
    case "number":
    case "boolean":
      return String(value).length;
    default:
      return value === null || value === undefined ? 4 : byteSizeOfContainer(value);
  }
}

function byteSizeOfContainer(value: object): number {
  const known = counted.get(value);
  if (known !== undefined) return known;
  const size = Array.isArray(value) ? byteSizeOfArray(value) : byteSizeOfObject(value as Record<string, unknown>);
  counted.set(value, size);
  return size;
}

function byteSizeOfArray(elements: readonly unknown[]): number {
  let size = 1 + Math.max(elements.length, 1); // brackets and commas
  for (const element of elements) size += byteSizeOfValue(element);
  return size;
}

function byteSizeOfObject(fields: Readonly<Record<string, unknown>>): number {
  const keys = Object.keys(fields);
  let size = 1 + Math.max(keys.length, 1);
  for (const key of keys) size += byteSizeOfString(key) + 1 + byteSizeOfValue(fields[key]);
  return size;
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
function byteSizeOfString(text: string): number {
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
