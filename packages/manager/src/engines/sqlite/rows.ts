/// <reference types="node" />
/** Rows as arrays: the names of their columns take the driver as long as what is in them. */

import type { StatementSync } from "node:sqlite";

/** Before Node 22.16 there is no such choice, and `rowsOf` and `rowOf` make arrays of what comes. */
export function asArrays(...statements: readonly StatementSync[]): void {
  for (const statement of statements) statement.setReturnArrays?.(true);
}

export function rowsOf<Row>(found: readonly unknown[]): readonly Row[] {
  return found.length === 0 || Array.isArray(found[0]) ? (found as Row[]) : found.map((one) => rowOf<Row>(one) as Row);
}

export function rowOf<Row>(found: unknown): Row | undefined {
  return (found === undefined || Array.isArray(found) ? found : Object.values(found as object)) as Row | undefined;
}
