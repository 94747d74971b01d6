/** A handler over a store in memory; every answer is checked against `/openapi.json`. */

import { type AsyncSharedContextManager, openManager, type OpenOptions } from "shared-context-manager";
import { createHandler, type Handler, type HandlerOptions } from "shared-context-server";
import { expect } from "vitest";

const URL_BASE = "http://localhost";

interface Operation {
  readonly responses: Readonly<Record<string, { readonly content?: object }>>;
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export interface Sent {
  readonly headers?: Record<string, string>;
  /** An object is sent as JSON, a string as it is. */
  readonly body?: unknown;
  readonly type?: string;
  readonly signal?: AbortSignal;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: any;
}

export interface Api {
  readonly manager: AsyncSharedContextManager;
  readonly handler: Handler;
  /** The errors that were no refusals. */
  readonly failures: unknown[];
  send(method: string, path: string, sent?: Sent): Promise<Reply>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function openApi(options: Partial<HandlerOptions> = {}, storeOptions: OpenOptions = {}): Promise<Api> {
  const manager = options.manager ?? (await openManager("memory:", storeOptions));
  const failures: unknown[] = [];
  const handler = createHandler({
    requestsPerSecond: Infinity,
    onError: (error) => failures.push(error),
    ...options,
    manager,
  });
  const description = (await (await handler(new Request(`${URL_BASE}/openapi.json`))).json()) as OpenApi;
  const close = async (): Promise<void> => {
    handler.close();
    await manager.close();
  };
  return {
    manager,
    handler,
    failures,
    close,
    [Symbol.asyncDispose]: close,
    async send(method, path, sent) {
      const response = await handler(requestOf(method, path, sent));
      checkDescribed(description, method, path, response);
      const text = await response.text();
      const isJson = /json/.test(response.headers.get("content-type") ?? "");
      return {
        status: response.status,
        headers: response.headers,
        body: isJson && text !== "" ? JSON.parse(text) : text,
      };
    },
  };
}

export function requestOf(method: string, path: string, { headers = {}, body, type, signal }: Sent = {}): Request {
  const all = new Headers(headers);
  if (body !== undefined && !all.has("content-type")) all.set("content-type", type ?? "application/json");
  return new Request(`${URL_BASE}${path}`, {
    method,
    headers: all,
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** What a route answers, `/openapi.json` must say. */
function checkDescribed({ paths }: OpenApi, method: string, path: string, response: Response): void {
  const { pathname } = new URL(path, URL_BASE);
  const segments = pathname.split("/");
  const template = Object.keys(paths).find((candidate) => {
    const parts = candidate.split("/");
    return parts.length === segments.length && parts.every((part, at) => part === "{id}" || part === segments[at]);
  });
  const operation = template === undefined ? undefined : paths[template]?.[method.toLowerCase()];
  if (operation === undefined) return;
  const answer = operation.responses[String(response.status)];
  expect(answer, `${method} ${String(template)} answers ${response.status}, which is not described`).toBeDefined();
  const type = (response.headers.get("content-type") ?? "").replace(/;.*/, "");
  if (type !== "") expect(Object.keys(answer?.content ?? {}), `${method} ${String(template)}`).toContain(type);
}

/** `W/"..."` and all that aside: the tag of what was read. */
export function etagIn({ headers }: Reply): string {
  return headers.get("etag") ?? expect.fail("no ETag");
}
