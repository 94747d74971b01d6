import { isPlainArray, isPlainObject } from "./data.ts";

/** A value in a few words, for messages: never its content beyond a short string. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      if (value.length > 40) return `a string of ${value.length} characters`;
      return /^[\w .:/-]*$/.test(value) ? `"${value}"` : JSON.stringify(value);
    case "number":
    case "boolean":
    case "undefined":
      return String(value);
    case "bigint":
      return "a bigint";
    case "function":
    case "symbol":
      return `a ${typeof value}`;
    case "object":
      return value === null ? "null" : describeObject(value);
  }
}

function describeObject(value: object): string {
  if (isPlainObject(value)) return "a plain object";
  if (Array.isArray(value) && isPlainArray(value)) return "an array";
  const name = nameOfClass(value);
  return name === "" ? "an object of an unnamed class" : `an instance of ${name}`;
}

function nameOfClass(value: object): string {
  const constructor: unknown = (Object.getPrototypeOf(value) as { constructor?: unknown } | null)?.constructor;
  return typeof constructor === "function" ? constructor.name : "";
}
