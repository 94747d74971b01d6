/** Requests and answers as `node:http` has them. */

import { Buffer } from "node:buffer";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type ApiRequest, type Flow, isFlow, type Reply, type RequestHeaders, type Write } from "./exchange.ts";
import type { Core } from "./handler.ts";
import { invalid } from "./input.ts";
import { PROBLEM_TYPE, problemAnswer } from "./problems.ts";
import { knownTarget, type Target } from "./target.ts";

/** Answers one request. */
export function respond(core: Core, incoming: IncomingMessage, outgoing: ServerResponse, writeTimeoutMs: number): void {
  answerTo(core, incoming, outgoing)
    .then((reply) => send(reply, incoming, outgoing, writeTimeoutMs))
    // The connection broke: the client sees the answer cut off.
    .catch(() => outgoing.destroy());
}

/** Connections on which a request is still coming that has its answer already. */
const answered = new WeakSet<Duplex>();

function noteUnread(incoming: IncomingMessage): void {
  const { socket } = incoming;
  answered.add(socket);
  incoming.once("end", () => answered.delete(socket));
}

function send(
  { status, headers, body }: Reply,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  writeTimeoutMs: number,
): void {
  if (!incoming.complete) noteUnread(incoming);
  if (isFlow(body)) {
    // It ends with its connection, as readers of events expect: a chunk around each event would be four writes for one.
    outgoing.removeHeader("transfer-encoding");
    outgoing.writeHead(status, { ...headers, connection: "close" }).flushHeaders();
    pour(body, outgoing, writeTimeoutMs);
    return;
  }
  if (body === null) {
    outgoing.writeHead(status, headers).end();
    return;
  }
  const bytes = Buffer.byteLength(body);
  headers["content-length"] = String(bytes);
  outgoing.writeHead(status, headers).end(body, encodingOf(body, bytes));
}

/** ASCII is the same in Latin-1, which is copied and not converted. */
function encodingOf(text: string | Uint8Array, bytes = Buffer.byteLength(text)): "latin1" | "utf8" {
  return bytes === text.length ? "latin1" : "utf8";
}

function answerTo(core: Core, incoming: IncomingMessage, outgoing: ServerResponse): Promise<Reply> {
  const { method = "", url: path = "", headers } = incoming;
  const known = knownTarget(headers.host ?? "", path);
  if (known === null) {
    const expected = "a path that begins with / and a valid header Host";
    return Promise.resolve(problemAnswer(invalid("request", "", expected, path)));
  }
  if (method === "TRACE") {
    return Promise.resolve(problemAnswer(invalid("request", "", "a method of this API", method)));
  }
  return core.answer(new NodeRequest(incoming, outgoing, known));
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
  readonly target: Target;
  readonly headers: RequestHeaders;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  #signal: AbortSignal | undefined;

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, target: Target) {
    this.method = incoming.method ?? "";
    this.target = target;
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
      const refuse = (error: Error): void => {
        // What still comes is dropped, until the request has taken too long: who is cut off while sending reads no answer.
        incoming.removeAllListeners("data").resume();
        reject(error);
      };
      incoming.on("data", (chunk: Uint8Array) => {
        try {
          take(chunk);
        } catch (error) {
          refuse(error as Error);
        }
      });
      incoming.on("end", resolve);
      incoming.on("error", reject);
    });
  }

  toRequest(): Request {
    const {
      method,
      signal,
      target: { url },
    } = this;
    const headers = new Headers();
    const { rawHeaders } = this.#incoming;
    for (let index = 0; index < rawHeaders.length; index += 2) {
      headers.append(rawHeaders[index] ?? "", rawHeaders[index + 1] ?? "");
    }
    if (method === "GET" || method === "HEAD") return new Request(url, { method, headers, signal });
    return new Request(url, { method, headers, signal, body: this.#stream(), duplex: "half" } as RequestInit);
  }

  /** Node's own would hold back what nobody reads, and break the connection when it is cancelled. */
  #stream(): ReadableStream<Uint8Array> {
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
      await this.read((chunk) => controller.enqueue(chunk)); // throws once it is cancelled
      controller.close();
    };
    return new ReadableStream({ pull }, { highWaterMark: 0 });
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

/** Nothing here waits: of a stream that is idle only what it cannot do without is kept. */
function pour(flow: Flow, outgoing: ServerResponse, writeTimeoutMs: number): void {
  outgoing.on("close", () => flow.stop());
  if (outgoing.destroyed) flow.stop();
  const write: Write = (chunk) => {
    outgoing.cork();
    const hasRoom = outgoing.write(chunk, encodingOf(chunk));
    outgoing.uncork();
    return hasRoom || outgoing.destroyed ? undefined : drained(outgoing, writeTimeoutMs);
  };
  flow.pour(write).then(
    () => outgoing.end(),
    () => outgoing.destroy(),
  );
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

export const MAX_HEADER_BYTES: number = 16 * 1024;

const MALFORMED: Readonly<Record<string, { status: string; code: string; detail: string }>> = {
  HPE_HEADER_OVERFLOW: {
    status: "431 Request Header Fields Too Large",
    code: "INVALID",
    detail: `the headers: at most ${MAX_HEADER_BYTES / 1024} KiB are read; send fewer or shorter ones`,
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: "408 Request Timeout",
    code: "TIMEOUT",
    detail: "the request did not arrive in time: send it in one go",
  },
};

/** What is no HTTP is told so, as far as the connection lets through. */
export function refuseMalformed(error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === "ECONNRESET" || answered.has(socket)) {
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
