/**
 * A request and its answer as the routes see them, whichever way they come: `web.ts` makes them of web-standard objects,
 * `node-http.ts` of what Node has. A `Request` and a `Response` of their own would cost more than most answers do.
 */

import type { Target } from "./target.ts";

/** As much of `Headers` as is read here; names are in lower case. */
export interface RequestHeaders {
  get(name: string): string | null;
}

export interface ApiRequest {
  readonly method: string;
  readonly target: Target;
  readonly headers: RequestHeaders;
  /** Aborts when the caller goes before it has its answer. */
  readonly signal: AbortSignal;
  /** Hands on the body as it comes; what `take` throws ends the reading. */
  read(take: (chunk: Uint8Array) => void): Promise<void>;
  /** For those who want a web-standard one. */
  toRequest(): Request;
}

export interface Reply {
  readonly status: number;
  /** By names in lower case. */
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array<ArrayBuffer> | Flow | null;
}

/** A body that comes bit by bit. */
export interface Flow {
  /** Writes it, and resolves when it is over. */
  pour(write: Write): Promise<void>;
  /** Nobody reads it any more; it may not have begun. */
  stop(): void;
}

/** @returns what to wait for before more is written; `undefined` where there is room. */
export type Write = (chunk: string | Uint8Array) => Promise<void> | undefined;

export function isFlow(body: Reply["body"]): body is Flow {
  return typeof body === "object" && body !== null && "pour" in body;
}
