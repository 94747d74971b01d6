/** How many contexts a server has and at which revision it is: the API tells that in its metrics only. */

import { ContextError } from "../errors.ts";

export function censusOf(metrics: string): { head: number; contexts: number } {
  return { head: gauge(metrics, "shared_context_revision"), contexts: gauge(metrics, "shared_context_contexts") };
}

function gauge(metrics: string, name: string): number {
  const [, value] = new RegExp(`^${name} (\\d+)$`, "m").exec(metrics) ?? [];
  if (value !== undefined) return Number(value);
  throw new ContextError("UNSUPPORTED", {
    feature: "this URL",
    expected: "a shared-context-server",
    received: `metrics without ${name}`,
  });
}
