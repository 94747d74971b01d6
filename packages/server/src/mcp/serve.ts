/** MCP on its two transports: streamable HTTP at a path of the server, and stdio. */

import { createMcpHandler, type ServerEvent, type ServerEventBus } from "@modelcontextprotocol/server";
import { serveStdio, type ServeStdioOptions } from "@modelcontextprotocol/server/stdio";
import type { ContextTool, ContextToolsOptions } from "shared-context-manager/tools";
import { newsOf, uriOf } from "./resources.ts";
import { type McpServerOptions, serverWith, toolsFor } from "./server.ts";
import type { McpManager } from "./types.ts";

/** Who calls, as the HTTP server has found out. */
export interface McpCaller {
  readonly agentId: string;
  /** Only the tools that change nothing: `false` by default. */
  readonly readOnly?: boolean;
}

export interface McpHttp {
  /** Answers one request. Whoever calls this has checked Host, Origin and token. */
  fetch(request: Request, caller: McpCaller): Promise<Response>;
  close(): Promise<void>;
}

export interface McpHttpOptions extends ContextToolsOptions {
  /** The largest request, in bytes: 4 MiB by default. */
  readonly maxBodyBytes?: number;
  /** Hears of what went wrong beside the answers. */
  readonly onError?: (error: unknown) => void;
}

/** Agents whose claims and snapshots are kept. What is claimed by those beyond lapses. */
const AGENTS_KEPT = 1_000;

/**
 * MCP over streamable HTTP, for the server to mount at `/mcp`. Nothing is kept for an MCP session: what an agent has
 * claimed and seen belongs to its id.
 */
export function createMcpHttp(manager: McpManager, options: McpHttpOptions = {}): McpHttp {
  const { maxBodyBytes, onError, ...toolOptions } = options;
  const kept = new Map<string, ContextTool[]>();
  const toolsOf = ({ agentId, readOnly = false }: McpCaller): ContextTool[] => {
    const key = `${readOnly ? "r" : "w"}${agentId}`;
    const tools = kept.get(key) ?? toolsFor(manager, { ...toolOptions, agentId, readOnly });
    kept.delete(key);
    kept.set(key, tools);
    const [oldest] = kept.keys();
    if (kept.size > AGENTS_KEPT && oldest !== undefined) kept.delete(oldest);
    return tools;
  };
  const handler = createMcpHandler(
    ({ era, authInfo }) => {
      const { clientId: agentId = "", scopes = [] } = authInfo ?? {};
      return serverWith(manager, toolsOf({ agentId, readOnly: !scopes.includes(WRITE) }), { era, announces: false });
    },
    {
      bus: new ChangeBus(manager),
      ...(maxBodyBytes !== undefined && { maxRequestBodySize: maxBodyBytes }),
      ...(onError && { onerror: onError }),
    },
  );
  return {
    fetch: async (request, { agentId, readOnly = false }) =>
      handler.fetch(request, { authInfo: { token: "", clientId: agentId, scopes: readOnly ? [] : [WRITE] } }),
    close: async () => handler.close(),
  };
}

/** The scope by which the entry hands on that the caller may write. */
const WRITE = "write";

/** The changes of the manager, whichever process made them, for the clients that listen; followed while somebody does. */
class ChangeBus implements ServerEventBus {
  readonly #manager: McpManager;
  readonly #listeners = new Set<(event: ServerEvent) => void>();
  #stop: (() => void) | undefined;

  constructor(manager: McpManager) {
    this.#manager = manager;
  }

  publish(event: ServerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  subscribe(listener: (event: ServerEvent) => void): () => void {
    this.#listeners.add(listener);
    this.#stop ??= this.#manager.subscribe(undefined, ({ kind, contextId }) => {
      const { list, resource } = newsOf(kind);
      const uri = resource ? uriOf(contextId) : undefined;
      if (list) this.publish({ kind: "resources_list_changed" });
      if (uri !== undefined) this.publish({ kind: "resource_updated", uri });
    });
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#stop?.();
      this.#stop = undefined;
    };
  }
}

export interface StdioOptions extends McpServerOptions, Pick<ServeStdioOptions, "transport"> {
  /** Hears of what went wrong; nothing but the protocol may be written to the standard output. */
  readonly onError?: (error: unknown) => void;
}

/**
 * Serves MCP on the standard input and output of this process until its input ends, in both protocol eras. Several such
 * processes may share one store.
 *
 * @example
 * ```ts
 * const { close } = runStdio(await openManager("sqlite:contexts.db"), { agentId: "planner" });
 * ```
 */
export function runStdio(manager: McpManager, options: StdioOptions): { close(): Promise<void> } {
  const { transport, onError, ...rest } = options;
  const tools = toolsFor(manager, rest);
  return serveStdio(({ era }) => serverWith(manager, tools, { era }), {
    ...(transport && { transport }),
    ...(onError && { onerror: onError }),
  });
}
