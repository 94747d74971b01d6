export { createMcpServer, type McpServerOptions } from "./server.ts";
export {
  createMcpHttp,
  type McpCaller,
  type McpHttp,
  type McpHttpOptions,
  runStdio,
  type StdioOptions,
} from "./serve.ts";
export type { McpManager } from "./types.ts";
