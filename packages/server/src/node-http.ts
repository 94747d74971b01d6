/** Requests and answers as `node:http` has them. */

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { type Duplex, Readable } from "node:stream";
import { type ApiRequest, type Flow, isFlow, type Reply, type RequestHeaders } from "./exchange.ts";
import type { Core } from "./handler.ts";
import { invalid } from "./input.ts";
import { PROBLEM_TYPE, problemAnswer } from "./problems.ts";

/** Answers one request; never rejects. */
export async function respond(
  core: Core,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  writeTimeoutMs: number,
): Promise<void> {
  try {
    const { status, headers, body } = await answerTo(core, incoming, outgoing);
    if (isFlow(body)) {
      // It ends with its connection, as readers of events expect: a chunk around each event would be four writes for one.
      outgoing.removeHeader("transfer-encoding");
      outgoing.writeHead(status, { ...headers, connection: "close" }).flushHeaders();
      await pour(body, outgoing, writeTimeoutMs);
    } else if (body !== null) {
      headers["content-length"] = String(Buffer.byteLength(body));
      outgoing.writeHead(status, headers).end(body);
    } else outgoing.writeHead(status, headers).end();
  } catch {
    // The connection broke, or the body of the answer did: either way the client sees it cut off.
    outgoing.destroy();
  }
}

async function answerTo(core: Core, incoming: IncomingMessage, outgoing: ServerResponse): Promise<Reply> {
  const { method = "", url: target = "", headers } = incoming;
  const { host = "" } = headers;
  const url = URL.parse(`http://${host}${target}`);
  // A target such as `http://elsewhere/` or `*` is for proxies.
  if (url === null || !target.startsWith("/") || /[/?#@\\]/.test(host)) {
    return problemAnswer(invalid("request", "", "a path that begins with / and a valid header Host", target));
  }
  if (method === "TRACE") return problemAnswer(invalid("request", "", "a method of this API", method));
  return core.answer(new NodeRequest(incoming, outgoing, url));
}

class NodeHeaders implements RequestHeaders {
  readonly #fields: IncomingHttpHeaders;

  constructor(fields: IncomingHttpHeaders) {
    this.#fields = fields;
  }

  get(name: string): string | null {
    const value = this.#fields[name];
    return typeof value === "string" ? value : null;
  }
}

class NodeRequest implements ApiRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: RequestHeaders;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  #signal: AbortSignal | undefined;

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, url: URL) {
    this.method = incoming.method ?? "";
    this.url = url;
    this.headers = new NodeHeaders(incoming.headers);
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  /** Made when somebody asks for it. */
  get signal(): AbortSignal {
    return (this.#signal ??= signalFor(this.#outgoing));
  }

  /** By its events: an iterator of Node's streams costs as much as a write to the store. */
  read(take: (chunk: Uint8Array) => void): Promise<void> {
    const incoming = this.#incoming;
    return new Promise((resolve, reject) => {
      incoming.on("data", (chunk: Uint8Array) => {
        try {
          take(chunk);
        } catch (error) {
          // It is not read to its end, and the answer that says why still has to go out.
          incoming.removeAllListeners("data").pause();
          reject(error as Error);
        }
      });
      incoming.once("end", resolve);
      incoming.once("error", reject);
    });
  }

  toRequest(): Request {
    const { method, url, signal } = this;
    const headers = new Headers();
    const { rawHeaders } = this.#incoming;
    for (let index = 0; index < rawHeaders.length; index += 2) {
      headers.append(rawHeaders[index] ?? "", rawHeaders[index + 1] ?? "");
    }
    if (method === "GET" || method === "HEAD") return new Request(url, { method, headers, signal });
    const body = Readable.toWeb(this.#incoming) as ReadableStream<Uint8Array>;
    return new Request(url, { method, headers, signal, body, duplex: "half" } as RequestInit);
  }
}

function signalFor(outgoing: ServerResponse): AbortSignal {
  const gone = new AbortController();
  const abort = (): void => gone.abort(new Error("the client has gone"));
  if (outgoing.destroyed) abort();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) abort();
  });
  return gone.signal;
}

async function pour(flow: Flow, outgoing: ServerResponse, writeTimeoutMs: number): Promise<void> {
  outgoing.once("close", () => flow.stop());
  if (outgoing.destroyed) flow.stop();
  await flow.pour((chunk) =>
    outgoing.write(chunk) || outgoing.destroyed ? undefined : drained(outgoing, writeTimeoutMs),
  );
  outgoing.end();
}

/** When the client has read what it was sent, or has gone; one that does not read holds a connection for nothing. */
function drained(outgoing: ServerResponse, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => outgoing.destroy(), timeoutMs);
    const settle = (): void => {
      clearTimeout(late);
      outgoing.off("drain", settle).off("close", settle);
      resolve();
    };
    outgoing.on("drain", settle).on("close", settle);
  });
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
