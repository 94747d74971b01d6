/** Bare `node:http` that sends the same bytes: one version of each context, no check of anything. */

/** @import { IncomingMessage, ServerResponse } from "node:http" */

import { createServer } from "node:http";
import { ready } from "./child.mjs";
import { dataAt } from "./payload.mjs";

/** @param {string} id @param {number} incarnation @param {number} version @param {unknown} data */
function bodyOf(id, incarnation, version, data) {
  const at = "2026-01-31T09:30:00.000+00:00";
  const names = { context_id: id, version: String(version), locked_by: null, created_at: at, updated_at: at };
  return JSON.stringify({ ...names, updated_by: "local", incarnation, revision: 1000, data });
}

const fixed = bodyOf("c0", 1, 1, dataAt(0));
/** @type {Map<string, number>} */
const versions = new Map();
/** @type {Set<ServerResponse>} */
const watchers = new Set();
const JSON_HEADERS = { "content-type": "application/json", "cache-control": "no-cache" };

const server = createServer((request, response) => {
  const { method, url = "" } = request;
  if (url.startsWith("/v1/changes")) return watch(response);
  if (method === "GET") {
    answer(response, '"1.1"', fixed);
    return;
  }
  void put(request, response, url.slice(url.lastIndexOf("/") + 1));
});

/** @param {IncomingMessage} request @param {ServerResponse} response @param {string} id */
async function put(request, response, id) {
  let text = "";
  request.setEncoding("utf8");
  for await (const chunk of request) text += chunk;
  const data = JSON.parse(text);
  const version = (versions.get(id) ?? 1) + 1;
  const incarnation = Number(id.slice(1)) + 1;
  versions.set(id, version);
  const body = bodyOf(id, incarnation, version, data);
  const etag = `"${incarnation}.${version}"`;
  answer(response, etag, body);
  if (watchers.size === 0) return;
  const kinds = { revision: version, kind: "updated", context_id: id, agent_id: "local", note: null };
  const event = `id: ${version}.1\ndata: ${JSON.stringify(kinds).slice(0, -1)},"context":${body}}\n\n`;
  for (const watcher of watchers) watcher.write(event);
}

/** @param {ServerResponse} response @param {string} etag @param {string} body */
function answer(response, etag, body) {
  const headers = { ...JSON_HEADERS, etag, "content-length": Buffer.byteLength(body) };
  response.writeHead(200, { ...headers, "x-content-type-options": "nosniff" });
  response.end(body);
}

/** @param {ServerResponse} response */
function watch(response) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write(": connected\n\nevent: ready\nid: 1\ndata: {}\n\n");
  watchers.add(response);
  response.on("close", () => watchers.delete(response));
}

server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  ready(typeof address === "object" ? (address?.port ?? 0) : 0);
});
