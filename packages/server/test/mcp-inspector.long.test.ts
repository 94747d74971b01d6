/** MCP as the Inspector sees it, from its command line: in strict mode, over HTTP and stdio, in both eras. */

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { openManager } from "shared-context-manager";
import { hashOf, serve, tokensOf } from "shared-context-server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inspector } from "../../../scripts/runtimes.mjs";
import { commandLine } from "./command-line.ts";
import { canRunSources, hasSqlite } from "./runtime.ts";

const { folder, newStore } = commandLine();

const VERSION = "2.12.0";
const OLDEST_NODE = [22, 19] as const;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const isNew = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
const found = isNew
  ? inspector(VERSION)
  : { missing: `it needs Node ${OLDEST_NODE.join(".")}, this is ${process.version}` };
if ("missing" in found) process.stderr.write(`the tests with the MCP Inspector are skipped: ${found.missing}\n`);

const isRequired = process.env["REQUIRE_RUNTIMES"] === "1";

interface Inspected {
  readonly code: number;
  readonly result: Record<string, any>;
  readonly findings: readonly { readonly severity: string; readonly rule: string }[];
}

function inspect(args: readonly string[]): Promise<Inspected> {
  if ("missing" in found) throw new Error(found.missing);
  // It keeps files of its own in the home folder.
  const env = { PATH: process.env["PATH"] ?? "", HOME: folder };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [found.file, "--cli", ...args, "--format", "json"], { env }, (error, stdout, stderr) => {
      if (stdout === "") return reject(new Error(stderr, { cause: error }));
      const { result, schemaFindings = [] } = JSON.parse(stdout) as {
        result: Inspected["result"];
        schemaFindings?: readonly { findings: Inspected["findings"] }[];
      };
      const code = typeof error?.code === "number" ? error.code : 0;
      return resolve({ code, result, findings: schemaFindings.flatMap(({ findings }) => findings) });
    });
  });
}

const cleanUps: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

/** How the Inspector gets to a store with one context. */
async function overHttp(): Promise<string[]> {
  const manager = await openManager("memory:");
  await manager.agent("bob").create("plan", { step: 1 });
  const tokens = tokensOf([{ name: "ann", agentId: "ann", rights: "write", hash: hashOf("a-secret-for-tests") }]);
  const server = await serve({ manager, tokens, port: 0, graceMs: 100 });
  cleanUps.push(
    () => manager.close(),
    () => server.close(),
  );
  return [`${server.url}/mcp`, "--header", "Authorization: Bearer a-secret-for-tests"];
}

async function overStdio(): Promise<string[]> {
  const store = newStore();
  await using manager = await openManager(store);
  await manager.agent("bob").create("plan", { step: 1 });
  const sources = ["--import", new URL("sources.mjs", import.meta.url).href];
  const program = fileURLToPath(new URL("../src/bin.ts", import.meta.url));
  return [process.execPath, ...sources, program, "mcp", "-e", `SHARED_CONTEXT_STORE=${store}`];
}

const transports: [name: string, reach: () => Promise<string[]>, canRun: boolean][] = [
  ["HTTP", overHttp, true],
  ["stdio", overStdio, hasSqlite && canRunSources],
];

describe.runIf("file" in found || isRequired)("the Inspector", { timeout: 30_000 }, () => {
  describe.each(transports.filter(([, , canRun]) => canRun))("over %s", (_name, reach) => {
    let target: string[] = [];
    beforeAll(async () => {
      target = await reach();
    });

    it.each(["legacy", "modern"])("finds no error in the tools, %s", async (era) => {
      const args = [...target, "--protocol-era", era, "--method", "tools/list", "--strict"];
      const { code, result, findings } = await inspect(args);
      expect(code).toBe(0);
      expect(result["tools"]).toHaveLength(8);
      // What is left are the places where any JSON is welcome, and which some frameworks take for closed without a schema.
      expect(new Set(findings.map(({ severity, rule }) => `${severity} ${rule}`))).toEqual(
        new Set(["warning untyped-schema"]),
      );
    });

    it.each(["legacy", "modern"])("calls a tool, lists the resources and reads one, %s", async (era) => {
      const ask = async (method: string, ...args: string[]): Promise<Inspected["result"]> => {
        const { code, result } = await inspect([...target, "--protocol-era", era, "--method", method, ...args]);
        expect(code).toBe(0);
        return result;
      };
      const input = ["--tool-name", "context_read", "--tool-args-json", '{"id":"plan"}'];
      expect(await ask("tools/call", ...input)).toMatchObject({
        structuredContent: { data: { step: 1 }, updated_by: "bob" },
      });
      expect(await ask("resources/list")).toMatchObject({ resources: [{ uri: "context://plan", name: "plan" }] });
      const { contents } = await ask("resources/read", "--uri", "context://plan");
      expect(JSON.parse(contents[0].text)).toMatchObject({ id: "plan", data: { step: 1 } });
    });
  });
});
