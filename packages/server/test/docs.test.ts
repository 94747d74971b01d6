/** The examples of the HTTP API do what the page says, in its order, on an empty store. */

import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { openManager } from "shared-context-manager";
import { hashOf, serve, tokensOf } from "shared-context-server";
import { describe, expect, it } from "vitest";
import { ROUTES } from "../src/routes.ts";

const page = readFileSync(new URL("../../../docs/http.md", import.meta.url), "utf8");
const hasCurl = spawnSync("curl", ["--version"]).status === 0;
if (!hasCurl) process.stderr.write("curl is not installed: the examples of docs/http.md are not run\n");

interface Example {
  readonly command: string;
  readonly status: string;
}

const examples: Example[] = Array.from(
  page.matchAll(/^```sh\n(curl .*?)\n# (\d+)\n```$/gms),
  ([, command = "", status = ""]) => ({ command, status }),
);

function routeOf({ command }: Example): string {
  const [, path = ""] = /\$URL([^"?]*)/.exec(command) ?? [];
  const [, method = / -d /.test(command) ? "POST" : "GET"] = / -X (\w+)/.exec(command) ?? [];
  return `${method} ${path.replace(/(?<=^\/v1\/contexts\/)[^/]+/, "{id}")}`;
}

describe("docs/http.md", () => {
  it("has an example of every route, and every example says its status", () => {
    expect(examples.length).toBe((page.match(/^curl /gm) ?? []).length);
    const routes = ROUTES.map(({ method, path }) => `${method} ${path}`);
    const shown = new Set(examples.map(routeOf));
    expect(routes.filter((route) => !shown.has(route))).toEqual([]);
    expect([...shown].filter((route) => !routes.includes(route))).toEqual([]);
  });

  it.runIf(hasCurl)("has examples that are answered as it says", { timeout: 60_000 }, async () => {
    await using manager = await openManager("memory:");
    const tokens = tokensOf([{ name: "admin", agentId: null, rights: "admin", hash: hashOf("a-secret-for-tests") }]);
    await using server = await serve({ manager, tokens, port: 0, graceMs: 100 });
    const env = { PATH: process.env["PATH"] ?? "", URL: server.url, AUTH: "Authorization: Bearer a-secret-for-tests" };
    for (const { command, status } of examples) {
      const answer = await output(command, env);
      expect(answer.split("\r\n")[0], `${command}\n${answer}`).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    }
  });
});

/** What a command prints, whatever its exit code: a stream is cut off by curl itself. */
function output(command: string, env: Record<string, string>): Promise<string> {
  return new Promise((resolve) => {
    execFile("sh", ["-c", command], { env }, (_error, stdout) => resolve(stdout));
  });
}
