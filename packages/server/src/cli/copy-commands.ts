/** Many contexts at once: export and import, one JSON object a line. */

import { createReadStream, createWriteStream } from "node:fs";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { finished } from "node:stream/promises";
import type { Command, Input } from "./command.ts";
import { allContexts } from "./context-commands.ts";
import { EXIT } from "./exit-codes.ts";
import { Refused, UsageError } from "./output.ts";

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
      const file = path === undefined ? undefined : createWriteStream(path);
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
      for (const [index, line] of lines.entries()) {
        const { context_id, data } = contextIn(line, index + 1);
        try {
          await api.send("POST", "/v1/contexts", { body: { context_id, data }, query: { note: "import" } });
          imported += 1;
        } catch (error) {
          if (!(error instanceof Refused) || error.problem.code !== "EXISTS") throw error;
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

async function linesOf(input: Input): Promise<string[]> {
  const [path] = input.positionals;
  if (path === undefined || path === "-") return (await input.stdin()).split("\n").filter((line) => line.trim() !== "");
  const lines: string[] = [];
  const source = createReadStream(path);
  await once(source, "open");
  for await (const line of createInterface({ input: source })) if (line.trim() !== "") lines.push(line);
  return lines;
}

function contextIn(line: string, number: number): { context_id: unknown; data: unknown } {
  try {
    return JSON.parse(line) as { context_id: unknown; data: unknown };
  } catch (error) {
    throw new UsageError(
      `line ${number}: expected a JSON object with context_id and data: ${(error as Error).message}`,
    );
  }
}
