/** What options say, checked. */

import type { Input } from "./command.ts";
import { UsageError } from "./output.ts";

interface Range {
  readonly least?: number;
  readonly most?: number;
  /** What is counted. */
  readonly unit?: string;
}

const MOST = 9_999_999_999;

/** A whole number; `undefined` without the option. @throws UsageError. */
export function readWhole(
  input: Input,
  option: string,
  { least = 0, most = MOST, unit }: Range = {},
): number | undefined {
  const text = input.text(option);
  if (text === undefined) return undefined;
  const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  const what = unit === undefined ? "a whole number" : `a whole number of ${unit}`;
  throw new UsageError(`--${option}: expected ${what} from ${least} to ${most}; received ${JSON.stringify(text)}`);
}

/** The longest that a server lets a lock last, or somebody wait for one. */
const MOST_MS = 7 * 24 * 3600 * 1000;

export function readMs(input: Input, option: string, least = 0): number | undefined {
  return readWhole(input, option, { least, most: MOST_MS, unit: "milliseconds" });
}

/** An ETag as `get` and `ls` tell it, with its quotes. @throws UsageError. */
export function readEtag(option: string, text: string, orElse = ""): string {
  if (/^"?\d+\.\d+"?$/.test(text)) return `"${text.replaceAll('"', "")}"`;
  throw new UsageError(`--${option}: expected an ETag such as 12.3${orElse}; received ${JSON.stringify(text)}`);
}
