/** `mcp`: the tools and resources of MCP on standard input and output. */

import { randomUUID } from "node:crypto";
import { Readable, type Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { openManager } from "shared-context-manager";
import type { Command, Input } from "./command.ts";
import { connect, isServer } from "./connect.ts";
import { EXIT } from "./exit-codes.ts";
import { type Output, Refused } from "./output.ts";

export const mcpCommand: Command = {
  name: "mcp",
  usage: "mcp [--read-only]",
  help: "Serves MCP on standard input and output, for a client that starts this program.",
  options: { "read-only": { type: "boolean", help: "only the tools that change nothing" } },
  examples: [
    "shared-context mcp",
    "shared-context mcp --store sqlite:contexts.db --as planner",
    "shared-context mcp --store http://127.0.0.1:7411",
  ],
  takes: [0, 0],
  run: runMcp,
};

async function runMcp(input: Input, output: Output): Promise<number> {
  // Nobody else pays for loading the protocol.
  const [{ runStdio }, { StdioServerTransport }] = await Promise.all([
    import("../mcp/serve.ts"),
    import("@modelcontextprotocol/server/stdio"),
  ]);
  const { stdin, stdout } = input.streams;
  const lines = stdin instanceof Readable ? stdin : Readable.from(stdin, { objectMode: false });
  const agentId = await agentOf(input);
  const token = isServer(input.store) ? input.token : undefined;
  await using manager = await openManager(input.store, token === undefined ? {} : { token });
  const server = runStdio(manager, {
    agentId,
    readOnly: input.flag("read-only"),
    transport: new StdioServerTransport(lines, stdout as Writable),
    onError: (error) => output.failure(error),
  });
  await finished(lines, { writable: false, signal: input.signal }).catch(() => undefined);
  await server.close();
  return EXIT.done;
}

/** Who acts: whoever is named, else the agent that the token of a server is bound to, else one of this process alone. */
async function agentOf({ agentId, store, token }: Input): Promise<string> {
  // Two clients that are started alike are two agents.
  const own = agentId ?? `mcp-${randomUUID().slice(0, 8)}`;
  if (!isServer(store)) return own;
  const server = await connect({ store, token, agentId: own });
  try {
    await server.send("GET", "/v1/contexts", { query: { limit: "1" } });
    return own;
  } catch (error) {
    const bound = error instanceof Refused ? error.problem.details["agent_id"] : undefined;
    if (agentId !== undefined || typeof bound !== "string") throw error;
    return bound;
  } finally {
    await server.close();
  }
}
