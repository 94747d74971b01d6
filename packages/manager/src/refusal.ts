/** Where a rejection becomes an error: at the edge, so that a stack begins with the method that was called. */

import { wrap } from "./context.ts";
import { ContextError, type ErrorCode, type ErrorDetails } from "./errors.ts";
import { Rejection } from "./rejection.ts";

/** What a rule left; throws what it refused. */
export function accepted<Result>(outcome: Result | Rejection): Result {
  if (outcome instanceof Rejection) throw new ContextError(outcome.code, detailsOf(outcome));
  return outcome;
}

function detailsOf({ details }: Rejection): ErrorDetails[ErrorCode] {
  return "writers" in details ? { ...details, current: wrap(details.current) } : details;
}
