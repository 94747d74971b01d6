/** Hosts and origins: a page of somebody else must not reach a server on this machine (DNS rebinding). */

import type { Reply, RequestHeaders } from "./exchange.ts";
import { HttpError } from "./problems.ts";
import type { Target } from "./target.ts";

export const LOOPBACK: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

export interface OriginRules {
  /** Host names, without ports. */
  readonly hosts: readonly string[];
  /** Origins of other hosts that may send requests from a browser, such as `https://example.com`. */
  readonly origins: readonly string[];
}

/** @throws HttpError FORBIDDEN. @returns the headers that allow a named origin to read the answer. */
export function checkOrigin(
  { hostname, url }: Target,
  headers: RequestHeaders,
  { hosts, origins }: OriginRules,
): Record<string, string> {
  if (!hosts.includes(hostname)) {
    throw new HttpError(
      "FORBIDDEN",
      `the header Host: expected one of ${hosts.join(", ")}; received ${hostname.slice(0, 100)}; name it with --allow-host`,
      { host: hostname.slice(0, 100) },
    );
  }
  const origin = headers.get("origin");
  if (origin === null) return {};
  if (origins.includes(origin)) return { "access-control-allow-origin": origin, vary: "origin", ...EXPOSED };
  if (isOwn(origin, url)) return {};
  throw new HttpError(
    "FORBIDDEN",
    `the header Origin: pages of ${origin.slice(0, 100)} may not use this server; name it with --allow-origin`,
    { origin: origin.slice(0, 100) },
  );
}

const EXPOSED = { "access-control-expose-headers": "etag, link, location, lock-token, mcp-session-id, retry-after" };

/** The same host and port: a page that this server itself has sent. */
function isOwn(origin: string, url: URL): boolean {
  return URL.canParse(origin) && new URL(origin).host === url.host;
}

/** What a browser asks before it sends a request of a named origin. */
export function preflight(methods: readonly string[], cors: Record<string, string>): Reply {
  return {
    status: 204,
    body: null,
    headers: {
      ...cors,
      allow: [...methods, "OPTIONS"].join(", "),
      ...(Object.keys(cors).length === 0
        ? {}
        : {
            "access-control-allow-methods": methods.join(", "),
            "access-control-allow-headers":
              "authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, lock-token, mcp-method, mcp-name, mcp-protocol-version, mcp-session-id, x-agent-id",
            "access-control-max-age": "600",
          }),
    },
  };
}
