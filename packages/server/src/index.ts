export { createHandler, type Handler, type HandlerOptions } from "./handler.ts";
export type { Limits } from "./limits.ts";
export {
  createMcpHttp,
  createMcpServer,
  type McpCaller,
  type McpHttp,
  type McpHttpOptions,
  type McpManager,
  type McpServerOptions,
  runStdio,
  type StdioOptions,
} from "./mcp/index.ts";
export type { Identity, Right } from "./rights.ts";
export { serve, type ServeOptions, type Server } from "./serve.ts";
export { hashOf, newToken, readTokens, type TokenRecord, type Tokens, tokensOf, writeTokens } from "./tokens.ts";
