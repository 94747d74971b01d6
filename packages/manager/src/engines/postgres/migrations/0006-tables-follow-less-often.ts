import { commitFunction } from "../functions/commit.ts";
import { foldFunctions } from "../functions/fold.ts";
import { readFunctions } from "../functions/read.ts";

/**
 * Commits ask for the tables to be brought up to date half as often. A process that still runs an older version of this
 * package goes on beside newer ones.
 *
 * @param schema - quoted.
 */
export function tablesFollowLessOften(schema: string): string {
  return `${readFunctions(schema)}${foldFunctions(schema)}${commitFunction(schema)}`;
}
