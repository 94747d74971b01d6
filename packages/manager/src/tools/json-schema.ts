/**
 * Schemas that say the same thing twice: Standard Schema (https://standardschema.dev) validates with them, and Standard
 * JSON Schema shows them to a model. They are written as the part of JSON Schema that every draft and every provider of
 * models understands.
 */

import { isPlainObject } from "../data.ts";
import { describe } from "../describe.ts";
import { escapeToken } from "../pointer.ts";

/** The part of JSON Schema that the tools use. */
export interface JsonSchema {
  readonly type?: "object" | "array" | "string" | "integer" | "boolean";
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  /** `{}` where any are welcome: some frameworks take the absence for `false`. */
  readonly additionalProperties?: false | Readonly<Record<string, never>>;
  readonly items?: JsonSchema;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
}

/** What is wrong with a value, in words that a model can act on. */
export interface SchemaIssue {
  readonly message: string;
  readonly path: readonly (string | number)[];
}

/** Standard Schema and Standard JSON Schema at once. */
export interface ToolSchema<Value> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: "shared-context-manager";
    readonly validate: (
      value: unknown,
    ) =>
      | { readonly value: Value; readonly issues?: undefined }
      | { readonly issues: readonly SchemaIssue[]; readonly value?: undefined };
    readonly jsonSchema: {
      readonly input: (options: { readonly target: string }) => Record<string, unknown>;
      readonly output: (options: { readonly target: string }) => Record<string, unknown>;
    };
    readonly types?: { readonly input: Value; readonly output: Value } | undefined;
  };
}

const TARGETS: readonly string[] = ["draft-2020-12", "draft-07", "openapi-3.0"];

export function toolSchema<Value>(schema: JsonSchema): ToolSchema<Value> {
  const convert = ({ target }: { readonly target: string }): Record<string, unknown> => {
    if (!TARGETS.includes(target)) {
      throw new TypeError(`target: expected one of ${TARGETS.join(", ")}; received ${describe(target)}`);
    }
    return structuredClone(schema) as unknown as Record<string, unknown>; // frameworks write into it
  };
  return {
    "~standard": {
      version: 1,
      vendor: "shared-context-manager",
      validate: (input) => {
        const value = withoutNulls(input, schema);
        const issues = issuesWith(value, schema, []);
        return issues.length === 0 ? { value: value as Value } : { issues };
      },
      jsonSchema: { input: convert, output: convert },
    },
  };
}

/** What is optional may also be `null`: in their strict mode, some providers make models send all arguments. */
function withoutNulls(input: unknown, { properties = {}, required = [] }: JsonSchema): unknown {
  if (!isPlainObject(input)) return input;
  const isLeftOut = (key: string): boolean =>
    input[key] === null &&
    !required.includes(key) &&
    Object.hasOwn(properties, key) &&
    properties[key]?.type !== undefined;
  if (!Object.keys(input).some(isLeftOut)) return input;
  return Object.fromEntries(Object.entries(input).filter(([key]) => !isLeftOut(key)));
}

type Path = readonly (string | number)[];

function issuesWith(value: unknown, schema: JsonSchema, path: Path): SchemaIssue[] {
  const expected = expectationOf(schema);
  if (expected !== undefined && !fits(value, schema)) {
    return [{ path, message: `${place(path)}: expected ${expected}; received ${received(value)}` }];
  }
  if (Array.isArray(value) && schema.items !== undefined) {
    const { items } = schema;
    return value.flatMap((item, index) => issuesWith(item, items, [...path, index]));
  }
  return isPlainObject(value) && schema.type === "object" ? issuesWithin(value, schema, path) : [];
}

function issuesWithin(value: Readonly<Record<string, unknown>>, schema: JsonSchema, path: Path): SchemaIssue[] {
  const { properties = {}, required = [], additionalProperties } = schema;
  const missing = required
    .filter((key) => !Object.hasOwn(value, key) || value[key] === undefined)
    .map((key) => ({
      path: [...path, key],
      message: `${place([...path, key])}: expected ${expectationOf(properties[key] ?? {}) ?? "a value"}; received nothing`,
    }));
  const others = Object.keys(value).flatMap((key) => {
    const known = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (known !== undefined) {
      return value[key] === undefined ? [] : issuesWith(value[key], known, [...path, key]);
    }
    if (additionalProperties !== false) return [];
    const names = Object.keys(properties).join(", ");
    const what = `${place([...path, key])}: expected only ${names === "" ? "nothing" : names}`;
    return [{ path: [...path, key], message: `${what}; received ${describe(key)}: leave it out` }];
  });
  return [...missing, ...others];
}

function fits(value: unknown, { type, enum: choices, minimum, maximum }: JsonSchema): boolean {
  switch (type) {
    case "object":
      return isPlainObject(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return (
        Number.isSafeInteger(value) &&
        !((value as number) < (minimum ?? -Infinity)) &&
        !((value as number) > (maximum ?? Infinity))
      );
    case "boolean":
      return typeof value === "boolean";
    default:
      return typeof value === "string" && (choices?.includes(value) ?? true);
  }
}

function expectationOf({ type, enum: choices, minimum, maximum }: JsonSchema): string | undefined {
  switch (type) {
    case undefined:
      return undefined;
    case "integer":
      return minimum === undefined ? "a whole number" : `a whole number from ${minimum} to ${maximum ?? "any"}`;
    case "object":
      return "an object";
    case "array":
      return "an array";
    case "boolean":
      return "true or false";
    default:
      return choices === undefined ? "a string" : `one of ${choices.join(", ")}`;
  }
}

function received(value: unknown): string {
  if (typeof value === "string" && /^\s*[[{]/.test(value)) {
    return "a string with JSON in it: send the JSON itself, without quotes around it";
  }
  return describe(value);
}

function place(path: Path): string {
  return path.length === 0 ? "the arguments" : path.map((part) => escapeToken(String(part))).join("/");
}
