/** The page at `/`: files that the build has made, read once, and sent so that nothing else can run in them. */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { extname } from "node:path";
import type { ApiRequest, Reply } from "./exchange.ts";

interface File {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Scripts and styles of this server only, no inline ones, no other origin, and no text that becomes markup. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const SAFE = {
  "content-security-policy": POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** Beside this file in the package; in the sources, where the build puts them. */
const FOLDER = new URL(import.meta.url.endsWith(".ts") ? "../dist/inspector/" : "inspector/", import.meta.url);

let files: ReadonlyMap<string, File> | undefined;

/** Answers `/` and what the page loads; `undefined` for any other path, and for methods that are not for a page. */
export function inspector({ method, target: { pathname }, headers: asked }: ApiRequest): Reply | undefined {
  if (pathname !== "/" && !pathname.startsWith("/inspector/")) return undefined;
  if (method !== "GET" && method !== "HEAD") return undefined;
  files ??= readFiles();
  const file = files.get(pathname);
  if (file === undefined) return pathname === "/" ? notBuilt() : undefined;
  const headers = { ...SAFE, ...file.headers, etag: file.etag };
  if (isKnown(asked.get("if-none-match"), file.etag)) return { status: 304, headers, body: null };
  return { status: 200, headers, body: method === "HEAD" ? null : file.body };
}

function readFiles(): ReadonlyMap<string, File> {
  let names: string[];
  try {
    names = readdirSync(FOLDER);
  } catch {
    return new Map();
  }
  return new Map(names.map((name) => [name === "index.html" ? "/" : `/inspector/${name}`, readFile(name)]));
}

function readFile(name: string): File {
  const body = new Uint8Array(readFileSync(new URL(name, FOLDER)));
  // The name of a script or style sheet has a hash of its content: the page names the new one.
  const isNamedByContent = /\.(js|css)$/.test(name);
  return {
    body,
    etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`,
    headers: {
      "content-type": TYPES[extname(name)] ?? "application/octet-stream",
      "cache-control": isNamedByContent ? "public, max-age=31536000, immutable" : "no-cache",
    },
  };
}

/** `If-None-Match` compares weakly. */
function isKnown(header: string | null, etag: string): boolean {
  if (header === null) return false;
  return header.split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === etag);
}

function notBuilt(): Reply {
  const text = "The inspector is not built: run `npm run build`. The API is described at /openapi.json.\n";
  // Not kept: it may be built while the server runs.
  files = undefined;
  const headers = { ...SAFE, "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
  return { status: 404, headers, body: text };
}
