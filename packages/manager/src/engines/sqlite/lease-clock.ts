/// <reference types="node" />
/**
 * Lease time of all processes on one machine: its monotonic clock, which no wall clock jump moves. It starts anew with
 * the machine; whoever held a lease then is gone with it, so a new start counts on from after the last deadline.
 */

import { readFileSync } from "node:fs";

/** What tells one start of the machine from another; `undefined` where the system does not say. */
function bootId(): string | undefined {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return undefined;
  }
}

/** Milliseconds since the machine has started: the same in every process. */
export function uptimeMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** What is kept in the store: the start that lease time is counted from, how much is added, and when it was last seen. */
export interface LeaseBase {
  readonly boot: string | undefined;
  readonly offsetMs: number;
  readonly seenMs: number;
}

/** The base to go on with; the same one unless the machine has been started anew. */
export function currentBase(kept: LeaseBase | undefined, lastDeadlineMs: () => number): LeaseBase {
  const boot = bootId();
  const nowMs = uptimeMs();
  if (kept === undefined) return { boot, offsetMs: 0, seenMs: nowMs };
  const isSame = boot === undefined || kept.boot === undefined ? nowMs >= kept.seenMs : boot === kept.boot;
  if (isSame) return { ...kept, seenMs: nowMs };
  return { boot, offsetMs: Math.max(0, lastDeadlineMs() + 1 - nowMs), seenMs: nowMs };
}
