/// <reference types="node" />
/** Rows as arrays: the names of their columns take the driver as long as what is in them. */

import type { StatementSync } from "node:sqlite";

/** Before Node 22.16 there is no such choice, and `rowsOf` and `rowOf` make arrays of what comes. */
export function asArrays(...statements: readonly StatementSync[]): void {
  for (const statement of statements) statement.setReturnArrays?.(true);
}

export function rowsOf(found: readonly unknown[]): readonly (readonly unknown[])[] {
  return found.length === 0 || Array.isArray(found[0]) ? (found as unknown[][]) : found.map(valuesOf);
}

export function rowOf(found: unknown): readonly unknown[] | undefined {
  return found === undefined || Array.isArray(found) ? found : valuesOf(found);
}

function valuesOf(row: unknown): unknown[] {
  return Object.values(row as object);
}
