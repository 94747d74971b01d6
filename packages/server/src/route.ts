/** What a route is: the one description that the handler, the checks and `/openapi.json` go by. */

import type { AsyncSharedContextManager, JsonValue } from "shared-context-manager";
import type { RemoteAgent } from "shared-context-manager/serving";
import type { ApiRequest, Reply } from "./exchange.ts";
import type { Identity, Right } from "./rights.ts";
import type { Services } from "./services.ts";
import type { Target } from "./target.ts";

export interface Parameter {
  readonly in: "query" | "header";
  readonly name: string;
  readonly description: string;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly required?: boolean;
}

export interface RequestBody {
  /** For each media type the name of a schema. */
  readonly content: Readonly<Record<string, string>>;
  readonly optional?: boolean;
}

export interface Answer {
  readonly description: string;
  /** For each media type the name of a schema; problems where it is left out. */
  readonly content?: Readonly<Record<string, string>>;
  readonly headers?: readonly string[];
}

/** A request that has found its route and may take it. */
export interface Call {
  readonly manager: AsyncSharedContextManager;
  readonly services: Services;
  readonly request: ApiRequest;
  readonly target: Target;
  /** Aborts when the caller goes away or the server stops. */
  readonly signal: AbortSignal;
  /** The JSON in the body; `undefined` when there is none. */
  readonly body: JsonValue | undefined;
  readonly identity: Identity;
  /** Who acts: the token's agent, else the one that the request names; `null` for nobody. */
  readonly agentId: string | null;
  /** @param token - the fencing token of the lock that it writes under. */
  agent(token?: number): RemoteAgent;
  /** What the change log calls this write: by its Idempotency-Key. */
  readonly operationId: string | undefined;
  /** The id in the path; `""` where the route has none. */
  readonly contextId: string;
}

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** As OpenAPI writes it: `{id}` is a context id, percent-encoded. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  /** `null` for whoever asks. */
  readonly right: Right | null;
  readonly parameters?: readonly Parameter[];
  readonly body?: RequestBody;
  readonly answers: Readonly<Record<number, Answer>>;
  readonly handle: (call: Call) => Promise<Reply> | Reply;
}
