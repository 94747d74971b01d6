/** The API as one function from a web-standard request to a response. */

import { type AsyncSharedContextManager, isContextError } from "shared-context-manager";
import { RemoteAgent } from "shared-context-manager/serving";
import { baseOf, ConflictLog, replacementIn } from "./conflict-log.ts";
import { Idempotency } from "./idempotency.ts";
import { EventStreams } from "./event-streams.ts";
import { type ApiRequest, isFlow, type Reply } from "./exchange.ts";
import { agentIdOf, checkRight, identify } from "./identity.ts";
import { checkQuery, mediaTypeOf, readJson } from "./input.ts";
import { inspector } from "./inspector.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { LockWaits } from "./lock-waits.ts";
import { Matcher, type Matched } from "./matching.ts";
import { MCP_METHODS, MCP_PATH, McpMount } from "./mcp/mount.ts";
import { Metrics } from "./metrics.ts";
import { notedManager } from "./noted-manager.ts";
import { isWrite, openApiOf } from "./openapi.ts";
import { OperationLog } from "./operation-log.ts";
import { checkOrigin, LOOPBACK, preflight } from "./origins.ts";
import { problemAnswer, stopping } from "./problems.ts";
import { RateLimit } from "./rate.ts";
import { replayed } from "./replay.ts";
import { allows, type Identity, type Right } from "./rights.ts";
import type { Call } from "./route.ts";
import { ROUTES } from "./routes.ts";
import type { Services } from "./services.ts";
import type { Target } from "./target.ts";
import { Sessions } from "./sessions.ts";
import type { Tokens } from "./tokens.ts";
import { VERSION } from "./version.ts";
import { fromRequest, toResponse } from "./web.ts";

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
  /** Ends what waits and watches, and answers UNAVAILABLE from now on. The manager stays open. */
  close(): void;
}

export function createHandler(options: HandlerOptions): Handler {
  const core = createCore(options);
  return Object.assign(async (request: Request) => toResponse(await core.answer(fromRequest(request)), request), {
    close: () => core.close(),
  });
}

/** The handler, whatever brings the requests. */
export interface Core {
  /** Never rejects. */
  answer(request: ApiRequest): Promise<Reply>;
  close(): void;
}

export function createCore(options: HandlerOptions): Core {
  const { manager, tokens, hosts = LOOPBACK, origins = [], onError = () => undefined } = options;
  const { requestsPerSecond = 2_000, sessionTtlMs = 600_000, heartbeatMs = 15_000 } = options;
  const closing = new AbortController();
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const services: Services = {
    limits,
    metrics: new Metrics(),
    sessions: new Sessions(manager, sessionTtlMs, onError),
    conflicts: new ConflictLog(),
    lockWaits: new LockWaits(),
    closing: closing.signal,
    streams: new EventStreams(limits.maxStreams, heartbeatMs),
    openApi: JSON.stringify(openApiOf(ROUTES, VERSION)),
  };
  const matcher = new Matcher(ROUTES);
  const rate = new RateLimit(requestsPerSecond);
  const idempotency = new Idempotency(new OperationLog(manager));
  const mcp = new McpMount(notedManager(manager, services.conflicts), {
    maxBodyBytes: limits.maxBodyBytes,
    onError,
  });

  async function answer(request: ApiRequest): Promise<Reply> {
    const startMs = performance.now();
    const { method, target, headers } = request;
    let operationId = "none";
    let cors: Record<string, string> = {};
    let reply: Reply;
    try {
      cors = checkOrigin(target, headers, { hosts, origins });
      const isMcp = target.pathname === MCP_PATH;
      if (method === "OPTIONS") return preflight(isMcp ? MCP_METHODS : matcher.methodsOf(target), cors);
      const page = inspector(request);
      if (page !== undefined) return page;
      if (isMcp) {
        operationId = "mcp";
        reply = await answerMcp(request);
      } else {
        const matched = matcher.match(method, target);
        ({ operationId } = matched.route);
        reply = await answerRoute(request, matched);
      }
    } catch (error) {
      reply = problemAnswer(error);
      if (reply.status === 500 && !request.signal.aborted) onError(error);
    }
    reply.headers["x-content-type-options"] = "nosniff";
    Object.assign(reply.headers, cors);
    services.metrics.observe(operationId, reply.status, performance.now() - startMs);
    return method === "HEAD" ? withoutBody(reply) : reply;
  }

  async function answerRoute(request: ApiRequest, { route, contextId }: Matched): Promise<Reply> {
    if (route.right !== null) closing.signal.throwIfAborted();
    const identity = identifyFor(route.right, request);
    const agentId = agentIdOf(request.headers, identity);
    checkQuery(request.target, route);
    const body = route.body && (await readJson(request, route, limits.maxBodyBytes));
    const call = new Received(manager, services, request, contextId, identity, agentId, body);
    services.sessions.enter(agentId);
    try {
      const key = isWrite(route) ? request.headers.get("idempotency-key") : null;
      if (key === null) return await route.handle(call);
      return await idempotency.once({
        who: identity.name,
        key,
        request: identifying(call),
        isGuarded: isGuarded(request),
        run: async (operationId) => route.handle(call.named(operationId)),
        replay: (changes) => replayed(route, call, changes),
      });
    } catch (error) {
      void noteConflict(call, error);
      throw error;
    } finally {
      services.sessions.leave(agentId);
    }
  }

  async function answerMcp(request: ApiRequest): Promise<Reply> {
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

  function identifyFor(right: Right | null, { headers }: ApiRequest): Identity {
    if (right === null) return NOBODY;
    const identity = identify(headers, tokens);
    rate.take(identity.name);
    checkRight(identity, right);
    return identity;
  }

  return {
    answer,
    close() {
      closing.abort(stopping());
      services.streams.close();
      services.sessions.close();
      mcp.close().catch(onError);
    },
  };
}

/** A getter in an object literal would be a shape of its own for each request, which costs as much as all the rest. */
class Received implements Call {
  readonly manager: Call["manager"];
  readonly services: Services;
  readonly request: ApiRequest;
  readonly contextId: string;
  readonly identity: Identity;
  readonly agentId: string | null;
  readonly body: Call["body"];
  readonly operationId: string | undefined;

  constructor(
    manager: Call["manager"],
    services: Services,
    request: ApiRequest,
    contextId: string,
    identity: Identity,
    agentId: string | null,
    body: Call["body"],
    operationId?: string,
  ) {
    this.manager = manager;
    this.services = services;
    this.request = request;
    this.contextId = contextId;
    this.identity = identity;
    this.agentId = agentId;
    this.body = body;
    this.operationId = operationId;
  }

  named(operationId: string): Received {
    const { manager, services, request, contextId, identity, agentId, body } = this;
    return new Received(manager, services, request, contextId, identity, agentId, body, operationId);
  }

  agent(token?: number): RemoteAgent {
    const { agentId, operationId } = this;
    return new RemoteAgent(this.manager, { agentId, token, operationId });
  }

  get target(): Target {
    return this.request.target;
  }

  /** Made only by those who wait: most do not. */
  get signal(): AbortSignal {
    return AbortSignal.any([this.request.signal, this.services.closing]);
  }
}

/** What two requests have in common that are the same one. */
function identifying({ request, agentId, body }: Call): unknown[] {
  const { method, target, headers } = request;
  const conditions = ["if-match", "if-none-match", "lock-token"].map((name) => headers.get(name));
  return [method, target.pathname, target.search, mediaTypeOf(request), agentId, conditions, body ?? null];
}

/** Nobody's answer waits for it. */
async function noteConflict({ manager, services, agentId, request, body }: Call, error: unknown): Promise<void> {
  if (!isContextError(error, "CONFLICT")) return;
  const yours = replacementIn(request.method, body, error.details.contextId);
  const searches = yours !== undefined && services.conflicts.maySearch(performance.now());
  const base = searches ? await baseOf(manager, error).catch(() => undefined) : undefined;
  services.conflicts.note(agentId, error, searches ? { base, yours } : undefined);
}

/** A version comes once and a token too: what names them does nothing when it comes again. */
function isGuarded({ method, headers }: ApiRequest): boolean {
  const isExact = (headers.get("if-match") ?? "*").trim() !== "*";
  return (method === "PUT" || method === "DELETE") && isExact;
}

const NOBODY: Identity = { name: "nobody", agentId: null, rights: "read" };

function withoutBody(reply: Reply): Reply {
  if (isFlow(reply.body)) reply.body.stop();
  return { ...reply, body: null };
}
