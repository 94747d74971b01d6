/** What Prometheus reads: counts and latencies of requests, and what the manager counts. */

import type { ManagerStats } from "shared-context-manager";

const BUCKETS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000];

interface Series {
  readonly byStatus: Map<number, number>;
  readonly buckets: number[];
  sumMs: number;
  count: number;
}

export class Metrics {
  readonly #series = new Map<string, Series>();
  observe(operationId: string, status: number, ms: number): void {
    let series = this.#series.get(operationId);
    if (series === undefined) {
      series = { byStatus: new Map(), buckets: BUCKETS_MS.map(() => 0), sumMs: 0, count: 0 };
      this.#series.set(operationId, series);
    }
    series.byStatus.set(status, (series.byStatus.get(status) ?? 0) + 1);
    const bucket = BUCKETS_MS.findIndex((most) => ms <= most);
    if (bucket >= 0) series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1;
    series.sumMs += ms;
    series.count += 1;
  }

  /** The text format, version 0.0.4. */
  text(stats: ManagerStats, streams: number): string {
    return `${[...gauges(stats, streams), ...this.#requests()].join("\n")}\n`;
  }

  *#requests(): Generator<string> {
    yield* head("shared_context_http_requests_total", "counter", "Requests by operation and status.");
    for (const [operation, { byStatus }] of this.#series) {
      for (const [status, count] of byStatus) {
        yield `shared_context_http_requests_total{operation="${operation}",status="${status}"} ${count}`;
      }
    }
    const name = "shared_context_http_request_duration_seconds";
    yield* head(name, "histogram", "Time from the request to its answer, without the body of a stream.");
    for (const [operation, { buckets, sumMs, count }] of this.#series) {
      let sum = 0;
      for (const [index, most] of BUCKETS_MS.entries()) {
        sum += buckets[index] ?? 0;
        yield `${name}_bucket{operation="${operation}",le="${most / 1000}"} ${sum}`;
      }
      yield `${name}_bucket{operation="${operation}",le="+Inf"} ${count}`;
      yield `${name}_sum{operation="${operation}"} ${sumMs / 1000}`;
      yield `${name}_count{operation="${operation}"} ${count}`;
    }
  }
}

function* gauges(stats: ManagerStats, streams: number): Generator<string> {
  yield* single("shared_context_contexts", "gauge", "Contexts there are.", stats.contexts);
  yield* single("shared_context_revision", "gauge", "The revision of the last commit.", stats.revision);
  yield* single("shared_context_writes_total", "counter", "Changes of data by this process.", stats.writes);
  yield* single("shared_context_merges_total", "counter", "Writes merged with those of others.", stats.merges);
  yield* single("shared_context_conflicts_total", "counter", "Refusals with CONFLICT.", stats.conflicts);
  yield* single("shared_context_lock_waits_total", "counter", "Acquisitions that had to wait.", stats.lockWaits);
  yield* single("shared_context_leases_lost_total", "counter", "Leases that ended by a loss.", stats.leasesLost);
  yield* single("shared_context_watchers", "gauge", "Who watches or waits now.", stats.watchers);
  yield* single("shared_context_streams", "gauge", "Event streams that are open.", streams);
  yield* head("shared_context_refusals_total", "counter", "Refusals by code.");
  for (const [code, count] of Object.entries(stats.refusals)) {
    yield `shared_context_refusals_total{code="${code}"} ${count}`;
  }
}

function* single(name: string, type: string, help: string, value: number): Generator<string> {
  yield* head(name, type, help);
  yield `${name} ${value}`;
}

function* head(name: string, type: string, help: string): Generator<string> {
  yield `# HELP ${name} ${help}`;
  yield `# TYPE ${name} ${type}`;
}
