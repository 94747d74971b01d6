/** The server itself: what it can do and how it is. */

import type { ManagerStats } from "shared-context-manager";
import { formatTime } from "shared-context-manager/serving";
import type { Reply } from "../exchange.ts";
import type { Call, Route } from "../route.ts";
import { JSON_TYPE, jsonAnswer } from "./parts.ts";

export const serverRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/openapi.json",
    operationId: "getOpenApi",
    summary: "This description.",
    right: null,
    answers: { 200: { description: "OpenAPI 3.1.", content: { [JSON_TYPE]: "Data" } } },
    handle: ({ services }) => ({ status: 200, headers: { "content-type": JSON_TYPE }, body: services.openApi }),
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
    path: "/v1/identity",
    operationId: "getIdentity",
    summary: "Whose token it is, which agent it is bound to, and what it may do.",
    right: "read",
    answers: { 200: { description: "Who asks.", content: { [JSON_TYPE]: "Identity" } } },
    handle: ({ identity: { name, agentId, rights } }) => jsonAnswer({ name, agent_id: agentId, rights }),
  },
  {
    method: "GET",
    path: "/v1/stats",
    operationId: "getStats",
    summary: "What goes on: who waits for which lock, and which conflicts there were, counted by this server process.",
    right: "read",
    answers: { 200: { description: "The numbers.", content: { [JSON_TYPE]: "Stats" } } },
    handle: stats,
  },
  {
    method: "GET",
    path: "/metrics",
    operationId: "getMetrics",
    summary: "Counts and latencies for Prometheus.",
    right: "read",
    answers: { 200: { description: "The text format.", content: { "text/plain": "Metrics" } } },
    handle: async (call) => ({
      status: 200,
      headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" },
      body: call.services.metrics.text(await counted(call), call.services.streams.size),
    }),
  },
];

async function stats(call: Call): Promise<Reply> {
  const { conflicts, lockWaits } = call.services;
  const { contexts, revision, queues, ...counts } = await counted(call);
  return jsonAnswer({
    contexts,
    revision,
    since: formatTime(conflicts.since.getTime()),
    totals: {
      writes: counts.writes,
      merges: counts.merges,
      conflicts: counts.conflicts,
      lock_waits: counts.lockWaits,
      leases_lost: counts.leasesLost,
    },
    queues: lockWaits.queues(queues),
    agents: Array.from(conflicts.counts, ([agentId, count]) => ({ agent_id: agentId, conflicts: count })),
    conflicts: conflicts.latest,
  });
}

/** What the manager has counted, and the waits that it does not see. */
async function counted({ manager, services }: Call): Promise<ManagerStats> {
  const counts = await manager.stats();
  return { ...counts, lockWaits: counts.lockWaits + services.lockWaits.total };
}
