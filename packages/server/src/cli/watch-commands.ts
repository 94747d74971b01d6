/** Commands that wait for what others do: wait, watch. */

import { ContextError } from "shared-context-manager";
import type { ContextBody } from "../bodies.ts";
import { problemOf } from "../problems.ts";
import type { Command, Input } from "./command.ts";
import type { Connection } from "./connect.ts";
import { below, tagOf } from "./context-commands.ts";
import { EXIT } from "./exit-codes.ts";
import { readEtag, readWhole } from "./options.ts";
import { isRefused, type Output, refusal, Refused } from "./output.ts";
import { patiently } from "./patience.ts";

export const watchCommands: readonly Command[] = [
  {
    name: "wait",
    usage: "wait ID [--path POINTER [--equals JSON]] [--changed ETAG] [--unlocked] [--timeout MS]",
    help: "Waits until the context is there, and as described.",
    options: {
      path: { type: "string", value: "POINTER", help: "there is a value at this path" },
      equals: { type: "string", value: "JSON", needs: "path", help: "and it is this one" },
      changed: { type: "string", value: "ETAG", help: "the data is no longer this" },
      unlocked: { type: "boolean", help: "nobody holds the lock" },
      timeout: { type: "string", value: "MS", help: "how long: 30000" },
    },
    examples: [`shared-context wait plan --path /status --equals '"done"' --timeout 60000`],
    takes: [1, 1],
    run: wait,
  },
  {
    name: "watch",
    usage: "watch [ID] [--prefix PREFIX] [--after ID]",
    help: "Prints what happens, a line for each change, until it is stopped.",
    options: {
      prefix: { type: "string", value: "PREFIX", help: "only ids that begin so" },
      after: { type: "string", value: "ID", help: "go on after this event" },
      count: { type: "string", value: "N", help: "stop after so many changes" },
    },
    examples: ["shared-context watch", "shared-context watch plan --json", "shared-context watch --prefix plans/"],
    takes: [0, 1],
    run: watch,
  },
];

async function wait(input: Input, output: Output, connection: () => Promise<Connection>): Promise<number> {
  const [id = ""] = input.positionals;
  const changed = input.text("changed");
  const headers = { "if-none-match": changed === undefined ? undefined : readEtag("changed", changed) };
  const timeoutMs = readWhole(input, "timeout", { unit: "milliseconds" }) ?? 30_000;
  const conditions = {
    path: input.text("path"),
    equals: input.text("equals"),
    unlocked: input.flag("unlocked") ? "true" : undefined,
  };
  const api = await connection();
  let isUnchanged = false;
  const ask = async (leftMs: number): Promise<ContextBody> => {
    const query = { ...conditions, timeout_ms: String(leftMs) };
    const { status, body } = await api.send("GET", below(id, "wait"), { query, headers, signal: input.signal });
    isUnchanged = status === 304;
    if (!isUnchanged) return body as ContextBody;
    throw new Refused(problemOf(new ContextError("TIMEOUT", { contextId: id, timeoutMs, position: 0, holder: null })));
  };
  try {
    const context = await patiently(timeoutMs, ["TIMEOUT"], ask);
    output.result(context, () => JSON.stringify(context.data, null, 2));
    return EXIT.done;
  } catch (error) {
    if (!isRefused(error, ["TIMEOUT"])) throw error;
    const { problem } = error;
    const { current } = problem.details as { current?: ContextBody };
    const present = current === undefined ? "does not exist" : `is at ${tagOf(current)}`;
    const state = isUnchanged ? `is still at ${String(changed)}` : present;
    const detail = `waited ${timeoutMs} ms for context ${JSON.stringify(id)}, which ${state}, to be as asked for: wait longer, or ask who should have changed it`;
    // The last question was asked for what was left of the time.
    throw new Refused({ ...problem, detail, details: { ...problem.details, timeout_ms: timeoutMs } });
  }
}

interface ChangeFields {
  readonly revision: number;
  readonly kind: string;
  readonly context_id: string | null;
  readonly agent_id: string | null;
  readonly note: string | null;
  readonly context: ContextBody | null;
}

async function watch(input: Input, output: Output, connection: () => Promise<Connection>): Promise<number> {
  const query = { context_id: input.positionals[0], prefix: input.text("prefix"), after: input.text("after") };
  const most = readWhole(input, "count", { least: 1 }) ?? Infinity;
  const response = await (await connection()).open("GET", "/v1/changes", { query, signal: input.signal });
  let count = 0;
  let last = query.after;
  let reason = "it has ended the stream";
  try {
    for await (const { name, data, id } of eventsIn(response)) {
      if (name !== "ready" && name !== "message") throw new Refused(JSON.parse(data) as Refused["problem"]);
      if (name === "message") {
        const change = JSON.parse(data) as ChangeFields;
        output.result(change, () => cellsOf(change));
        count += 1;
        if (count >= most) return EXIT.done;
      }
      last = id ?? last;
    }
  } catch (error) {
    // What `fetch` reads and is cut off is a TypeError.
    if (!input.signal.aborted && !(error instanceof TypeError)) throw error;
    reason = (error as Error).message;
  }
  if (input.signal.aborted) return EXIT.done;
  const goOn = last === undefined ? "watch again" : `go on with --after ${last}`;
  throw refusal(
    new ContextError("UNAVAILABLE", { reason }),
    `the server has gone away (${reason}): when it is back, ${goOn}`,
  );
}

function cellsOf({ revision, kind, context_id: id, agent_id: by, note, context }: ChangeFields): (string | number)[] {
  const version = context === null ? "" : ` version ${context.version}`;
  return [revision, kind, `${id ?? "*"}${version}`, by ?? "-", note ?? ""];
}

interface ServerEvent {
  readonly name: string;
  readonly data: string;
  readonly id: string | undefined;
}

/** Server-sent events; comments are passed over. */
async function* eventsIn(response: Response): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = new Map(
        block.split("\n").map((line): [string, string] => {
          const [name = "", value = ""] = line.split(/: ?(.*)/s);
          return [name, value];
        }),
      );
      const data = fields.get("data");
      if (data !== undefined) yield { name: fields.get("event") ?? "message", data, id: fields.get("id") };
    }
  }
}
