import type { Change, ContextFilter } from "shared-context-manager";
import type { ToolsManager } from "shared-context-manager/tools";

/** Any manager of shared-context-manager, synchronous or asynchronous. */
export type McpManager = ToolsManager & {
  subscribe(
    filter: ContextFilter | undefined,
    listener: (change: Pick<Change, "kind" | "contextId">) => void,
  ): () => void;
};
