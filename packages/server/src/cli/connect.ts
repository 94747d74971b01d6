/** A store or a server, spoken to in the same way: a store through the handler in this process. */

import { existsSync, mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { ContextError, openManager } from "shared-context-manager";
import { createHandler } from "../handler.ts";
import type { Problem } from "../problems.ts";
import { refusal, Refused } from "./output.ts";

export interface Target {
  /** A store URL, or that of a server. */
  readonly store: string;
  readonly token: string | undefined;
  readonly agentId: string | undefined;
}

export interface Sent {
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly type?: string;
  readonly signal?: AbortSignal;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export interface Connection {
  /** @throws Refused. */
  send(method: string, path: string, sent?: Sent): Promise<Answered>;
  /** The answer as it comes, for event streams. @throws Refused. */
  open(method: string, path: string, sent?: Sent): Promise<Response>;
  close(): Promise<void>;
}

const LOCAL = "http://localhost";

export function isServer(store: string): boolean {
  return /^https?:\/\//.test(store);
}

export async function connect(target: Target): Promise<Connection> {
  if (isServer(target.store)) {
    checkUrl(target.store);
    return connectionOver(
      (request) => reach(request, target.store),
      target.store,
      target,
      () => Promise.resolve(),
    );
  }
  const manager = await openManager(target.store);
  const handler = createHandler({ manager, requestsPerSecond: Infinity, sessionTtlMs: Infinity, limits: WIDE });
  return connectionOver(handler, LOCAL, { ...target, token: undefined }, async () => {
    handler.close();
    await manager.close();
  });
}

/** `fetch` would tell the password when it refuses it. @throws ContextError INVALID. */
function checkUrl(store: string): void {
  const url = URL.parse(store);
  if (url !== null && url.username === "" && url.password === "") return;
  throw new ContextError("INVALID", {
    argument: "url",
    path: "",
    expected: "http://host:port, or https://, without a password: that is the option token",
    received: url === null ? "something else" : "one with a name or a password",
  });
}

/** Nobody but whoever typed the command is kept busy by it. */
const WIDE = { maxBodyBytes: 1024 ** 3, maxWaitMs: 7 * 24 * 3600 * 1000 };

async function reach(request: Request, store: string): Promise<Response> {
  try {
    return await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    const { cause } = error as Error;
    const reason = cause instanceof Error ? cause.message : (error as Error).message;
    const detail = `no server answers at ${new URL(store).origin} (${reason}): start one with shared-context serve, or check --store`;
    throw refusal(new ContextError("UNAVAILABLE", { reason }), detail);
  }
}

function connectionOver(
  answer: (request: Request) => Promise<Response>,
  base: string,
  { token, agentId }: Target,
  close: () => Promise<void>,
): Connection {
  const root = base.replace(/\/+$/, "");
  const open: Connection["open"] = async (method, path, { headers = {}, query = {}, body, type, signal } = {}) => {
    const url = new URL(`${root}${path}`);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    const all = new Headers();
    if (token !== undefined) all.set("authorization", `Bearer ${token}`);
    if (agentId !== undefined) all.set("x-agent-id", encodeURIComponent(agentId));
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) all.set(name, value);
    if (body !== undefined) all.set("content-type", type ?? "application/json");
    const text = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await answer(new Request(url, { method, headers: all, signal: signal ?? null, ...text }));
    if (response.status >= 400) throw new Refused(await problemIn(response));
    return response;
  };
  return {
    open,
    close,
    async send(method, path, sent) {
      const response = await open(method, path, sent);
      const answered = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: answered === "" ? undefined : JSON.parse(answered),
      };
    },
  };
}

async function problemIn(response: Response): Promise<Problem> {
  const text = await response.text();
  try {
    const problem = JSON.parse(text) as Partial<Problem>;
    if (typeof problem.code === "string" && typeof problem.detail === "string") return problem as Problem;
  } catch {
    // Something between here and the server has answered.
  }
  const detail = `this is no server of this kind: it answered ${response.status}; check --store`;
  return {
    type: "about:blank",
    title: response.statusText,
    status: response.status,
    detail,
    code: "UNAVAILABLE",
    retryable: false,
    details: {},
  };
}

const FOLDER = ".shared-context";

/** The file of the nearest folder upwards that has one, else of this one. */
export function defaultStore(from: string): string {
  const folder = nearest(from, ["contexts.db"]);
  if (folder === undefined) mkdirSync(join(from, FOLDER), { recursive: true });
  return `sqlite:${join(folder ?? from, FOLDER, "contexts.db")}`;
}

/** Beside the store: of the nearest folder upwards that has either, else of this one. */
export function defaultTokens(from: string): string {
  return join(nearest(from, ["contexts.db", "tokens.json"]) ?? from, FOLDER, "tokens.json");
}

/** The folder upwards in which one of the files is. */
function nearest(from: string, names: readonly string[]): string | undefined {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    if (names.some((name) => existsSync(join(folder, FOLDER, name)))) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}
