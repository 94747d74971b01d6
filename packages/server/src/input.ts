/** What a request brings, checked: its body, its query, its headers. */

import { ContextError, type JsonValue } from "shared-context-manager";
import type { ApiRequest, RequestHeaders } from "./exchange.ts";
import { HttpError } from "./problems.ts";
import type { Route } from "./route.ts";
import type { Target } from "./target.ts";

/** A value that came as JSON. */
export type Fields = Readonly<Record<string, JsonValue | undefined>>;

export function invalid(argument: string, path: string, expected: string, received: unknown): ContextError<"INVALID"> {
  return invalidAs(argument, path, expected, briefly(received));
}

/** @param received - in words, where the value would not say it. */
function invalidAs(argument: string, path: string, expected: string, received: string): ContextError<"INVALID"> {
  return new ContextError("INVALID", { argument, path, expected, received });
}

/** A value in a few words: never much of what was sent. */
function briefly(value: unknown): string {
  if (value === undefined || value === null || typeof value === "boolean" || typeof value === "number") {
    return value === undefined ? "nothing" : String(value);
  }
  if (typeof value === "string") return value.length > 60 ? `${value.length} characters` : JSON.stringify(value);
  return Array.isArray(value) ? `an array of ${value.length}` : "an object";
}

/** Type and subtype, without parameters. */
export function mediaTypeOf({ headers }: ApiRequest): string {
  return (headers.get("content-type") ?? "").replace(/;.*/s, "").trim().toLowerCase();
}

/** The JSON in the body of a request that has found its route. `undefined` when there is none and none is needed. */
export async function readJson(
  request: ApiRequest,
  { body }: Route,
  maxBodyBytes: number,
): Promise<JsonValue | undefined> {
  if (Number(request.headers.get("content-length") ?? 0) > maxBodyBytes) throw tooLarge(maxBodyBytes);
  const chunks: Uint8Array[] = [];
  await request.read(upTo(maxBodyBytes, chunks));
  const text = textOf(chunks);
  if (text === "" && body?.optional === true) return undefined;
  const types = Object.keys(body?.content ?? {});
  const type = mediaTypeOf(request);
  if (!types.includes(type)) {
    throw new HttpError(
      "UNSUPPORTED_MEDIA_TYPE",
      `the body: expected the header Content-Type ${types.join(" or ")}; received ${type === "" ? "none" : type}`,
      { expected: types },
      { "accept-post": types.join(", "), "accept-patch": types.join(", ") },
    );
  }
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    throw invalid("body", "", `JSON (${(error as Error).message})`, text);
  }
}

/** Puts chunks there as long as they are not too many. */
function upTo(maxBodyBytes: number, chunks: Uint8Array[]): (chunk: Uint8Array) => void {
  let bytes = 0;
  return (chunk) => {
    bytes += chunk.byteLength;
    if (bytes > maxBodyBytes) throw tooLarge(maxBodyBytes);
    chunks.push(chunk);
  };
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

function textOf(chunks: readonly Uint8Array[]): string {
  const whole = joined(chunks);
  try {
    return UTF8.decode(whole);
  } catch {
    throw invalidAs("body", "", "UTF-8", `${whole.byteLength} bytes that are not`);
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [first] = chunks;
  if (first !== undefined && chunks.length === 1) return first;
  const whole = new Uint8Array(chunks.reduce((bytes, { byteLength }) => bytes + byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

function tooLarge(maxBodyBytes: number): HttpError {
  return new HttpError(
    "BODY_TOO_LARGE",
    `the body: at most ${maxBodyBytes} bytes are read; split the data over several contexts, or start the server with a larger --max-body`,
    { max_body_bytes: maxBodyBytes },
  );
}

/** @param known - the fields that there may be: any other is a mistake worth hearing of. */
export function readFields(body: JsonValue | undefined, known: readonly string[], path = ""): Fields {
  if (body === undefined) return {};
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw invalid("body", path, `an object with ${known.join(", ")}`, body);
  }
  for (const key of Object.keys(body)) {
    if (!known.includes(key)) throw invalid("body", `${path}/${key}`, `one of ${known.join(", ")}`, key);
  }
  return body as Fields;
}

export function readString(fields: Fields, key: string, path = ""): string {
  const value = fields[key];
  if (typeof value !== "string") throw invalid("body", `${path}/${key}`, "a string", value);
  return value;
}

export function readObject(fields: Fields, key: string, path = ""): Record<string, JsonValue> {
  const value = fields[key];
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid("body", `${path}/${key}`, "an object", value);
  }
  return value as Record<string, JsonValue>;
}

/** How long a lock lasts; `null` in a body is for ever. */
export function readTtl(fields: Fields): number {
  return fields["ttl_ms"] === null ? Infinity : readMs(fields, "ttl_ms", 1, TTL_MS);
}

const TTL_MS = 30_000;

/** A number of milliseconds in a body. */
export function readMs(fields: Fields, key: string, least: number, byDefault: number): number {
  const value = fields[key];
  if (value === undefined) return byDefault;
  if (typeof value !== "number" || !(value >= least && value <= MOST_MS)) {
    throw invalid("body", `/${key}`, `a number of milliseconds from ${least} to ${MOST_MS}`, value);
  }
  return value;
}

const MOST_MS = 7 * 24 * 3600 * 1000;

/** Refuses what the route does not know, so that a misspelt parameter is not passed over. */
export function checkQuery(target: Target, route: Route): void {
  if (target.search === "") return;
  checkEncoding(target.search);
  const known = (route.parameters ?? []).filter((parameter) => parameter.in === "query").map(({ name }) => name);
  if (route.path.includes("{id}")) known.push("context_id");
  const seen = new Set<string>();
  for (const name of target.searchParams.keys()) {
    if (!known.includes(name)) {
      const expected = known.length === 0 ? "no parameters" : `one of ${known.join(", ")}`;
      throw invalid("query", `/${name}`, expected, name);
    }
    if (seen.has(name)) throw invalidAs("query", `/${name}`, "it once", "it several times");
    seen.add(name);
  }
}

/** `URLSearchParams` would make other text of it, and so another id. */
function checkEncoding(search: string): void {
  try {
    decodeURIComponent(search);
  } catch {
    throw invalid("query", "", "percent-encoded UTF-8", search);
  }
}

export function queryNumber(target: Target, name: string, least: number, most: number): number | undefined {
  const text = target.searchParams.get(name);
  if (text === null) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw invalid("query", `/${name}`, `a whole number from ${least} to ${most}`, text);
}

export function queryFlag(target: Target, name: string): boolean {
  const text = target.searchParams.get(name);
  if (text === null || text === "false") return false;
  if (text === "true" || text === "") return true;
  throw invalid("query", `/${name}`, "true or false", text);
}

/** What a write says about itself: `?note=`. */
export function noteOf(target: Target): { note?: string } {
  const note = target.searchParams.get("note");
  return note === null ? {} : { note };
}

/** The fencing token that a write bears. */
export function readLockToken(headers: RequestHeaders): number | undefined {
  const text = headers.get("lock-token");
  if (text === null) return undefined;
  if (/^[1-9]\d{0,15}$/.test(text)) return Number(text);
  throw invalid("lock-token", "", "the token that taking the lock has given, a whole number", text);
}
