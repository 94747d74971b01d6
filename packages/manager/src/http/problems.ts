/** Problem details (RFC 9457) back into the errors that they were. */

import { wrap } from "../context.ts";
import { isPlainObject } from "../data.ts";
import { ContextError, ERROR_CODES, type ErrorCode, invalid } from "../errors.ts";
import { entryFromBody } from "./bodies.ts";

/** What was sent, as far as errors tell it. */
export interface Sent {
  readonly isWrite: boolean;
  readonly contextIds: readonly string[];
  readonly operationId: string;
  /** The body, as JSON. */
  readonly body: string | undefined;
}

interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** The refusal in an answer. What comes from something between here and the server has no code of ours. */
export function errorFrom(status: number, text: string, sent: Sent): ContextError {
  const problem = problemIn(text);
  if (problem !== undefined) return errorOf(problem, sent);
  const reason = `what answers is no server of this kind: status ${status}`;
  if (status >= 500) return undecided(reason, sent);
  return new ContextError("UNSUPPORTED", {
    feature: "this URL",
    expected: "a shared-context-server",
    received: reason,
  });
}

/** The same for a problem inside an event stream. */
export function errorOf({ code, detail, details }: Problem, sent: Sent): ContextError {
  switch (code) {
    // This manager is open: it is the server that closes.
    case "CLOSED":
    case "RATE_LIMITED":
      return new ContextError("UNAVAILABLE", { reason: detail });
    case "UNAUTHORIZED":
      return invalid("token", "", "a token that the server knows", "none, or another one");
    case "FORBIDDEN": {
      const { needed, rights } = details;
      if (typeof needed !== "string") return invalid("token", "", "one that may do this", detail);
      return invalid("token", "", `one with ${needed} rights`, `one with ${String(rights)} rights`);
    }
    case "BODY_TOO_LARGE":
      return withCause(
        new ContextError("TOO_LARGE", {
          contextId: sent.contextIds[0] ?? "",
          bytes: new TextEncoder().encode(sent.body).byteLength,
          maxDataBytes: Number(details["max_body_bytes"] ?? 0),
        }),
        new Error(detail),
      );
    case "INTERNAL":
      return undecided(detail, sent);
    case "NO_ROUTE":
      return new ContextError("UNSUPPORTED", {
        feature: "this URL",
        expected: "http://host:port without a path, of a shared-context-server of the same version",
        received: "one with nothing at its path (NO_ROUTE)",
      });
    default:
      if (isErrorCode(code)) return new ContextError(code, revived(details));
      return new ContextError("UNSUPPORTED", {
        feature: "this call",
        expected: "a shared-context-server of the same version",
        received: `${code}: ${detail}`,
      });
  }
}

/** Nothing that was read is lost; what was written may have landed. */
export function undecided(reason: string, { isWrite, contextIds, operationId }: Sent): ContextError {
  if (!isWrite) return new ContextError("UNAVAILABLE", { reason });
  return withCause(new ContextError("INDETERMINATE", { contextIds, operationId }), new Error(reason));
}

export function withCause(error: ContextError, cause: unknown): ContextError {
  error.cause = cause;
  return error;
}

export function problemIn(text: string): Problem | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isPlainObject(body) || typeof body["code"] !== "string") return undefined;
  const details = isPlainObject(body["details"]) ? body["details"] : {};
  return { code: body["code"], detail: typeof body["detail"] === "string" ? body["detail"] : "", details };
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code);
}

function revived(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(details).map(([key, value]) => {
      if (key === "current" && value !== null) return [key, wrap(entryFromBody(value))];
      if (Array.isArray(value)) return [camelCase(key), value.map(renamed)];
      return [camelCase(key), isPlainObject(value) ? renamed(value) : valueOf(key, value)];
    }),
  );
}

/** Of a conflict, a writer or a holder the fields are renamed; the data in them stays as it is. */
function renamed(value: unknown): unknown {
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [camelCase(key), valueOf(key, inner)]));
}

function valueOf(key: string, value: unknown): unknown {
  const isTime = (key === "since" || key === "expires_at") && typeof value === "string";
  return isTime ? new Date(value) : value;
}

function camelCase(key: string): string {
  return key.replaceAll(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}
