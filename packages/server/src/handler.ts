/** The API as one function from a web-standard request to a response. */

import { type AsyncSharedContextManager, ContextError, isContextError, type JsonObject } from "shared-context-manager";
import { RemoteAgent } from "shared-context-manager/serving";
import { baseOf, ConflictLog } from "./conflict-log.ts";
import { Idempotency } from "./idempotency.ts";
import { agentIdOf, checkRight, identify } from "./identity.ts";
import { checkQuery, mediaTypeOf, readJson } from "./input.ts";
import { inspector } from "./inspector.ts";
import { urlOf } from "./light-request.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { LockWaits } from "./lock-waits.ts";
import { Matcher, type Matched } from "./matching.ts";
import { MCP_METHODS, MCP_PATH, McpMount } from "./mcp/mount.ts";
import { Metrics } from "./metrics.ts";
import { notedManager } from "./noted-manager.ts";
import { isWrite, openApiOf } from "./openapi.ts";
import { OperationLog } from "./operation-log.ts";
import { checkOrigin, LOOPBACK, preflight } from "./origins.ts";
import { problemAnswer } from "./problems.ts";
import { RateLimit } from "./rate.ts";
import { replayed } from "./replay.ts";
import { allows, type Identity, type Right } from "./rights.ts";
import type { Call } from "./route.ts";
import { ROUTES } from "./routes.ts";
import type { Services } from "./services.ts";
import { Sessions } from "./sessions.ts";
import { complete } from "./text-response.ts";
import type { Tokens } from "./tokens.ts";
import { VERSION } from "./version.ts";

/** How to answer; all but the manager have defaults that are safe on one's own machine. */
export interface HandlerOptions {
  readonly manager: AsyncSharedContextManager;
  /** Whose requests are answered; without them everybody's, with all rights. */
  readonly tokens?: Tokens;
  /** The names under which the server is reached, without ports: those of the own machine by default. */
  readonly hosts?: readonly string[];
  /** Origins of other sites whose pages may use the server: none by default. */
  readonly origins?: readonly string[];
  readonly limits?: Partial<Limits>;
  /** How many requests a second each token may send: 2,000 by default. */
  readonly requestsPerSecond?: number;
  /** After how long without a request an agent that holds a lock is closed: 10 minutes by default. */
  readonly sessionTtlMs?: number;
  /** How often an event stream without events says that it is there: every 15 seconds by default. */
  readonly heartbeatMs?: number;
  /** Hears of what has failed and is no refusal. */
  readonly onError?: (error: unknown) => void;
}

/** Answers requests. */
export interface Handler {
  (request: Request): Promise<Response>;
  /** Ends what waits and watches, and answers CLOSED from now on. The manager stays open. */
  close(): void;
}

export function createHandler(options: HandlerOptions): Handler {
  const handle = createCore(options);
  return Object.assign(async (request: Request) => complete(await handle(request)), { close: () => handle.close() });
}

/** The handler for a server that sends the text of a response as it is. */
export function createCore(options: HandlerOptions): Handler {
  const { manager, tokens, hosts = LOOPBACK, origins = [], onError = () => undefined } = options;
  const { requestsPerSecond = 2_000, sessionTtlMs = 600_000, heartbeatMs = 15_000 } = options;
  const closing = new AbortController();
  const services: Services = {
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    metrics: new Metrics(),
    sessions: new Sessions(manager, sessionTtlMs, onError),
    conflicts: new ConflictLog(),
    lockWaits: new LockWaits(),
    closing: closing.signal,
    heartbeatMs,
    openApi: JSON.stringify(openApiOf(ROUTES, VERSION)),
  };
  const matcher = new Matcher(ROUTES);
  const rate = new RateLimit(requestsPerSecond);
  const idempotency = new Idempotency(new OperationLog(manager));
  const mcp = new McpMount(notedManager(manager, services.conflicts), {
    maxBodyBytes: services.limits.maxBodyBytes,
    onError,
  });

  async function answer(
    request: Request,
    url: URL,
    { route, contextId }: Matched,
    identity: Identity,
  ): Promise<Response> {
    const agentId = agentIdOf(request.headers, identity);
    checkQuery(url, route);
    const body = route.body && (await readJson(request, route, services.limits.maxBodyBytes));
    const parts = { manager, services, request, url, body, identity, agentId, contextId };
    services.sessions.enter(agentId);
    try {
      const key = isWrite(route) ? request.headers.get("idempotency-key") : null;
      if (key === null) return await route.handle(new Received(parts, undefined));
      const conditions = ["if-match", "if-none-match", "lock-token"].map((name) => request.headers.get(name));
      const { pathname, search } = url;
      return await idempotency.once({
        who: identity.name,
        key,
        request: [request.method, pathname, search, mediaTypeOf(request), agentId, conditions, body ?? null],
        isGuarded: isGuarded(request),
        run: async (operationId) => route.handle(new Received(parts, operationId)),
        replay: (changes) => replayed(route, new Received(parts, undefined), changes),
      });
    } catch (error) {
      void noteConflict(parts, error);
      throw error;
    } finally {
      services.sessions.leave(agentId);
    }
  }

  async function answerMcp(request: Request): Promise<Response> {
    closing.signal.throwIfAborted();
    const identity = identifyFor("read", request);
    const agentId = agentIdOf(request.headers, identity) ?? identity.name;
    services.sessions.enter(agentId);
    try {
      return await mcp.answer(request, { agentId, readOnly: !allows(identity, "write") });
    } finally {
      services.sessions.leave(agentId);
    }
  }

  async function answerRoute(request: Request, url: URL, matched: Matched): Promise<Response> {
    const { right } = matched.route;
    if (right !== null) closing.signal.throwIfAborted();
    return answer(request, url, matched, identifyFor(right, request));
  }

  async function handle(request: Request): Promise<Response> {
    const startMs = performance.now();
    let operationId = "none";
    let cors: Record<string, string> = {};
    let response: Response;
    try {
      const url = urlOf(request);
      cors = checkOrigin(url, request.headers, { hosts, origins });
      const isMcp = url.pathname === MCP_PATH;
      if (request.method === "OPTIONS") return preflight(isMcp ? MCP_METHODS : matcher.methodsOf(url), cors);
      const page = inspector(request);
      if (page !== undefined) return page;
      if (isMcp) {
        operationId = "mcp";
        response = await answerMcp(request);
      } else {
        const matched = matcher.match(request.method, url);
        ({ operationId } = matched.route);
        response = await answerRoute(request, url, matched);
      }
    } catch (error) {
      response = problemAnswer(error);
      if (response.status === 500 && !request.signal.aborted) onError(error);
    }
    for (const [name, value] of Object.entries({ ...cors, "x-content-type-options": "nosniff" })) {
      response.headers.set(name, value);
    }
    services.metrics.observe(operationId, response.status, performance.now() - startMs);
    return request.method === "HEAD" ? withoutBody(response) : response;
  }

  function identifyFor(right: Right | null, request: Request): Identity {
    if (right === null) return NOBODY;
    const identity = identify(request.headers, tokens);
    rate.take(identity.name);
    checkRight(identity, right);
    return identity;
  }

  return Object.assign(handle, {
    close(): void {
      closing.abort(new ContextError("CLOSED", {}));
      services.sessions.close();
      mcp.close().catch(onError);
    },
  });
}

/** What a call is made of. */
type Parts = Omit<Call, "agent" | "operationId" | "signal">;

/** A getter in an object literal would be a shape of its own for each request, which costs as much as all the rest. */
class Received implements Call {
  readonly manager: Call["manager"];
  readonly services: Services;
  readonly request: Request;
  readonly url: URL;
  readonly body: Call["body"];
  readonly identity: Identity;
  readonly agentId: string | null;
  readonly contextId: string;
  readonly operationId: string | undefined;

  constructor(parts: Parts, operationId: string | undefined) {
    this.manager = parts.manager;
    this.services = parts.services;
    this.request = parts.request;
    this.url = parts.url;
    this.body = parts.body;
    this.identity = parts.identity;
    this.agentId = parts.agentId;
    this.contextId = parts.contextId;
    this.operationId = operationId;
  }

  agent(token?: number): RemoteAgent {
    const { agentId, operationId } = this;
    return new RemoteAgent(this.manager, { agentId, token, operationId });
  }

  /** Made only by those who wait: most do not. */
  get signal(): AbortSignal {
    return AbortSignal.any([this.request.signal, this.services.closing]);
  }
}

/** Nobody's answer waits for it. */
async function noteConflict({ manager, services, agentId, request, body }: Parts, error: unknown): Promise<void> {
  if (!isContextError(error, "CONFLICT")) return;
  const replaces = request.method === "PUT" && services.conflicts.maySearch(performance.now());
  const base = replaces ? await baseOf(manager, error).catch(() => undefined) : undefined;
  services.conflicts.note(agentId, error, replaces ? { base, yours: body as JsonObject } : undefined);
}

/** A version comes once and a token too: what names them does nothing when it comes again. */
function isGuarded({ method, headers }: Request): boolean {
  const isExact = (headers.get("if-match") ?? "*").trim() !== "*";
  return (method === "PUT" || method === "DELETE") && isExact;
}

const NOBODY: Identity = { name: "nobody", agentId: null, rights: "read" };

async function withoutBody(response: Response): Promise<Response> {
  await response.body?.cancel();
  const { status, headers } = response;
  return new Response(null, { status, headers });
}
