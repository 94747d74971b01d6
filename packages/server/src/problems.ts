/** Refusals as RFC 9457 problem details: the codes of the library, and those that only HTTP has. */

import { formatTime } from "shared-context-manager/serving";
import {
  type AnyContextError,
  ERROR_CODES,
  type ErrorCode,
  isContextError,
  SharedContext,
} from "shared-context-manager";
import { contextFields } from "./bodies.ts";
import type { Reply } from "./exchange.ts";

interface HttpCodeEntry {
  readonly meaning: string;
  readonly retryable: boolean;
  readonly httpStatus: number;
}

export type HttpCode =
  | "UNAUTHORIZED"
  | "FORBIDDEN"
  | "NO_ROUTE"
  | "METHOD_NOT_ALLOWED"
  | "BODY_TOO_LARGE"
  | "UNSUPPORTED_MEDIA_TYPE"
  | "KEY_REUSED"
  | "PRECONDITION_REQUIRED"
  | "RATE_LIMITED"
  | "INTERNAL";

/** What HTTP refuses before a manager is asked. */
const HTTP_CODES: Readonly<Record<HttpCode, HttpCodeEntry>> = {
  UNAUTHORIZED: { meaning: "No token, or one that is not known.", retryable: false, httpStatus: 401 },
  FORBIDDEN: { meaning: "The token, the host or the origin does not allow this.", retryable: false, httpStatus: 403 },
  NO_ROUTE: { meaning: "There is nothing at this path.", retryable: false, httpStatus: 404 },
  METHOD_NOT_ALLOWED: { meaning: "The path does not take this method.", retryable: false, httpStatus: 405 },
  BODY_TOO_LARGE: { meaning: "The body is larger than the server reads.", retryable: false, httpStatus: 413 },
  UNSUPPORTED_MEDIA_TYPE: {
    meaning: "The body is of a type that is not read here.",
    retryable: false,
    httpStatus: 415,
  },
  KEY_REUSED: {
    meaning: "The Idempotency-Key was used for another request.",
    retryable: false,
    httpStatus: 422,
  },
  PRECONDITION_REQUIRED: { meaning: "The write does not say what it has read.", retryable: false, httpStatus: 428 },
  RATE_LIMITED: { meaning: "Too many requests with this token.", retryable: true, httpStatus: 429 },
  INTERNAL: { meaning: "The server has failed; its log has the reason.", retryable: false, httpStatus: 500 },
};

/** Every code that an answer may carry. */
export const ALL_CODES: Readonly<Record<string, HttpCodeEntry>> = { ...ERROR_CODES, ...HTTP_CODES };

/** A refusal of HTTP itself, or of the library where a server has more to say of it. */
export class HttpError extends Error {
  readonly code: HttpCode | ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: HttpCode | ErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = "HttpError";
    this.code = code;
    this.details = details;
    this.headers = headers;
  }
}

/** For those who wait and those who come: nothing has been done for them, and whoever follows can do it. */
export function stopping(): HttpError {
  const reason = "the server is about to stop";
  return new HttpError(
    "UNAVAILABLE",
    `${reason}, and has done nothing for this request: send it again in a moment, to the server that comes next`,
    { reason },
    { "retry-after": "1" },
  );
}

/** What a problem answer holds. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode | HttpCode;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;
}

export const PROBLEM_TYPE = "application/problem+json";

/** @param error - what is no refusal becomes INTERNAL, and tells nothing of itself. */
export function problemOf(error: unknown): Problem {
  if (isContextError(error)) return problem(error.code, error.message, detailsOf(error));
  if (error instanceof HttpError) return problem(error.code, error.message, error.details);
  return problem(
    "INTERNAL",
    "the server has failed: its log has the reason; what was asked for may have been done",
    {},
  );
}

export function problemAnswer(error: unknown): Reply {
  const body = problemOf(error);
  const own = error instanceof HttpError ? error.headers : {};
  const headers: Record<string, string> = { "content-type": PROBLEM_TYPE, "cache-control": "no-store", ...own };
  if (isContextError(error, "CONFLICT")) {
    const { incarnation, version } = error.details.current;
    headers["etag"] = `"${incarnation ?? 0}.${version}"`;
  }
  return { status: body.status, headers, body: JSON.stringify(body) };
}

function problem(code: ErrorCode | HttpCode, detail: string, details: Readonly<Record<string, unknown>>): Problem {
  const { meaning, retryable, httpStatus } = ALL_CODES[code] as HttpCodeEntry;
  const type = `/openapi.json#/x-error-codes/${code}`;
  return { type, title: meaning, status: httpStatus, detail, code, retryable, details };
}

/** The details as JSON has them: snake_case, times as text, snapshots as the API shows them. */
function detailsOf({ details }: AnyContextError): Record<string, unknown> {
  return Object.fromEntries(Object.entries(details).map(([key, value]) => [snakeCase(key), plain(value)]));
}

function plain(value: unknown): unknown {
  if (value instanceof SharedContext) return contextFields(value as SharedContext);
  if (value instanceof Date) return formatTime(value.getTime());
  if (Array.isArray(value)) return value.map(plainFields);
  return typeof value === "object" && value !== null ? plainFields(value) : value;
}

/** Of a conflict or a writer the fields are renamed, and the data in them is left as it is. */
function plainFields(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      snakeCase(key),
      inner instanceof Date ? formatTime(inner.getTime()) : inner,
    ]),
  );
}

function snakeCase(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
