/** The live connection: the list once, then the change log, for ever; what breaks is taken up where it broke. */

import { type Api, ApiError } from "./api.ts";
import { backoffMs, EventParser, type ServerEvent, stepFor } from "./events.ts";
import type { ChangeBody, Summary } from "./types.ts";

export type Connection =
  | { readonly state: "connecting" | "live" }
  | { readonly state: "refused"; readonly status: number; readonly why: string }
  | { readonly state: "lost"; readonly retryAtMs: number; readonly why: string };

export interface Follower {
  filled(summaries: readonly Summary[], revision: number): void;
  refreshed(summaries: readonly Summary[]): void;
  /** @param isOld - made while nobody listened: when, is not known. */
  changed(change: ChangeBody, key: string, isOld: boolean): void;
  connection(connection: Connection): void;
}

/** A heartbeat comes every 15 seconds: after three of them are missing nobody is there. */
const SILENCE_MS = 45_000;

/** Where to go on; `undefined` to begin with the list. */
export type Resume = string | undefined;

export async function follow(api: Api, follower: Follower, signal: AbortSignal): Promise<void> {
  let place: Resume;
  let attempt = 0;
  const live = (): void => {
    attempt = 0;
    follower.connection({ state: "live" });
  };
  follower.connection({ state: "connecting" });
  while (!signal.aborted) {
    let why = "the server has ended the connection";
    try {
      const { revision: head } = await api.stats(signal);
      // The revision before the list: what is written while the list is read is told again as a change.
      if (place === undefined) {
        follower.filled(await api.list(signal), head);
        place = String(head);
      }
      // A server may have come back with another store, whose revisions look like those of before.
      else if (attempt > 0) follower.refreshed(await api.list(signal));
      for await (const event of eventsAfter(api, place, signal, live)) {
        const step = stepFor(event);
        if (step === "apply") {
          const change = JSON.parse(event.data) as ChangeBody;
          follower.changed(change, event.id ?? "", change.revision <= head);
        }
        if (step === "reload") place = undefined;
        if (step === "reload" || step === "retry") break;
        if (event.id !== undefined) place = event.id;
      }
      if (place === undefined) continue;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && (error.problem.status === 401 || error.problem.status === 403)) {
        follower.connection({ state: "refused", status: error.problem.status, why: error.problem.detail });
        return;
      }
      why = error instanceof ApiError ? error.problem.detail : "the server does not answer";
    }
    const waitMs = backoffMs(attempt);
    attempt += 1;
    follower.connection({ state: "lost", retryAtMs: Date.now() + waitMs, why });
    await sleep(waitMs, signal);
  }
}

async function* eventsAfter(
  api: Api,
  place: string,
  signal: AbortSignal,
  live: () => void,
  silenceMs = SILENCE_MS,
): AsyncGenerator<ServerEvent> {
  const silence = new AbortController();
  const response = await api.fetch("GET", "/v1/changes", {
    headers: { accept: "text/event-stream", "last-event-id": place },
    signal: AbortSignal.any([signal, silence.signal]),
  });
  if (response.body === null) return;
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let timer = setTimeout(() => silence.abort(), silenceMs);
  try {
    live();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), silenceMs);
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    clearTimeout(timer);
    await reader.cancel().catch(() => undefined);
  }
}

export interface Logged {
  readonly change: ChangeBody;
  readonly key: string;
}

/** Once what is kept has been told, the stream only waits. */
const TOLD_MS = 1_500;

/** What the log keeps up to a revision, the oldest first. */
export async function readLog(api: Api, until: number, signal: AbortSignal): Promise<Logged[]> {
  const read: Logged[] = [];
  let after = 0;
  try {
    for (let attempt = 0; attempt < 5; attempt++) {
      for await (const event of eventsAfter(api, String(after), signal, () => undefined, TOLD_MS)) {
        if (event.name === "compacted") {
          after = oldestIn(event.data) - 1;
          break;
        }
        if (event.name !== "") return read;
        const change = JSON.parse(event.data) as ChangeBody;
        if (change.revision > until) return read;
        const context = change.context && { ...change.context, data: {} };
        read.push({ change: { ...change, context }, key: event.id ?? "" });
        if (change.revision === until) return read;
      }
    }
  } catch (error) {
    if (error instanceof ApiError || signal.aborted) throw error;
  }
  return read;
}

function oldestIn(data: string): number {
  const { details } = JSON.parse(data) as { details?: { oldest?: number } };
  return details?.oldest ?? 1;
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
