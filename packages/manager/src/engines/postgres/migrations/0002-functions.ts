import { commitFunction } from "../functions/commit.ts";
import { readFunctions } from "../functions/read.ts";

/**
 * The functions, or better ones in the place of those that are there. They take and return what they always did, so that
 * a process that still runs an older version of this package goes on.
 *
 * @param schema - quoted.
 */
export function functions(schema: string): string {
  return readFunctions(schema) + commitFunction(schema);
}
