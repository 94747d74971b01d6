/** Requests to the own server. The token goes into a header, never into a URL, and is forgotten with the tab. */

import { apiPath } from "./place.ts";
import type { Operation } from "./difference.ts";
import {
  type BlameLine,
  type ContextBody,
  etagOf,
  type Identity,
  type Problem,
  type Stats,
  type Summary,
} from "./types.ts";

const STORED = "shared-context-token";

export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.name = "ApiError";
    this.problem = problem;
  }
}

export interface Sent {
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly type?: string;
  readonly signal?: AbortSignal;
}

export class Api {
  token: string | null = sessionStorage.getItem(STORED);
  /** How far the clock of the server is ahead of this one. */
  skewMs = 0;

  setToken(token: string | null): void {
    this.token = token;
    if (token === null) sessionStorage.removeItem(STORED);
    else sessionStorage.setItem(STORED, token);
  }

  async fetch(method: string, path: string, { headers = {}, body, type, signal }: Sent = {}): Promise<Response> {
    const all = new Headers(headers);
    // Without a token nobody is named: then the log says that it was this page.
    if (this.token === null && !all.has("x-agent-id")) all.set("x-agent-id", "inspector");
    if (this.token !== null) all.set("authorization", `Bearer ${this.token}`);
    if (body !== undefined) all.set("content-type", type ?? "application/json");
    const response = await fetch(path, {
      method,
      headers: all,
      cache: "no-store",
      signal: signal ?? AbortSignal.timeout(60_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const serverMs = Date.parse(response.headers.get("date") ?? "");
    const skewMs = serverMs - Date.now();
    // The header counts whole seconds.
    if (!Number.isNaN(skewMs)) this.skewMs = Math.abs(skewMs) < 2_000 ? 0 : skewMs;
    if (response.ok) return response;
    throw new ApiError(await problemOf(response));
  }

  async json<Body>(method: string, path: string, sent?: Sent): Promise<Body> {
    const response = await this.fetch(method, path, sent);
    return (response.status === 204 ? undefined : await response.json()) as Body;
  }

  get(contextId: string, signal?: AbortSignal): Promise<ContextBody> {
    return this.json("GET", apiPath(contextId), signal === undefined ? {} : { signal });
  }

  async history(contextId: string): Promise<ContextBody[]> {
    return (await this.json<{ versions: ContextBody[] }>("GET", apiPath(contextId, "/history"))).versions;
  }

  async blame(contextId: string): Promise<BlameLine[]> {
    return (await this.json<{ lines: BlameLine[] }>("GET", apiPath(contextId, "/blame"))).lines;
  }

  /** Every context without its data, page by page. */
  async list(signal: AbortSignal): Promise<Summary[]> {
    const all: Summary[] = [];
    for (let after: string | null = ""; after !== null;) {
      const path: string = `/v1/contexts?limit=1000${after === "" ? "" : `&after=${encodeURIComponent(after)}`}`;
      const page: { contexts: Summary[]; next: string | null } = await this.json("GET", path, { signal });
      all.push(...page.contexts);
      after = page.next;
    }
    return all;
  }

  /** Without its data; `undefined` when it is not among the first whose ids begin so. */
  async summary(contextId: string, signal: AbortSignal): Promise<Summary | undefined> {
    const path = `/v1/contexts?limit=100&prefix=${encodeURIComponent(contextId)}`;
    const { contexts } = await this.json<{ contexts: Summary[] }>("GET", path, { signal });
    return contexts.find((summary) => summary.context_id === contextId);
  }

  stats(signal?: AbortSignal): Promise<Stats> {
    return this.json("GET", "/v1/stats", signal === undefined ? {} : { signal });
  }

  identity(): Promise<Identity> {
    return this.json("GET", "/v1/identity");
  }

  /** Writes what was changed since `base` was read, as any agent would: a conflict comes by path. */
  patch(base: Summary, operations: readonly Operation[], note: string): Promise<ContextBody> {
    return this.json("PATCH", apiPath(base.context_id, "", { note }), {
      headers: { "if-match": etagOf(base) },
      type: "application/vnd.shared-context.operations+json",
      body: operations,
    });
  }

  restore(base: Summary, version: string, note: string): Promise<ContextBody> {
    const headers = { "if-match": etagOf(base) };
    return this.json("POST", apiPath(base.context_id, "/restore", { note }), { headers, body: { version } });
  }

  delete(base: Summary, note: string): Promise<void> {
    return this.json("DELETE", apiPath(base.context_id, "", { note }), { headers: { "if-match": etagOf(base) } });
  }

  forceUnlock(contextId: string, reason: string): Promise<void> {
    return this.json("DELETE", apiPath(contextId, "/lock", { force: "true", reason }));
  }
}

async function problemOf(response: Response): Promise<Problem> {
  const unknown = { code: "UNKNOWN", detail: `the server answered ${response.status}`, details: {} };
  try {
    return { ...unknown, ...((await response.json()) as Partial<Problem>), status: response.status };
  } catch {
    return { ...unknown, status: response.status };
  }
}
