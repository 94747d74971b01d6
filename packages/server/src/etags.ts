/** Entity tags: `"incarnation.version"`. They change exactly when the data does; a lock is not part of them. */

import { ContextError, type SharedContext } from "shared-context-manager";
import type { RequestHeaders } from "./exchange.ts";
import { HttpError } from "./problems.ts";

/** What a caller has read of a context. */
export interface Etag {
  readonly incarnation: number;
  readonly version: string;
}

/** `"any"` is `*`: whatever is there. */
export type Match = "any" | readonly Etag[];

export function etagOf({ incarnation = 0, version }: SharedContext): string {
  return `"${incarnation}.${version}"`;
}

export function isAt(context: SharedContext, { incarnation, version }: Etag): boolean {
  return context.incarnation === incarnation && context.version === version;
}

const EXPECTED = 'an ETag of this API such as "12.3", several with commas between them, or *';

/** What `If-Match` or `If-None-Match` says; `undefined` when it is not there. */
export function readMatch(headers: RequestHeaders, name: "if-match" | "if-none-match"): Match | undefined {
  const text = headers.get(name)?.trim();
  if (text === undefined) return undefined;
  return parseMatch(text, name === "if-none-match") ?? refuse(name, text);
}

/** The same in a body, where the quotes may be left out. */
export function parseMatch(text: string, allowsWeak = false): Match | undefined {
  if (text === "*") return "any";
  const tags = text.split(",").map((tag) => parseEtag(tag.trim(), allowsWeak));
  return tags.every((tag) => tag !== undefined) ? tags : undefined;
}

function parseEtag(text: string, allowsWeak: boolean): Etag | undefined {
  const [, weak, incarnation, version] = /^(W\/)?"(\d{1,16})\.(\d{1,16})"$/.exec(text) ?? [];
  if (incarnation === undefined || version === undefined || (weak !== undefined && !allowsWeak)) return undefined;
  return { incarnation: Number(incarnation), version };
}

function refuse(name: string, text: string): never {
  const received = text.length > 60 ? `${text.length} characters` : JSON.stringify(text);
  throw new ContextError("INVALID", { argument: name, path: "", expected: EXPECTED, received });
}

/** What a write must say: `If-Match`, or it is refused with 428. */
export function requireMatch(headers: RequestHeaders): Match {
  const match = readMatch(headers, "if-match");
  if (match !== undefined) return match;
  throw new HttpError(
    "PRECONDITION_REQUIRED",
    "this write needs the header If-Match: send the ETag that you have read, as it was given, or * to write on whatever is there",
    { header: "If-Match" },
  );
}
