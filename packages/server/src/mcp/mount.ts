/** MCP at a path of the HTTP server; loaded when somebody first asks for it. */

import type { ApiRequest, Reply } from "../exchange.ts";
import { fromResponse } from "../web.ts";
import type { McpCaller, McpHttp, McpHttpOptions } from "./serve.ts";
import type { McpManager } from "./types.ts";

export const MCP_PATH = "/mcp";
export const MCP_METHODS: readonly string[] = ["GET", "POST", "DELETE"];

export class McpMount {
  readonly #open: () => Promise<McpHttp>;
  #opened: Promise<McpHttp> | undefined;

  constructor(manager: McpManager, options: McpHttpOptions) {
    this.#open = async () => (await import("./serve.ts")).createMcpHttp(manager, options);
  }

  async answer(request: ApiRequest, caller: McpCaller): Promise<Reply> {
    this.#opened ??= this.#open();
    return fromResponse(await (await this.#opened).fetch(request.toRequest(), caller));
  }

  /** Ends the streams that are open. */
  async close(): Promise<void> {
    await (await this.#opened)?.close();
  }
}
