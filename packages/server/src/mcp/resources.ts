/** Every context as a resource, `context://{id}`, and news of those that change. */

import { type McpServer, ResourceNotFoundError, ResourceTemplate } from "@modelcontextprotocol/server";
import type { ChangeKind } from "shared-context-manager";
import type { McpManager } from "./types.ts";

const PREFIX = "context://";
const MOST_LISTED = 1_000;
const MOST_COMPLETED = 100;
const mimeType = "application/json";

/** `undefined` for an id that no URI can carry. */
export function uriOf(contextId: string | null): string | undefined {
  if (contextId === null || contextId === "") return undefined;
  try {
    return `${PREFIX}${encodeURIComponent(contextId)}`;
  } catch {
    return undefined; // half a surrogate pair
  }
}

export function registerContexts(server: McpServer, manager: McpManager): void {
  const template = new ResourceTemplate(`${PREFIX}{id}`, {
    list: async () => ({
      resources: (await ids(manager, "", MOST_LISTED)).flatMap((id) => {
        const uri = uriOf(id);
        return uri === undefined ? [] : [{ uri, name: id, mimeType }];
      }),
    }),
    complete: { id: async (start) => ids(manager, start, MOST_COMPLETED) },
  });
  const description = "A shared context: its version, who wrote it, and its data.";
  server.registerResource("context", template, { title: "Context", description, mimeType }, async ({ href }) => {
    const context = await manager.get(decodeURIComponent(href.slice(PREFIX.length)));
    if (context === undefined) throw new ResourceNotFoundError(href, `there is no context ${href}: see resources/list`);
    const { contextId: id, version, incarnation = 0, updatedBy, lockedBy } = context;
    const text = JSON.stringify({
      id,
      version: `${incarnation}.${version}`,
      updated_by: updatedBy,
      ...(lockedBy !== null && { locked_by: lockedBy }),
      data: context.data as unknown,
    });
    return { contents: [{ uri: href, mimeType, text }] };
  });
}

async function ids(manager: McpManager, prefix: string, limit: number): Promise<string[]> {
  const found: string[] = [];
  for await (const { contextId } of manager) {
    if (contextId.startsWith(prefix) && found.push(contextId) === limit) break;
  }
  return found;
}

/** What becomes of the list, and of the resource, with a change. */
export function newsOf(kind: ChangeKind): { readonly list: boolean; readonly resource: boolean } {
  switch (kind) {
    case "created":
    case "deleted":
      return { list: true, resource: true };
    case "updated":
      return { list: false, resource: true };
    case "cleared":
      return { list: true, resource: false };
    default:
      return { list: false, resource: false };
  }
}

/** Sends updates for as long as the server is connected: of all contexts, or of those that the client subscribed to. */
export function announceChanges(server: McpServer, manager: McpManager, era: "legacy" | "modern"): void {
  const subscribed = new Set<string>();
  const inner = server.server;
  let isOpen = true;
  const stop = manager.subscribe(undefined, ({ kind, contextId }) => {
    if (!isOpen || !server.isConnected()) return;
    const { list, resource } = newsOf(kind);
    const uri = resource ? uriOf(contextId) : undefined;
    if (list) server.sendResourceListChanged();
    if (uri === undefined || (era === "legacy" && !subscribed.has(uri))) return;
    inner.sendResourceUpdated({ uri }).catch(() => undefined); // the connection has ended meanwhile
  });
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- no event target
  inner.onclose = (): void => {
    isOpen = false;
    stop();
  };
  if (era === "modern") return;
  inner.setRequestHandler("resources/subscribe", ({ params }) => {
    subscribed.add(params.uri);
    return {};
  });
  inner.setRequestHandler("resources/unsubscribe", ({ params }) => {
    subscribed.delete(params.uri);
    return {};
  });
}
