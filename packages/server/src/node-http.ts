/** Web-standard requests and responses over `node:http`. */

import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { Readable } from "node:stream";
import { invalid } from "./input.ts";
import { lightRequest } from "./light-request.ts";
import { PROBLEM_TYPE, problemAnswer } from "./problems.ts";
import { TextResponse } from "./text-response.ts";

export type Fetch = (request: Request) => Promise<Response>;

/** Answers one request; never rejects. */
export async function respond(
  handle: Fetch,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  writeTimeoutMs: number,
): Promise<void> {
  try {
    const request = requestFrom(incoming, outgoing);
    await send(request instanceof Response ? request : await handle(request), outgoing, writeTimeoutMs);
  } catch {
    // The connection broke, or the body of the answer did: either way the client sees it cut off.
    outgoing.destroy();
  }
}

/** Aborts when the client goes before it has its answer. */
function signalFor(outgoing: ServerResponse): AbortSignal {
  const gone = new AbortController();
  const abort = (): void => gone.abort(new Error("the client has gone"));
  if (outgoing.destroyed) abort();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) abort();
  });
  return gone.signal;
}

function isBodiless(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

/** The request, or the answer to one that is none. */
function requestFrom(incoming: IncomingMessage, outgoing: ServerResponse): Request | Response {
  const {
    method = "GET",
    url: target = "",
    headers: { host = "" },
  } = incoming;
  const url = URL.parse(`http://${host}${target}`);
  // A target such as `http://elsewhere/` or `*` is for proxies.
  if (url === null || !target.startsWith("/") || /[/?#@\\]/.test(host)) {
    return problemAnswer(invalid("request", "", "a path that begins with / and a valid header Host", target));
  }
  if (target.startsWith("/v1/") && method !== "TRACE") {
    // A body that is too large is not read to its end, and the answer that says so still has to go out.
    const body = isBodiless(method) ? null : incoming.iterator({ destroyOnReturn: false });
    return lightRequest({ method, url, body, fields: incoming.headers, signal: () => signalFor(outgoing) });
  }
  const signal = signalFor(outgoing);
  const headers = new Headers();
  const { rawHeaders } = incoming;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    headers.append(rawHeaders[index] ?? "", rawHeaders[index + 1] ?? "");
  }
  if (isBodiless(method)) return new Request(url, { method, headers, signal });
  if (method === "TRACE" || method === "CONNECT") {
    return problemAnswer(invalid("request", "", "a method of this API", method));
  }
  const body = Readable.toWeb(incoming) as ReadableStream<Uint8Array>;
  return new Request(url, { method, headers, signal, body, duplex: "half" } as RequestInit);
}

async function send(response: Response, outgoing: ServerResponse, writeTimeoutMs: number): Promise<void> {
  if (response instanceof TextResponse) {
    const { status, headers, text } = response as TextResponse;
    outgoing.writeHead(status, headers.fields).end(text);
    return;
  }
  const { status, headers, body } = response;
  outgoing.writeHead(status, Object.fromEntries(headers));
  if (body === null) {
    outgoing.end();
    return;
  }
  if (headers.get("content-type") !== "text/event-stream") {
    outgoing.end(new Uint8Array(await response.arrayBuffer()));
    return;
  }
  const signal = signalFor(outgoing);
  const reader = body.getReader();
  const cancel = (): void => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", cancel);
  outgoing.flushHeaders();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (outgoing.write(value)) continue;
    // A client that does not read holds a connection for nothing.
    await once(outgoing, "drain", { signal: AbortSignal.any([signal, AbortSignal.timeout(writeTimeoutMs)]) });
  }
  signal.removeEventListener("abort", cancel);
  outgoing.end();
}

const MALFORMED: Readonly<Record<string, { status: string; code: string; detail: string }>> = {
  HPE_HEADER_OVERFLOW: {
    status: "431 Request Header Fields Too Large",
    code: "INVALID",
    detail: "the headers are larger than the server reads",
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: "408 Request Timeout",
    code: "TIMEOUT",
    detail: "the request did not arrive in time: send it in one go",
  },
};

/** What is no HTTP is told so, as far as the connection lets through. */
export function refuseMalformed(error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const { status, code, detail } = MALFORMED[error.code ?? ""] ?? {
    status: "400 Bad Request",
    code: "INVALID",
    detail: "this is not HTTP/1.1",
  };
  const [number = "400", ...words] = status.split(" ");
  const type = `/openapi.json#/x-error-codes/${code}`;
  const title = words.join(" ");
  const body = JSON.stringify({ type, title, status: Number(number), detail, code, retryable: false, details: {} });
  const head = `HTTP/1.1 ${status}\r\ncontent-type: ${PROBLEM_TYPE}\r\ncontent-length: ${body.length}\r\nconnection: close`;
  socket.end(`${head}\r\n\r\n${body}`);
}
