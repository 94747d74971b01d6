/**
 * What the data of a context must look like. Standard Schema (https://standardschema.dev) is the interface that
 * zod, valibot, ArkType and others share; this is the part of it that is needed here.
 */

import { escapeToken } from "./pointer.ts";
import { isStrayPromise } from "./promise.ts";

/** A validator of any library that keeps to Standard Schema. */
export interface StandardSchema<Output = unknown> {
  /** What makes a value a schema; see https://standardschema.dev. Only `validate` is used. */
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a schema says against data. */
export interface DataIssue {
  /** JSON Pointer (RFC 6901) to the part that is wrong; `""` is the data itself. */
  readonly path: string;
  /** What is wrong, in the words of the schema. */
  readonly message: string;
}

/** One schema for every context, or the schema of each by its id; `undefined` for any data. */
export type SchemaOption<Output> = StandardSchema<Output> | ((contextId: string) => StandardSchema<Output> | undefined);

export function isSchema(value: unknown): value is StandardSchema {
  // ArkType's schemas are functions.
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const standard = (value as Partial<StandardSchema>)["~standard"];
  return typeof standard?.validate === "function";
}

/** What a schema makes of data, or what it says against it, or what it answers instead. */
export function validate(
  schema: StandardSchema,
  data: object,
): { value: unknown } | { issues: DataIssue[] } | { instead: unknown } {
  const result: unknown = schema["~standard"].validate(data);
  if (typeof result !== "object" || result === null) return { instead: result };
  if (isStrayPromise(result)) return { instead: result };
  const { issues } = result as Partial<SchemaResult<unknown>>;
  if (issues === undefined) return "value" in result ? { value: result.value } : { instead: result };
  if (!Array.isArray(issues)) return { instead: result };
  return { issues: (issues as SchemaIssue[]).map(({ message, path = [] }) => ({ path: pointerTo(path), message })) };
}

function pointerTo(path: NonNullable<SchemaIssue["path"]>): string {
  return path.map((part) => `/${escapeToken(String(typeof part === "object" ? part.key : part))}`).join("");
}
