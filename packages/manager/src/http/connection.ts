/** Requests to a server: what is sent again, and what is known when there is no answer. */

import { invalid, isContextError } from "../errors.ts";
import { errorFrom, type Sent, undecided, withCause } from "./problems.ts";

export interface ConnectionOptions {
  /** Without a slash at its end. */
  readonly url: string;
  readonly token: string | undefined;
  /** Who acts where no agent does; `undefined` for nobody. */
  readonly agentId: string | undefined;
}

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Percent-encoded, with its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly agentId?: string | null;
  readonly body?: unknown;
  readonly contextIds?: readonly string[];
  /** What the change log calls a write, where its caller has a name for it. */
  readonly operationId?: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

const REQUEST_TIMEOUT_MS = 30_000;
/** The connection was not made, so nothing was sent. */
const UNSENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);
/** What a repeated request is refused with only if the first one was refused too. Any other may be because it landed. */
const CERTAIN = ["INVALID", "TOO_LARGE", "UNSUPPORTED"] as const;

export class Connection {
  readonly #options: ConnectionOptions;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** @throws ContextError */
  async send(call: Call): Promise<Answer> {
    const isWrite = call.method !== "GET";
    const operationId = call.operationId ?? newOperationId();
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const sent: Sent = { isWrite, contextIds: call.contextIds ?? [], operationId, body };
    const headers = this.#headers(call);
    if (isWrite) headers.set("idempotency-key", sent.operationId);
    let lost: unknown;
    for (let attempt = 1; ; attempt++) {
      let response: Response;
      let text: string;
      try {
        response = await this.#fetch(call, headers, AbortSignal.timeout(REQUEST_TIMEOUT_MS), body);
        text = await response.text();
      } catch (error) {
        const isUnsent = UNSENT.has(codeOf(error));
        if (!isUnsent) lost = error;
        // The server knows a write by its key, and if it has been restarted, its change log does.
        if (attempt === 1) continue;
        throw withCause(undecided(reasonOf(error), { ...sent, isWrite: isWrite && lost !== undefined }), error);
      }
      if (response.status < 400) return { status: response.status, text };
      const error = errorFrom(response.status, text, sent);
      const isDoubtful = isWrite && lost !== undefined && !CERTAIN.some((code) => isContextError(error, code));
      throw isDoubtful ? withCause(undecided(reasonOf(lost), sent), lost) : error;
    }
  }

  /** An answer as it comes, for event streams. @throws ContextError */
  async open(call: Call, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const sent: Sent = { isWrite: false, contextIds: [], operationId: "", body: undefined };
    let response: Response;
    try {
      response = await this.#fetch(call, this.#headers(call), signal);
    } catch (error) {
      throw withCause(undecided(reasonOf(error), sent), error);
    }
    if (response.status < 400 && response.body !== null) return response.body;
    throw errorFrom(response.status, await response.text().catch(() => ""), sent);
  }

  #fetch({ method, path }: Call, headers: Headers, signal: AbortSignal, body?: string): Promise<Response> {
    return fetch(`${this.#options.url}${path}`, {
      method,
      headers,
      signal,
      redirect: "error",
      ...(body === undefined ? {} : { body }),
    });
  }

  #headers({ headers = {}, agentId, body }: Call): Headers {
    const all = new Headers();
    const { token } = this.#options;
    const actor = agentId ?? this.#options.agentId;
    if (token !== undefined) all.set("authorization", `Bearer ${token}`);
    // Left out, it would be whoever the token is called: nobody has to be said.
    all.set("x-agent-id", actor === undefined ? "" : encoded("agentId", actor));
    if (body !== undefined) all.set("content-type", "application/json");
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) all.set(name, value);
    return all;
  }
}

/** The path of a context and of what is below it. What a URL would resolve away goes into the query. */
export function pathOf(contextId: string, below = "", query: Readonly<Record<string, string | null>> = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== null) parameters.set(name, value);
  const isDots = contextId === "." || contextId === "..";
  if (isDots) parameters.set("context_id", contextId);
  const search = parameters.toString();
  return `/v1/contexts/${isDots ? "" : encoded("contextId", contextId)}${below}${search === "" ? "" : `?${search}`}`;
}

/** Pages that are not served over HTTPS have no `crypto.randomUUID`. */
function newOperationId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function encoded(argument: "contextId" | "agentId", text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    throw invalid(argument, "", "well-formed text", "half of a surrogate pair");
  }
}

function codeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause as { readonly code?: unknown } | undefined) : undefined;
  return typeof cause?.code === "string" ? cause.code : "";
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== "" ? error.cause.message : error.message;
}
