/** What the tools work on and what they give back. */

import type { JsonObject } from "../data.ts";
import type { ToolSchema } from "./json-schema.ts";

type Awaitable<T> = T | PromiseLike<T>;

/** What the tools look at in a snapshot. */
export interface ToolsSnapshot {
  readonly contextId: string;
  readonly version: string;
  readonly incarnation: number | undefined;
  readonly data: object;
  readonly lockedBy: string | null;
  readonly lock: { readonly expiresAt: Date | null } | undefined;
  readonly updatedAt: Date;
  readonly updatedBy: string | null;
  readonly note: string | null;
}

/** The verbs of an agent, or of a lease, that the tools need. */
export interface ToolsWriter {
  patch(contextId: string, patch: object, expected: unknown, options?: { note?: string }): Awaitable<ToolsSnapshot>;
  update(contextId: string, data: object, expected: unknown, options?: { note?: string }): Awaitable<ToolsSnapshot>;
}

export interface ToolsLease extends ToolsWriter {
  readonly expiresAt: Date | null;
  renew(): Awaitable<void>;
  release(): Awaitable<void>;
}

export interface ToolsAgent extends ToolsWriter {
  create(contextId: string, initialData: object, options?: { note?: string }): Awaitable<ToolsSnapshot>;
  acquire(
    contextId: string,
    options: { ttlMs: number; maxHoldMs: number; timeoutMs: number; signal?: AbortSignal },
  ): PromiseLike<ToolsLease>;
}

/** Any manager of this package, synchronous or asynchronous, and whatever has the same methods. */
export type ToolsManager = ManagerMethods & (Iterable<ToolsSnapshot> | AsyncIterable<ToolsSnapshot>);

interface ManagerMethods {
  get(contextId: string): Awaitable<ToolsSnapshot | undefined>;
  history(contextId: string): Awaitable<readonly ToolsSnapshot[]>;
  waitFor(
    contextId: string,
    predicate: (context: ToolsSnapshot) => boolean,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): PromiseLike<ToolsSnapshot>;
  agent(agentId: string): ToolsAgent;
  stats(): Awaitable<{ readonly queues: readonly { readonly contextId: string; readonly waiting: number }[] }>;
}

/** Whose tools they are. The identity is bound here, and is never an argument of a tool. */
export interface ToolsOwner {
  readonly manager: ToolsManager;
  readonly agentId: string;
}

/** Options of the tools; each has a default that is safe. */
export interface ContextToolsOptions {
  /** Whether there are `context_claim` and `context_release`: `false` by default. Merging by path needs no claims. */
  readonly claims?: boolean;
  /** How long a claim lasts after the last call of its owner: 30,000 by default. */
  readonly claimTtlMs?: number;
  /** For how long calls renew a claim: 120,000 by default. Whoever forgets to release holds no longer. */
  readonly maxClaimMs?: number;
  /** About how many tokens a result has at most, unless the model asks for less or more: 2,000 by default. */
  readonly maxTokens?: number;
  /** After how many conflicts in a row on one context the model is told to stop: 3 by default. */
  readonly maxConflicts?: number;
}

/** What every result has; what else is there depends on the tool. */
export interface ToolResult extends JsonObject {
  /** Only on refusals, which change nothing: `code`, `message` and `next` say why and what to do. */
  readonly isError?: true;
  /** What else the model should know: a claim that ends or is lost, an agent that waits. */
  readonly notices: readonly string[];
}

/** Hints as MCP has them. */
export interface ToolAnnotations {
  readonly readOnlyHint: boolean;
  readonly destructiveHint: boolean;
  readonly idempotentHint: boolean;
  readonly openWorldHint: false;
}

/** A tool as a plain object, in the shape that frameworks and MCP servers take. */
export interface ContextTool {
  readonly name: string;
  readonly title: string;
  /** Written for models. */
  readonly description: string;
  readonly inputSchema: ToolSchema<Record<string, unknown>>;
  readonly outputSchema: ToolSchema<ToolResult>;
  readonly annotations: ToolAnnotations;
  /**
   * Checks the input itself, and gives back a result for whatever the model did wrong. Rejects when what is
   * underneath fails in a way that is no refusal, and with the reason of a signal.
   *
   * @param call - what the framework says about the call; of it an `abortSignal` or `signal` is used.
   */
  readonly execute: (input: unknown, call?: unknown) => Promise<ToolResult>;
}

/** The arguments of a call, once they have been checked. */
export interface Arguments {
  readonly id: string;
  readonly [name: string]: unknown;
}
