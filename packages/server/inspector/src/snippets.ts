/** What to copy to connect an agent, or to ask the API for the same by hand. */

import { apiPath } from "./place.ts";

/** For a shell: a text in single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** The token is named, never written out: what is copied gets pasted elsewhere. */
function authorization(needsToken: boolean): string {
  return needsToken ? ' -H "Authorization: Bearer $TOKEN"' : "";
}

export function curlOf(origin: string, contextId: string, needsToken: boolean): string {
  return `curl${authorization(needsToken)} ${quoted(origin + apiPath(contextId))}`;
}

export function curlCreate(origin: string, needsToken: boolean): string {
  const body = JSON.stringify({ context_id: "plan", data: { goal: "ship it", tasks: [] } });
  return `curl${authorization(needsToken)} -H 'Content-Type: application/json' -H 'X-Agent-Id: first-agent' \\
  -d ${quoted(body)} ${quoted(`${origin}/v1/contexts`)}`;
}

export function mcpConfig(origin: string, needsToken: boolean): string {
  const headers = needsToken ? { headers: { Authorization: "Bearer TOKEN" } } : {};
  return JSON.stringify(
    { mcpServers: { "shared-context": { type: "http", url: `${origin}/mcp`, ...headers } } },
    null,
    2,
  );
}
