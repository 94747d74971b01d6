import type { Entry } from "./entry.ts";
import type { ErrorCode, ErrorDetails } from "./errors.ts";

/** A refusal as a value. Its details are those of the error it becomes, with an entry for the snapshot. */
export class Rejection<Code extends ErrorCode = ErrorCode> {
  readonly code: Code;
  readonly details: RejectionDetails[Code];

  constructor(code: Code, details: RejectionDetails[Code]) {
    this.code = code;
    this.details = details;
  }
}

export type RejectionDetails = {
  readonly [Code in ErrorCode]: Code extends "CONFLICT"
    ? Omit<ErrorDetails["CONFLICT"], "current"> & { readonly current: Entry }
    : ErrorDetails[Code];
};
