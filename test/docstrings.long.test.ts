/** The examples in the comments of what is public compile. */

import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = new URL("../", import.meta.url);
const sources = new URL("packages/manager/src/", root);
/** Not under version control; in the repository, so that packages are found from there. */
const folder = new URL("temp/docstrings/", root);
const compiler = fileURLToPath(new URL("node_modules/typescript/bin/tsc", root));

/** Where `manager` and its handles are those over a storage. */
const SHARED = /^(?:async\/|engine\.ts$|open\.ts$)/;

/** What examples take for granted. */
function given(file: string): string {
  const prefix = SHARED.test(file) ? "Async" : "";
  return `
import {
  type Agent, type AsyncAgent, type AsyncLease, type AsyncSharedContextManager, type AsyncTransaction, ContextError,
  diff, type Engine, ERROR_CODES, isContextError, type Lease, managerOver, openManager, SharedContext,
  SharedContextManager, type Transaction,
} from "shared-context-manager";
import { type EngineHarness, engineSuite, managerSuite, runWith } from "shared-context-manager/testing";
import { contextTools } from "shared-context-manager/tools";
type Data = any;
declare const manager: ${prefix}SharedContextManager<Data>, tx: ${prefix}Transaction<Data>;
declare const agent: ${prefix}Agent<Data>, planner: ${prefix}Agent<Data>, lease: ${prefix}Lease<Data>;
declare const context: SharedContext<Data>, from: SharedContext<Data>, data: Data, version: string, dump: string;
declare const error: unknown, engine: Engine, MyEngine: any, harness: EngineHarness;
declare function think(data: Data): Promise<Data>;
declare function urlOfServerFor(...given: unknown[]): string;
declare const model: unknown;
declare function generateText(options: object): Promise<void>;
`;
}

interface Example {
  /** The file that it stands in, and the line, as a name for a file. */
  readonly name: string;
  readonly code: string;
}

function examplesIn(file: string, text: string): Example[] {
  return Array.from(text.matchAll(/^ *\* ```ts\n(.*?)^ *\* ```$/gms), ({ index, 1: block = "" }) => {
    const lines = block.replaceAll(/^ *\* ?/gm, "").split("\n");
    const isImport = (line: string): boolean => line.startsWith("import ");
    const body = lines.filter((line) => !isImport(line)).join("\n");
    const code = [given(file), ...lines.filter(isImport), "export async function example() {", body, "}"].join("\n");
    return { name: `${file.replaceAll("/", ".")}.line-${text.slice(0, index).split("\n").length}.ts`, code };
  });
}

/** What the compiler says against examples, a line for each mistake. */
function mistakesIn(examples: readonly Example[]): string[] {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    const compilerOptions = { noUnusedLocals: false, noImplicitReturns: false };
    const config = { extends: "../../tsconfig.json", compilerOptions, include: ["*.ts"] };
    writeFileSync(new URL("tsconfig.json", folder), JSON.stringify(config));
    for (const { name, code } of examples) writeFileSync(new URL(name, folder), code);
    const { stdout } = spawnSync(process.execPath, [compiler, "-p", fileURLToPath(folder)], { encoding: "utf8" });
    return stdout.split("\n").filter((line) => line.includes("error TS"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe("the examples in comments", () => {
  it("compile, and a wrong one would not", () => {
    const files = readdirSync(sources, { recursive: true, encoding: "utf8" }).map((file) => file.replaceAll("\\", "/"));
    const examples = files
      .filter((file) => file.endsWith(".ts"))
      .flatMap((file) => examplesIn(file, readFileSync(new URL(file, sources), "utf8")));
    expect(examples.length).toBeGreaterThan(100);
    const [wrong] = examplesIn("wrong.ts", '/**\n * ```ts\n * manager.unlock("plan");\n * ```\n */');
    const mistakes = mistakesIn([...examples, wrong!]);
    expect(mistakes.filter((line) => !line.includes("wrong.ts.line-2.ts"))).toEqual([]);
    expect(mistakes).toHaveLength(1);
  }, 60_000);
});
