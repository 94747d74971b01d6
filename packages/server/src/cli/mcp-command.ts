/** `mcp`: the tools and resources of MCP on standard input and output. */

import { randomUUID } from "node:crypto";
import { Readable, type Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { openManager } from "shared-context-manager";
import { MCP_PATH } from "../mcp/mount.ts";
import type { Command, Input } from "./command.ts";
import { isServer } from "./connect.ts";
import { EXIT } from "./exit-codes.ts";
import { type Output, UsageError } from "./output.ts";

export const mcpCommand: Command = {
  name: "mcp",
  usage: "mcp [--read-only]",
  help: "Serves MCP on standard input and output, for a client that starts this program.",
  options: { "read-only": { type: "boolean", help: "only the tools that change nothing" } },
  examples: ["shared-context mcp", "shared-context mcp --store sqlite:contexts.db --as planner"],
  takes: [0, 0],
  run: runMcp,
};

async function runMcp(input: Input, output: Output): Promise<number> {
  if (isServer(input.store)) {
    const url = new URL(MCP_PATH, input.store).href;
    throw new UsageError(
      `--store: expected a store URL such as sqlite:contexts.db; a server has MCP itself, at ${url}`,
    );
  }
  // Nobody else pays for loading the protocol.
  const [{ runStdio }, { StdioServerTransport }] = await Promise.all([
    import("../mcp/serve.ts"),
    import("@modelcontextprotocol/server/stdio"),
  ]);
  const { stdin, stdout } = input.streams;
  const lines = stdin instanceof Readable ? stdin : Readable.from(stdin, { objectMode: false });
  await using manager = await openManager(input.store);
  const server = runStdio(manager, {
    // Two clients that are started alike are two agents.
    agentId: input.agentId ?? `mcp-${randomUUID().slice(0, 8)}`,
    readOnly: input.flag("read-only"),
    transport: new StdioServerTransport(lines, stdout as Writable),
    onError: (error) => output.failure(error),
  });
  await finished(lines, { writable: false, signal: input.signal }).catch(() => undefined);
  await server.close();
  return EXIT.done;
}
