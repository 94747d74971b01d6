/** Why data was refused. */

import { isPlainArray, isPlainObject, MAX_DEPTH } from "./data.ts";
import { describe } from "./describe.ts";
import { escapeToken } from "./pointer.ts";
import { Rejection } from "./rejection.ts";

/** Where data stops being JSON, and what to do about it. */
export interface Fault {
  /** JSON Pointer (RFC 6901) to the value; `""` is the data itself. */
  readonly path: string;
  readonly expected: string;
  readonly received: string;
}

/**
 * The reason for a refused copy. A second, slower walk, so that the copy itself carries no paths: it stops
 * at the same first fault, in the same order.
 */
export function explain(data: unknown): Fault {
  return (
    faultIn(data, "", []) ?? {
      path: "",
      expected: "data that reads the same twice",
      received: "a value that changed while it was read",
    }
  );
}

/** The refusal of data that no copy can be made of. */
export function unfit(argument: "data" | "initialData", data: object): Rejection {
  return new Rejection("INVALID", { argument, ...explain(data) });
}

function faultIn(value: unknown, path: string, ancestors: readonly object[]): Fault | undefined {
  if (value === null || typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value === "number" && Number.isFinite(value)) return undefined;
  if (typeof value !== "object" || value === undefined) return { path, ...adviceOn(value) };
  if (ancestors.includes(value)) {
    return {
      path,
      expected: "a tree; store the id of the other part instead",
      received: "a reference to one of its own parents",
    };
  }
  if (ancestors.length >= MAX_DEPTH) {
    return {
      path,
      expected: `at most ${MAX_DEPTH} levels of nesting; split it over several contexts`,
      received: "a deeper level",
    };
  }
  const inside = [...ancestors, value];
  if (Array.isArray(value)) {
    if (!isPlainArray(value)) return { path, ...adviceOn(value) };
    for (let index = 0; index < value.length; index++) {
      const fault = faultIn(value[index], `${path}/${index}`, inside);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
  if (!isPlainObject(value)) return { path, ...adviceOn(value) };
  for (const key of Object.keys(value)) {
    const child = value[key];
    if (child === undefined) continue;
    const fault = faultIn(child, `${path}/${escapeToken(key)}`, inside);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function adviceOn(value: unknown): Pick<Fault, "expected" | "received"> {
  const received = describe(value);
  switch (typeof value) {
    case "undefined":
      return { expected: "a JSON value; use null for an empty place in an array", received };
    case "number":
      return { expected: "a finite number; use null or a string for it", received };
    case "bigint":
      return { expected: "a JSON value; store String(value)", received };
    case "function":
    case "symbol":
      return { expected: "a JSON value; store a name that the reader can look up", received };
    default:
  }
  if (value instanceof Date) return { expected: "a JSON value; store date.toISOString()", received };
  if (value instanceof Map) return { expected: "a JSON value; store Object.fromEntries(map)", received };
  if (value instanceof Set || Array.isArray(value))
    return { expected: "a JSON value; store Array.from(value)", received };
  return { expected: "a JSON value; store a plain object with its fields", received };
}
