/** Many contexts at once: export and import, one JSON object a line. */

import { createReadStream, createWriteStream, type WriteStream } from "node:fs";
import { once } from "node:events";
import { finished } from "node:stream/promises";
import type { Command, Input } from "./command.ts";
import { allContexts } from "./context-commands.ts";
import { EXIT } from "./exit-codes.ts";
import { isRefused, Refused, UsageError } from "./output.ts";
import { linesIn } from "./text.ts";

export const copyCommands: readonly Command[] = [
  {
    name: "export",
    usage: "export [FILE] [--prefix PREFIX]",
    help: "Writes contexts with their data to a file or stdout, one JSON object a line.",
    options: { prefix: { type: "string", value: "PREFIX", help: "only ids that begin so" } },
    examples: ["shared-context export contexts.jsonl", "shared-context export --prefix plans/ | gzip > plans.gz"],
    takes: [0, 1],
    async run(input, output, connection) {
      const api = await connection();
      const [path] = input.positionals;
      const file = path === undefined ? undefined : await created(path);
      let count = 0;
      for await (const context of allContexts(api, input.text("prefix"), true)) {
        const line = JSON.stringify(context);
        if (file === undefined) output.data(line);
        else if (!file.write(`${line}\n`)) await once(file, "drain");
        count += 1;
        if (count % 100 === 0) output.progress(count, undefined, "exported");
      }
      file?.end();
      if (file !== undefined) await finished(file);
      output.aside(`${count} exported`);
      return EXIT.done;
    },
  },
  {
    name: "import",
    usage: "import [FILE]",
    help: "Creates the contexts of an export, from a file or standard input. Those that are there already stay.",
    examples: ["shared-context import contexts.jsonl", "zcat plans.gz | shared-context import"],
    takes: [0, 1],
    async run(input, output, connection) {
      const api = await connection();
      const lines = await linesOf(input);
      let imported = 0;
      let existed = 0;
      for (const [index, { text, number }] of lines.entries()) {
        try {
          await api.send("POST", "/v1/contexts", { body: contextIn(text), query: { note: "import" } });
          imported += 1;
        } catch (error) {
          if (!isRefused(error, ["EXISTS"])) throw inLine(number, imported, error);
          existed += 1;
        }
        if ((index + 1) % 20 === 0 || index + 1 === lines.length) output.progress(index + 1, lines.length, "imported");
      }
      output.result({ imported, existed }, () => "");
      output.aside(`${imported} imported, ${existed} were there already`);
      return existed === 0 ? EXIT.done : EXIT.conflict;
    },
  },
];

async function created(path: string): Promise<WriteStream> {
  const file = createWriteStream(path);
  try {
    await once(file, "open");
  } catch (error) {
    throw noFile(path, error);
  }
  return file;
}

interface Line {
  readonly text: string;
  /** From 1, as an editor counts. */
  readonly number: number;
}

async function linesOf({ positionals: [path = "-"], streams }: Input): Promise<Line[]> {
  const lines: Line[] = [];
  let number = 0;
  for await (const text of path === "-" ? linesIn(streams.stdin, "standard input") : linesIn(fileAt(path), path)) {
    number += 1;
    if (text.trim() !== "") lines.push({ text, number });
  }
  return lines;
}

async function* fileAt(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw noFile(path, error);
  }
}

function noFile(path: string, error: unknown): UsageError {
  return new UsageError(`expected a file; ${path} is none that can be used: ${(error as Error).message}`);
}

function contextIn(line: string): { context_id: unknown; data: unknown } {
  const value = parsed(line) as { context_id?: unknown; data?: unknown } | null;
  if (typeof value !== "object" || value === null) throw new UsageError(`${EXPECTED}; received ${typeof value}`);
  return { context_id: value.context_id, data: value.data };
}

const EXPECTED = "expected a JSON object with context_id and data";

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new UsageError(`${EXPECTED}: ${(error as Error).message}`);
  }
}

/** The same error, with where it was and what had been done before. */
function inLine(number: number, imported: number, error: unknown): unknown {
  const told = (detail: string): string => `line ${number}: ${detail}; ${imported} imported before it`;
  if (error instanceof UsageError) return new UsageError(told(error.message));
  if (error instanceof Refused) return new Refused({ ...error.problem, detail: told(error.problem.detail) });
  return error;
}
