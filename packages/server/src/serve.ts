/** The API on a port of this machine. */

import { once } from "node:events";
import { createServer, type Server as NodeServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { createCore, type HandlerOptions } from "./handler.ts";
import { invalid } from "./input.ts";
import { MAX_HEADER_BYTES, refuseMalformed, respond } from "./node-http.ts";
import { LOOPBACK } from "./origins.ts";

/** Where and how to serve. */
export interface ServeOptions extends HandlerOptions {
  /** The address to listen on: `127.0.0.1` by default. Any that others can reach needs `tokens`. */
  readonly host?: string;
  /** 0 picks a free one; 7411 by default. */
  readonly port?: number;
  /** How many connections there may be: 10,000 by default. */
  readonly maxConnections?: number;
  /** How long a request may take to arrive: 30 seconds by default. */
  readonly requestTimeoutMs?: number;
  /** How long a client may leave unread what it is sent: 30 seconds by default. */
  readonly writeTimeoutMs?: number;
  /** How long `close` waits for what is being answered: 5 seconds by default. */
  readonly graceMs?: number;
}

/** A server that listens. */
export interface Server {
  readonly url: string;
  readonly port: number;
  /** Takes no more requests and answers those that are there. The manager stays open. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export const DEFAULT_PORT = 7411;

/** @throws ContextError INVALID for an address that others can reach, without tokens; Error when the port is taken. */
export async function serve(options: ServeOptions): Promise<Server> {
  const { host = "127.0.0.1", port = DEFAULT_PORT, maxConnections = 10_000 } = options;
  const { requestTimeoutMs = 30_000, writeTimeoutMs = 30_000, graceMs = 5_000 } = options;
  if (!isLoopback(host) && options.tokens === undefined) {
    throw invalid("options", "/host", "127.0.0.1, or tokens: others can reach this address", host);
  }
  const core = createCore({ ...options, hosts: [...hostsFor(host), ...(options.hosts ?? [])] });
  const silent = new Set<Socket>();
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: Math.min(10_000, requestTimeoutMs),
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: 10_000,
      connectionsCheckingInterval: Math.min(1_000, requestTimeoutMs),
    },
    (incoming, outgoing) => {
      silent.delete(incoming.socket);
      respond(core, incoming, outgoing, writeTimeoutMs);
    },
  );
  server.maxConnections = maxConnections;
  server.on("clientError", refuseMalformed);
  server.on("connection", (socket: Socket) => {
    silent.add(socket);
    socket.once("close", () => silent.delete(socket));
  });
  server.listen(port, host);
  await once(server, "listening");
  const bound = (server.address() as AddressInfo).port;
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= closeGently(server, silent, () => core.close(), graceMs));
  return {
    url: `http://${urlHost(host)}:${bound}`,
    port: bound,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** @param silent - connections that have never asked for anything: nobody waits for an answer on them. */
async function closeGently(
  server: NodeServer,
  silent: ReadonlySet<Socket>,
  closeHandler: () => void,
  graceMs: number,
): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  closeHandler();
  server.closeIdleConnections();
  for (const socket of silent) socket.destroy();
  const idle = setInterval(() => server.closeIdleConnections(), 20);
  const late = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(idle);
  clearTimeout(late);
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Under which names a server on this address is reached. */
function hostsFor(host: string): string[] {
  if (host !== "0.0.0.0" && host !== "::") return [...new Set([...LOOPBACK, bracketed(host)])];
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return [...LOOPBACK, hostname().toLowerCase(), ...addresses.map(({ address }) => bracketed(address))];
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host.toLowerCase();
}

function urlHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "[::1]" : bracketed(host);
}
