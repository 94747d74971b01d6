/** Contexts over MCP: the tools of one agent, and every context as a resource. */

import { type CallToolResult, McpServer } from "@modelcontextprotocol/server";
import type { ContextTool, ContextToolsOptions } from "shared-context-manager/tools";
import { VERSION } from "../version.ts";
import { contextTools } from "shared-context-manager/tools";
import { announceChanges, registerContexts } from "./resources.ts";
import type { McpManager } from "./types.ts";

/** Whose server it is, and what it offers. */
export interface McpServerOptions extends ContextToolsOptions {
  /** In whose name its tools read and write. */
  readonly agentId: string;
  /** Only the tools that change nothing: `false` by default. */
  readonly readOnly?: boolean;
}

/** What belongs to the connection rather than to the agent. */
export interface Connection {
  /** Under the protocol of 2026 the entry picks out of all updates what the client listens to. */
  readonly era?: "legacy" | "modern";
  /** Whether this very instance tells of changes: `true` by default. */
  readonly announces?: boolean;
}

/** A summary that clients put before the model. */
const INSTRUCTIONS =
  "Contexts are JSON documents that you share with other agents. Read before you write, send only what you change with the version you read, and when a result has isError, do what its next says.";

/**
 * An MCP server for one agent, to be connected to a transport.
 *
 * @example
 * ```ts
 * const server = createMcpServer(manager, { agentId: "planner" });
 * await server.connect(transport);
 * ```
 */
export function createMcpServer(manager: McpManager, options: McpServerOptions): McpServer {
  return serverWith(manager, toolsFor(manager, options), {});
}

/** The tools of an agent; keep them for as long as the agent works, however many connections it makes. */
export function toolsFor(
  manager: McpManager,
  { agentId, readOnly = false, ...options }: McpServerOptions,
): ContextTool[] {
  const tools = Object.values(contextTools({ manager, agentId }, { claims: true, ...options }));
  return readOnly ? tools.filter(({ annotations }) => annotations.readOnlyHint) : tools;
}

export function serverWith(manager: McpManager, tools: readonly ContextTool[], connection: Connection): McpServer {
  const { era = "legacy", announces = true } = connection;
  // Under the protocol of 2025 an update needs a stream that belongs to a session, and over HTTP there is none.
  const tells = announces || era === "modern";
  const server = new McpServer(
    { name: "shared-context", title: "Shared contexts", version: VERSION },
    {
      capabilities: { tools: {}, resources: { subscribe: tells } },
      instructions: INSTRUCTIONS,
    },
  );
  for (const tool of tools) register(server, tool);
  registerContexts(server, manager);
  // Registering has promised news of both lists. The tools of a connection never change.
  server.server.registerCapabilities({ tools: { listChanged: false }, resources: { listChanged: tells } });
  if (announces) announceChanges(server, manager, era);
  return server;
}

function register(server: McpServer, tool: ContextTool): void {
  const { name, title, description, inputSchema, outputSchema, annotations, execute } = tool;
  // The tool says itself what is wrong with its input, in a result that has the same shape as the others.
  const anyInput = { "~standard": { ...inputSchema["~standard"], validate: (value: unknown) => ({ value }) } };
  const config = { title, description, inputSchema: anyInput, outputSchema, annotations };
  server.registerTool(name, config, async (input, { mcpReq }): Promise<CallToolResult> => {
    const result = await execute(input ?? {}, { signal: mcpReq.signal });
    return {
      content: [{ type: "text", text: JSON.stringify(result) }],
      structuredContent: { ...result },
      ...(result.isError === true && { isError: true }),
    };
  });
}
