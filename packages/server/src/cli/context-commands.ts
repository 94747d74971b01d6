/** Commands on contexts: ls, get, create, update, patch, rm, history, blame, restore. */

import type { ContextBody } from "../bodies.ts";
import { MERGE_PATCH_TYPE, OPERATIONS_TYPE, pathOf } from "../routes/parts.ts";
import type { Command, Input } from "./command.ts";
import type { Connection } from "./connect.ts";
import { EXIT } from "./exit-codes.ts";
import { readEtag } from "./options.ts";
import { type Output, UsageError } from "./output.ts";

const EXPECTED = {
  expected: { type: "string", value: "ETAG", help: "what you have read, such as 12.3, or any for whatever is there" },
} as const;
const WRITING = {
  note: { type: "string", value: "TEXT", help: "why, for history and blame" },
  "lock-token": { type: "string", value: "TOKEN", help: "write only while this lock is held" },
} as const;

/** The path of something below a context. */
export function below(contextId: string, part: string): string {
  const path = pathOf(contextId);
  return path.includes("?") ? path.replace("/?", `//${part}?`) : `${path}/${part}`;
}

/** The ETag, without its quotes. */
export function tagOf({ incarnation, version }: ContextBody): string {
  return `${incarnation}.${version}`;
}

function ifMatch(expected: string | undefined): string {
  if (expected === undefined) {
    throw new UsageError("expected --expected ETAG, as get --json tells it (incarnation.version), or --expected any");
  }
  if (expected === "any" || expected === "*") return "*";
  return readEtag("expected", expected, ", or any");
}

/** The argument, or standard input when there is none or it is `-`. */
async function jsonFrom(input: Input, at: number): Promise<unknown> {
  const argument = input.positionals[at];
  const text = argument === undefined || argument === "-" ? await input.stdin() : argument;
  if (text.trim() === "") throw new UsageError("expected JSON, as an argument or on standard input; received nothing");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`expected JSON: ${(error as Error).message}`);
  }
}

function writeHeaders(input: Input, match?: string): Record<string, string | undefined> {
  return { "if-match": match, "lock-token": input.text("lock-token") };
}

/** Data on stdout, and what version it is on stderr. @param verb - what the caller has done, when it has done anything. */
function show(output: Output, body: unknown, verb?: string): number {
  const context = body as ContextBody;
  output.result(context, () => JSON.stringify(context.data, null, 2));
  const by =
    context.updated_by === undefined ? "" : `${verb === undefined ? ", written" : ""} by ${context.updated_by}`;
  const lock = context.locked_by === null ? "" : `, locked by ${context.locked_by}`;
  const is = verb === undefined ? `${context.context_id} is` : `${verb} ${context.context_id}`;
  output.aside(`${is} at ${tagOf(context)}${by}${lock}`);
  return EXIT.done;
}

export const contextCommands: readonly Command[] = [
  {
    name: "ls",
    usage: "ls [PREFIX]",
    help: "Lists contexts: id, ETag, bytes, who holds the lock.",
    examples: ["shared-context ls", "shared-context ls plans/ --json"],
    takes: [0, 1],
    async run(input, output, connection) {
      const api = await connection();
      for await (const context of allContexts(api, input.positionals[0], false)) {
        const { context_id: id, bytes, locked_by: owner } = context;
        const lock = owner === null ? "" : `  locked by ${owner}`;
        output.result(context, () => [id, tagOf(context), `${bytes ?? 0} B${lock}`]);
      }
      return EXIT.done;
    },
  },
  {
    name: "get",
    usage: "get ID",
    help: "Prints the data; with --json the whole context.",
    examples: ["shared-context get plan", "shared-context get plan --json"],
    takes: [1, 1],
    async run({ positionals: [id = ""] }, output, connection) {
      return show(output, (await (await connection()).send("GET", pathOf(id))).body);
    },
  },
  {
    name: "create",
    usage: "create ID [DATA]",
    help: "Creates a context from JSON: the argument, or standard input.",
    options: { note: WRITING.note },
    examples: [`shared-context create plan '{"step": 1}'`, "shared-context create plan < plan.json"],
    takes: [1, 2],
    async run(input, output, connection) {
      const [id = ""] = input.positionals;
      const body = { context_id: id, data: await jsonFrom(input, 1) };
      const sent = { body, query: { note: input.text("note") } };
      return show(output, (await (await connection()).send("POST", "/v1/contexts", sent)).body, "created");
    },
  },
  {
    name: "update",
    usage: "update ID [DATA] --expected ETAG",
    help: "Replaces the data, if nobody has changed it since.",
    options: { ...EXPECTED, ...WRITING },
    examples: [`shared-context update plan '{"step": 2}' --expected 12.1`],
    takes: [1, 2],
    async run(input, output, connection) {
      const headers = writeHeaders(input, ifMatch(input.text("expected")));
      const sent = { body: await jsonFrom(input, 1), headers, query: { note: input.text("note") } };
      const [id = ""] = input.positionals;
      return show(output, (await (await connection()).send("PUT", pathOf(id), sent)).body, "updated");
    },
  },
  {
    name: "patch",
    usage: "patch ID [PATCH] [--expected ETAG]",
    help: "Changes only what the patch names: a merge patch, or a list of operations.",
    options: { ...EXPECTED, ...WRITING },
    examples: [
      `shared-context patch plan '{"owner": "ann"}'`,
      `shared-context patch plan '[{"op": "increment", "path": "/step"}]' --expected 12.1`,
    ],
    takes: [1, 2],
    async run(input, output, connection) {
      const body = await jsonFrom(input, 1);
      const headers = writeHeaders(input, ifMatch(input.text("expected") ?? "any"));
      const type = Array.isArray(body) ? OPERATIONS_TYPE : MERGE_PATCH_TYPE;
      const sent = { body, type, headers, query: { note: input.text("note") } };
      const [id = ""] = input.positionals;
      return show(output, (await (await connection()).send("PATCH", pathOf(id), sent)).body, "patched");
    },
  },
  {
    name: "rm",
    usage: "rm ID --expected ETAG [--force]",
    help: "Deletes a context.",
    options: { ...EXPECTED, ...WRITING, force: { type: "boolean", help: "whoever holds its lock (admin)" } },
    examples: ["shared-context rm plan --expected 12.4", "shared-context rm plan --expected any"],
    takes: [1, 1],
    async run(input, output, connection) {
      const [id = ""] = input.positionals;
      const headers = writeHeaders(input, ifMatch(input.text("expected")));
      const query = { note: input.text("note"), force: input.flag("force") ? "true" : undefined };
      await (await connection()).send("DELETE", pathOf(id), { headers, query });
      output.result({ deleted: id }, () => "");
      output.aside(`deleted ${id}`);
      return EXIT.done;
    },
  },
  {
    name: "history",
    usage: "history ID",
    help: "The versions that are kept, the oldest first.",
    examples: ["shared-context history plan"],
    takes: [1, 1],
    async run({ positionals: [id = ""] }, output, connection) {
      const { body } = await (await connection()).send("GET", below(id, "history"));
      for (const version of (body as { versions: ContextBody[] }).versions) {
        const { updated_at: at, updated_by: by = "-", note = "", data } = version;
        output.result(version, () => [version.version, at, by, note, JSON.stringify(data)]);
      }
      return EXIT.done;
    },
  },
  {
    name: "blame",
    usage: "blame ID",
    help: "Who wrote each value that is there now.",
    examples: ["shared-context blame plan"],
    takes: [1, 1],
    async run({ positionals: [id = ""] }, output, connection) {
      const { body } = await (await connection()).send("GET", below(id, "blame"));
      for (const line of (body as { lines: BlameFields[] }).lines) {
        const { path, version, agent_id: by, note } = line;
        output.result(line, () => [path, version, by ?? "-", note ?? ""]);
      }
      return EXIT.done;
    },
  },
  {
    name: "restore",
    usage: "restore ID VERSION [--expected ETAG]",
    help: "Writes the data of an earlier version as a new version.",
    options: { ...EXPECTED, ...WRITING },
    examples: ["shared-context restore plan 3"],
    takes: [2, 2],
    async run(input, output, connection) {
      const [id = "", version = ""] = input.positionals;
      const headers = writeHeaders(input, ifMatch(input.text("expected") ?? "any"));
      const sent = { body: { version }, headers, query: { note: input.text("note") } };
      return show(output, (await (await connection()).send("POST", below(id, "restore"), sent)).body, "restored");
    },
  },
];

interface BlameFields {
  readonly path: string;
  readonly version: string;
  readonly agent_id: string | null;
  readonly note: string | null;
}

export type Listed = ContextBody & { readonly bytes?: number };

/** Every context, page by page. */
export async function* allContexts(
  api: Connection,
  prefix: string | undefined,
  withData: boolean,
): AsyncGenerator<Listed> {
  let after: string | undefined;
  do {
    const query = { prefix, after, limit: "500", data: withData ? "true" : undefined };
    const page = (await api.send("GET", "/v1/contexts", { query })).body as { contexts: Listed[]; next: string | null };
    yield* page.contexts;
    after = page.next ?? undefined;
  } while (after !== undefined);
}
