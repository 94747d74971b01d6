/** The server itself: what it can do and how it is. */

import type { Route } from "../route.ts";
import { JSON_TYPE, jsonAnswer } from "./parts.ts";

export const serverRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/openapi.json",
    operationId: "getOpenApi",
    summary: "This description.",
    right: null,
    answers: { 200: { description: "OpenAPI 3.1.", content: { [JSON_TYPE]: "Data" } } },
    handle: ({ services }) => new Response(services.openApi, { headers: { "content-type": JSON_TYPE } }),
  },
  {
    method: "GET",
    path: "/healthz",
    operationId: "getHealth",
    summary: "The process lives.",
    right: null,
    answers: { 200: { description: "It does.", content: { [JSON_TYPE]: "Status" } } },
    handle: () => jsonAnswer({ status: "ok" }),
  },
  {
    method: "GET",
    path: "/readyz",
    operationId: "getReadiness",
    summary: "The storage answers, and the server is not about to stop.",
    right: null,
    answers: {
      200: { description: "Ready.", content: { [JSON_TYPE]: "Status" } },
      503: { description: "UNAVAILABLE or CLOSED: send no requests here." },
    },
    handle: async ({ manager, services }) => {
      services.closing.throwIfAborted();
      await manager.size();
      return jsonAnswer({ status: "ready" });
    },
  },
  {
    method: "GET",
    path: "/metrics",
    operationId: "getMetrics",
    summary: "Counts and latencies for Prometheus.",
    right: "read",
    answers: { 200: { description: "The text format.", content: { "text/plain": "Metrics" } } },
    handle: async ({ manager, services }) =>
      new Response(services.metrics.text(await manager.stats()), {
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" },
      }),
  },
];
