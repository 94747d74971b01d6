/** The official conformance suite against `/mcp`; the page of MCP says which of its scenarios apply, and why not the rest. */

import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openManager } from "shared-context-manager";
import { serve } from "shared-context-server";
import { beforeAll, describe, expect, it } from "vitest";
import { commandLine } from "./command-line.ts";

const { folder } = commandLine();

const page = readFileSync(new URL("../../../docs/mcp.md", import.meta.url), "utf8");
const suite = new URL("../../../node_modules/@modelcontextprotocol/conformance/dist/index.js", import.meta.url);
const canRun = Number(process.versions.node.split(".")[0]) >= 22;
if (!canRun) process.stderr.write(`Node ${process.version}: the MCP conformance suite needs 22 and is skipped\n`);

const APPLIES = "applies";

interface Row {
  readonly scenarios: readonly string[];
  readonly verdict: string;
}

/** The table under the heading: scenarios, and whether they apply. */
function table(): Row[] {
  const [, section = ""] = /^## Conformance$(.*?)(?=^## |$(?![\s\S]))/ms.exec(page) ?? [];
  return Array.from(section.matchAll(/^\| (`.*?) +\| (.*?) +\|$/gm), ([, names = "", verdict = ""]) => ({
    scenarios: Array.from(names.matchAll(/`([^`]+)`/g), ([, name = ""]) => name),
    verdict,
  }));
}

const rows = table();
const listed = (applies: boolean): string[] =>
  rows
    .filter(({ verdict }) => (verdict === APPLIES) === applies)
    .flatMap(({ scenarios }) => scenarios)
    .toSorted();

interface Check {
  readonly id: string;
  readonly status: "SUCCESS" | "FAILURE" | "WARNING" | "INFO";
  readonly errorMessage?: string;
}

/** It prints what it does, and exits with 1 when any scenario fails. */
function run(args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, [fileURLToPath(suite), ...args], (_error, stdout) => resolve(stdout));
  });
}

describe.runIf(canRun)("the official conformance suite", () => {
  let scenarios: string[] = [];
  const checks = new Map<string, Check[]>();
  beforeAll(async () => {
    scenarios = Array.from((await run(["list", "--server"])).matchAll(/^ +- (\S+)/gm), ([, name = ""]) => name);
    await using manager = await openManager("memory:");
    await manager.create("plan", { step: 1 });
    await using server = await serve({ manager, port: 0, graceMs: 100 });
    await run(["server", "--url", `${server.url}/mcp`, "--suite", "all", "--output-dir", folder]);
    for (const name of readdirSync(folder)) {
      const scenario = scenarios.find((one) => name.startsWith(`server-${one}-2`));
      if (scenario === undefined) continue;
      checks.set(scenario, JSON.parse(readFileSync(join(folder, name, "checks.json"), "utf8")) as Check[]);
    }
  }, 60_000);

  it("has run every scenario that it knows, and the page tells of each of them", () => {
    expect(scenarios.length).toBeGreaterThan(0);
    expect([...checks.keys()].toSorted()).toEqual(scenarios.toSorted());
    expect([...listed(true), ...listed(false)].toSorted()).toEqual(scenarios.toSorted());
  });

  it.each(listed(true))("is satisfied with %s", (scenario) => {
    const found = checks.get(scenario) ?? [];
    expect(found.filter(({ status }) => status !== "SUCCESS" && status !== "INFO")).toEqual([]);
    expect(found.some(({ status }) => status === "SUCCESS")).toBe(true);
  });

  it.each(listed(false))("does not pass %s, as the page says", (scenario) => {
    const statuses = (checks.get(scenario) ?? []).map(({ status }) => status);
    expect(statuses.some((status) => status === "FAILURE" || status === "WARNING")).toBe(true);
  });
});
