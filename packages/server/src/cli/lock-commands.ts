/** Commands that hold, wait and watch: lock, unlock, wait, watch. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import type { ContextBody } from "../bodies.ts";
import { pathOf } from "../routes/parts.ts";
import type { Command, Input } from "./command.ts";
import type { Connection } from "./connect.ts";
import { below } from "./context-commands.ts";
import { EXIT } from "./exit-codes.ts";
import { type Output, Refused, UsageError } from "./output.ts";

export const lockCommands: readonly Command[] = [
  {
    name: "lock",
    usage: "lock ID... [--ttl MS|never] [--wait MS] [-- COMMAND...]",
    help: "Takes the lock, of several all or none; with a command holds it while that runs, and ends with its exit code.",
    options: {
      ttl: { type: "string", value: "MS", help: "how long it lasts: 30000; never is until it is released" },
      wait: { type: "string", value: "MS", help: "how long to wait for it: 0" },
    },
    examples: [
      "shared-context lock plan --as ann",
      "shared-context lock plan --as ann --wait 60000 -- make deploy",
      "shared-context lock plan budget --as ann -- ./move-money.sh",
    ],
    takes: [1, Infinity],
    run: takeLock,
  },
  {
    name: "unlock",
    usage: "unlock ID [--force --reason TEXT]",
    help: "Releases the lock of the agent, or breaks that of another.",
    options: {
      force: { type: "boolean", help: "whoever holds it (admin)" },
      reason: { type: "string", value: "TEXT", help: "why, for the holder to read" },
    },
    examples: ["shared-context unlock plan --as ann", 'shared-context unlock plan --force --reason "ann has gone"'],
    takes: [1, 1],
    async run(input, output, connection) {
      const [id = ""] = input.positionals;
      const api = await connection();
      const query = input.flag("force") ? { force: "true", reason: input.text("reason") } : {};
      const token = input.flag("force") ? undefined : await heldToken(api, id);
      await api.send("DELETE", below(id, "lock"), { query, headers: { "lock-token": token } });
      output.result({ unlocked: id }, () => "");
      output.note(output.dim(`unlocked ${id}`));
      return EXIT.done;
    },
  },
  {
    name: "wait",
    usage: "wait ID [--path POINTER [--equals JSON]] [--changed ETAG] [--unlocked] [--timeout MS]",
    help: "Waits until the context is there, and as described.",
    options: {
      path: { type: "string", value: "POINTER", help: "there is a value at this path" },
      equals: { type: "string", value: "JSON", help: "and it is this one" },
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

const TTL_MS = 30_000;

function readMs(input: Input, option: string, byDefault: number): number {
  const text = input.text(option);
  if (text === undefined) return byDefault;
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new UsageError(`--${option}: expected a whole number of milliseconds; received ${JSON.stringify(text)}`);
}

function readTtl(input: Input): number | null {
  return input.text("ttl") === "never" ? null : readMs(input, "ttl", TTL_MS);
}

async function takeLock(input: Input, output: Output, connection: () => Promise<Connection>): Promise<number> {
  const ids = input.positionals;
  const ttlMs = readTtl(input);
  const api = await connection();
  const taken = await taking(api, ids, { ttl_ms: ttlMs, timeout_ms: readMs(input, "wait", 0) }, input.signal);
  const [{ lock_token: number, locked_by: owner, lock_expires_at: expiry }] = taken as [ContextBody];
  const token = String(number);
  if (input.rest.length > 0) return whileHeld(input, output, { api, ids, token, ttlMs, owner: owner ?? "" });
  for (const context of taken) output.result(context, () => (context === taken[0] ? token : ""));
  output.note(output.dim(`${String(owner)} holds ${ids.join(", ")} until ${expiry ?? "it is unlocked"}`));
  return EXIT.done;
}

/** One context is locked again by who has it, several are not: a server grants them together or not at all. */
async function taking(
  api: Connection,
  ids: readonly string[],
  how: object,
  signal: AbortSignal,
): Promise<readonly ContextBody[]> {
  const [id = "", ...others] = ids;
  if (others.length === 0) {
    return [(await api.send("POST", below(id, "lock"), { body: how, signal })).body as ContextBody];
  }
  const { body } = await api.send("POST", "/v1/locks", { body: { context_ids: ids, ...how }, signal });
  return (body as { contexts: ContextBody[] }).contexts;
}

interface Held {
  readonly api: Connection;
  readonly ids: readonly string[];
  readonly token: string;
  readonly ttlMs: number | null;
  readonly owner: string;
}

/** Runs the command, renews meanwhile, and stops the command when the lock is lost. */
async function whileHeld(input: Input, output: Output, { api, ids, token, ttlMs, owner }: Held): Promise<number> {
  const [command = "", ...parameters] = input.rest;
  const env = { ...input.env, SHARED_CONTEXT_STORE: input.store, SHARED_CONTEXT_AGENT: owner };
  const child = spawn(command, parameters, { stdio: "inherit", env });
  const headers = { "lock-token": token };
  let lost: Error | undefined;
  const renew = (): void => {
    const body = { context_ids: ids, ttl_ms: ttlMs };
    api.send("PATCH", "/v1/locks", { headers, body }).catch((error: unknown) => {
      // A server that does not answer may be back before the lock lapses.
      if (error instanceof Refused && error.problem.code === "UNAVAILABLE") return;
      lost = error as Error;
      child.kill();
    });
  };
  // What never lapses is asked about all the same: it may have been broken.
  const renewal = setInterval(renew, (ttlMs ?? TTL_MS) / 3);
  const stop = (): void => void child.kill();
  input.signal.addEventListener("abort", stop);
  let exitCode: number;
  try {
    const [code] = (await once(child, "exit")) as [number | null];
    exitCode = code ?? EXIT.failed;
  } catch (error) {
    output.failure(new Error(`the command cannot be run: ${(error as Error).message}`));
    exitCode = EXIT.failed;
  } finally {
    clearInterval(renewal);
    input.signal.removeEventListener("abort", stop);
  }
  if (lost !== undefined) throw lost;
  await api.send("POST", "/v1/locks/release", { headers, body: { context_ids: ids } });
  return exitCode;
}

async function heldToken(api: Connection, id: string): Promise<string> {
  const context = (await api.send("GET", pathOf(id))).body as ContextBody;
  // Whose it is, the server compares with the agent; without a lock no token fits.
  return String(context.lock_token ?? Number.MAX_SAFE_INTEGER);
}

async function wait(input: Input, output: Output, connection: () => Promise<Connection>): Promise<number> {
  const [id = ""] = input.positionals;
  const changed = input.text("changed");
  const endMs = performance.now() + readMs(input, "timeout", 30_000);
  const api = await connection();
  for (;;) {
    const leftMs = Math.max(0, Math.ceil(endMs - performance.now()));
    const query = {
      path: input.text("path"),
      equals: input.text("equals"),
      unlocked: input.flag("unlocked") ? "true" : undefined,
      timeout_ms: String(leftMs),
    };
    const headers = { "if-none-match": changed === undefined ? undefined : `"${changed.replaceAll('"', "")}"` };
    try {
      const { status, body } = await api.send("GET", below(id, "wait"), { query, headers, signal: input.signal });
      if (status === 200) {
        const context = body as ContextBody;
        output.result(context, () => JSON.stringify(context.data, null, 2));
        return EXIT.done;
      }
    } catch (error) {
      // A server waits only so long at once.
      const isTimeout = error instanceof Refused && error.problem.code === "TIMEOUT";
      if (!isTimeout || performance.now() >= endMs) throw error;
      continue;
    }
    if (performance.now() < endMs) continue;
    output.note(`${id} has not changed`);
    return EXIT.timeout;
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
  const most = readMs(input, "count", Infinity);
  const response = await (await connection()).open("GET", "/v1/changes", { query, signal: input.signal });
  let count = 0;
  try {
    for await (const { name, data } of eventsIn(response)) {
      if (name === "ready") continue;
      if (name !== "message") throw new Refused(JSON.parse(data) as Refused["problem"]);
      const change = JSON.parse(data) as ChangeFields;
      output.result(change, () => lineOf(change));
      count += 1;
      if (count >= most) return EXIT.done;
    }
  } catch (error) {
    if (!input.signal.aborted) throw error;
  }
  return EXIT.done;
}

function lineOf({ revision, kind, context_id: id, agent_id: by, note, context }: ChangeFields): string {
  const version = context === null ? "" : ` version ${context.version}`;
  return `${revision}\t${kind}\t${id ?? "*"}${version}\t${by ?? "-"}\t${note ?? ""}`;
}

/** Server-sent events; comments are passed over. */
async function* eventsIn(response: Response): AsyncGenerator<{ name: string; data: string }> {
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
      if (data !== undefined) yield { name: fields.get("event") ?? "message", data };
    }
  }
}
