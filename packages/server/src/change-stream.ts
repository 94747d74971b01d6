/**
 * The change log as server-sent events (law 7). An id is `r`, all of revision r has been told, or `r.n`, the first n
 * changes of revision r have: so a connection may be cut inside a transaction and the next one goes on there.
 */

import { type AsyncSharedContextManager, type ContextFilter, isContextError } from "shared-context-manager";
import { howThingsAre } from "shared-context-manager/serving";
import { changeText } from "./bodies.ts";
import { invalid } from "./input.ts";
import { problemOf } from "./problems.ts";

/** A place in the change log. */
export interface Place {
  readonly revision: number;
  /** How many changes of this revision have been told; `undefined` for all. */
  readonly told: number | undefined;
}

/** @throws ContextError INVALID. */
export function readPlace(text: string, where: string): Place {
  const [, revision, told] = /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  if (revision === undefined) {
    throw invalid(
      where,
      "",
      'an id of an event such as "12" or "12.1"; leave it out to begin with how things are',
      text,
    );
  }
  return { revision: Number(revision), told: told === undefined ? undefined : Number(told) };
}

export interface StreamOptions {
  readonly filter: ContextFilter | undefined;
  /** Where to go on; `undefined` to begin with how things are. */
  readonly place: Place | undefined;
  readonly coalesce: boolean;
  readonly heartbeatMs: number;
  readonly signal: AbortSignal;
  readonly onEnd: () => void;
}

export function changeStream(
  manager: AsyncSharedContextManager,
  { heartbeatMs, onEnd, ...options }: StreamOptions,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, options.signal]);
  const events = eventsOf(manager, { ...options, signal });
  let heartbeat: ReturnType<typeof setInterval> | undefined;
  const end = (): void => {
    if (heartbeat === undefined) return;
    clearInterval(heartbeat);
    heartbeat = undefined;
    onEnd();
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // So that the caller hears at once that it is connected, and proxies do not close a quiet connection.
        controller.enqueue(encoder.encode(": connected\n\n"));
        heartbeat = setInterval(() => {
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(": heartbeat\n\n"));
        }, heartbeatMs);
      },
      async pull(controller) {
        const { done, value } = await events.next();
        if (done !== true) return controller.enqueue(encoder.encode(value));
        end();
        controller.close();
      },
      async cancel() {
        end();
        stop.abort();
        await events.return(undefined);
      },
    },
    { highWaterMark: 1 },
  );
}

async function* eventsOf(
  manager: AsyncSharedContextManager,
  options: Omit<StreamOptions, "heartbeatMs" | "onEnd">,
): AsyncGenerator<string, undefined> {
  try {
    let { place } = options;
    if (place === undefined) {
      const { changes, revision } = await howThingsAre(manager, options.filter);
      for (const change of changes) yield event(undefined, undefined, changeText(change));
      place = { revision, told: undefined };
      yield event("ready", String(revision), JSON.stringify({ revision }));
    }
    yield* changesAfter(manager, options, place);
  } catch (error) {
    if (options.signal.aborted) return undefined;
    // An empty id: the next connection of an EventSource begins with how things are.
    const name = isContextError(error, "COMPACTED") ? "compacted" : "problem";
    yield event(name, name === "compacted" ? "" : undefined, JSON.stringify(problemOf(error)));
  }
  return undefined;
}

async function* changesAfter(
  manager: AsyncSharedContextManager,
  { filter, coalesce, signal }: Pick<StreamOptions, "filter" | "coalesce" | "signal">,
  { revision, told }: Place,
): AsyncGenerator<string> {
  const after = told === undefined ? revision : Math.max(0, revision - 1);
  let last = revision;
  let count = 0;
  for await (const change of manager.watch(filter, { after, coalesce, signal })) {
    count = change.revision === last ? count + 1 : 1;
    last = change.revision;
    if (told !== undefined && last === revision && count <= told) continue;
    yield event(undefined, `${last}.${count}`, changeText(change));
  }
}

function event(name: string | undefined, id: string | undefined, data: string): string {
  const lines = [...(name === undefined ? [] : [`event: ${name}`]), ...(id === undefined ? [] : [`id: ${id}`])];
  // JSON has no line breaks, so that one line of data is enough.
  return `${[...lines, `data: ${data}`].join("\n")}\n\n`;
}
