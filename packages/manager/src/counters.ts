import { ERROR_CODES, type ErrorCode } from "./errors.ts";

/** What a manager counts from its beginning. */
export class Counters {
  writes = 0;
  merges = 0;
  readonly #refusals = new Map<ErrorCode, number>();

  refuse(code: ErrorCode): void {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
  }

  get refusals(): Record<ErrorCode, number> {
    const codes = Object.keys(ERROR_CODES) as ErrorCode[];
    return Object.fromEntries(codes.map((code) => [code, this.#refusals.get(code) ?? 0])) as Record<ErrorCode, number>;
  }
}
