/** What the command line shows of what is there, and of what goes wrong on the way. */

import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type AsyncSharedContextManager, openManager, type OpenOptions } from "shared-context-manager";
import { serve } from "shared-context-server";
import { describe, expect, it } from "vitest";
import { lockChecks, nodeCheck } from "../src/cli/doctor.ts";
import { exitCodeOf } from "../src/cli/exit-codes.ts";
import { commandLineOf } from "../src/cli/main.ts";
import { commandLine } from "./command-line.ts";
import { hasSqlite } from "./runtime.ts";

const { folder, newStore, run } = commandLine();

/** A server on a store in memory. */
async function withServer(
  run_: (url: string, manager: AsyncSharedContextManager) => Promise<void>,
  options: OpenOptions = {},
) {
  await using manager = await openManager("memory:", options);
  await using server = await serve({ manager, port: 0, graceMs: 100 });
  await run_(server.url, manager);
}

describe("what was typed", () => {
  it.each([
    ["/bin/shared-context", ["ls"], ["ls"]],
    ["/bin/shared-context", [], []],
    ["/bin/shared-context-server", [], ["serve"]],
    ["/bin/shared-context-server", ["--port", "0"], ["serve", "--port", "0"]],
    ["/bin/shared-context-server", ["mcp"], ["mcp"]],
    ["/bin/shared-context-server", ["--help"], ["--help"]],
    ["/bin/shared-context-server", ["--version"], ["--version"]],
  ])("as %s %j is %j", (program, typed, command) => {
    expect(commandLineOf(["/bin/node", program, ...typed])).toEqual(command);
  });
});

describe("exit codes", () => {
  it("are those of docs/server.md, for every code that it names", () => {
    const page = readFileSync(new URL("../../../docs/server.md", import.meta.url), "utf8");
    const rows = Array.from(page.matchAll(/^\| (\d) +\| (.*?) +\|$/gm), ([, code = "", when = ""]) => ({
      code: Number(code),
      names: when.match(/[A-Z]+_[A-Z]+|[A-Z]{4,}/g) ?? [],
    }));
    expect(rows.map(({ code }) => code)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    const named = rows.filter(({ code }) => code >= 3);
    expect(named.flatMap(({ names }) => names).length).toBeGreaterThanOrEqual(12);
    for (const { code, names } of named)
      for (const name of names) expect([name, exitCodeOf(name)]).toEqual([name, code]);
    expect(exitCodeOf("INTERNAL")).toBe(1);
  });
});

describe("contexts", () => {
  it("of an id that a path cannot carry, which nobody has signed and somebody has locked", async () => {
    await withServer(async (url, manager) => {
      await manager.create("..", { step: 1 });
      await manager.lock("..", "ann");
      const shown = await run(url, ["get", ".."]);
      expect(shown.stderr.trim()).toBe(".. is at 1.1, locked by ann");
      expect((await run(url, ["ls"])).stdout).toMatch(/^\.\.\t1\.1\t\d+ B {2}locked by ann\n$/);
      expect((await run(url, ["history", ".."])).stdout).toContain('\t-\t\t{"step":1}');
      expect((await run(url, ["blame", ".."])).stdout).toBe("/step\t1\t-\t\n");
    });
  });

  it("with who has written them, and not who reads", async () => {
    await withServer(async (url, manager) => {
      await manager.agent("ann").create("plan", {});
      expect((await run(url, ["get", "plan", "--as", "carol"])).stderr).toBe("plan is at 1.1, written by ann\n");
    });
  });

  it("whose names have control characters, as JSON has them, so that they stay on their line", async () => {
    await withServer(async (url, manager) => {
      const id = "a\tb\nc\u001B[31m\u009B1m\u202E";
      const shown = String.raw`a\tb\nc\u001b[31m\u009b1m\u202e`;
      await manager.agent(id).create(id, { text: "\u009B1m" });
      expect((await run(url, ["ls"])).stdout).toBe(`${shown}\t1.1\t15 B\n`);
      expect(await run(url, ["get", id])).toMatchObject({
        stdout: '{\n  "text": "\\u009b1m"\n}\n',
        stderr: `${shown} is at 1.1, written by ${shown}\n`,
      });
      expect((await run(url, ["watch", "--count", "1"])).stdout).toBe(`1\tcurrent\t${shown} version 1\t${shown}\t\n`);
      expect(JSON.parse((await run(url, ["ls", "--json"])).stdout)).toMatchObject({ context_id: id });
    });
  });

  it("that have changed meanwhile, with what was read, is wanted and is there, for each path", async () => {
    const store = newStore();
    await run(store, ["create", "plan", '{"step":1}']);
    await run(store, ["patch", "plan", '{"step":2}']);
    const refused = await run(store, ["patch", "plan", '{"step":3}', "--expected", "1.1"]);
    expect(refused).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('\n  "/step": base 1, yours 3, theirs 2\n'),
    });
  });

  it("that are written as JSON of another kind are refused as what they are", async () => {
    await withServer(async (url, manager) => {
      await manager.create("plan", {});
      const refused = await run(url, ["update", "plan", '"text"', "--expected", "any"]);
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('received "text"') });
    });
  });

  it.each([
    ["create", "plan"],
    ["update", "plan", "--expected", "any"],
    ["patch", "plan", " "],
  ])("whose JSON is not there say where it may be: %s", async (...args) => {
    const refused = await run("http://127.0.0.1:9", args);
    expect(refused).toMatchObject({
      code: 2,
      stderr: "USAGE: expected JSON, as an argument or on standard input; received nothing\n",
    });
  });
});

describe("many contexts", () => {
  it("are exported to a file, and a terminal shows how far it has come", async () => {
    await withServer(async (url, manager) => {
      for (let index = 0; index < 120; index++) await manager.create(`c${index}`, { text: "x".repeat(2_000) });
      const file = join(folder, "many.jsonl");
      const exported = await run(url, ["export", file], { isTTY: true });
      expect(exported.stderr).toMatch(/\r100 exported.*120 exported/s);
      expect(readFileSync(file, "utf8").trim().split("\n")).toHaveLength(120);
    });
  });

  it("stop being imported at one that cannot be", async () => {
    await withServer(async (url) => {
      const stdin = ["a", "\0", "b"].map((id) => JSON.stringify({ context_id: id, data: {} })).join("\n");
      expect(await run(url, ["import"], { stdin })).toMatchObject({ code: 1, stderr: expect.stringContaining("NUL") });
      expect((await run(url, ["ls"])).stdout).toMatch(/^a\t.*\n$/);
    });
  });
});

describe("watch", () => {
  it("shows deletions, and what nobody has signed, and ends when it is stopped", async () => {
    await withServer(async (url, manager) => {
      const stop = new AbortController();
      const onData = (text: string): void => {
        if (text.includes("cleared")) stop.abort();
      };
      const watching = run(url, ["watch"], { signal: stop.signal, onData });
      await expect.poll(async () => (await manager.stats()).watchers).toBe(1);
      await manager.create("plan", {});
      await manager.delete("plan");
      await manager.create("other", {});
      await manager.clear();
      const { code, stdout } = await watching;
      expect([code, stdout.split("\n").map((line) => line.split("\t").slice(1).join(" "))]).toEqual([
        0,
        ["created plan version 1 - ", "deleted plan - ", "created other version 1 - ", "cleared * - ", ""],
      ]);
    });
  });

  it("says that the server has gone away, and where to go on", async () => {
    await using manager = await openManager("memory:");
    await manager.create("plan", {});
    const server = await serve({ manager, port: 0, graceMs: 100 });
    const onData = (): void => void server.close();
    const watched = await run(server.url, ["watch", "--after", "0", "--json"], { onData });
    expect([watched.code, JSON.parse(watched.stderr)]).toMatchObject([
      8,
      { code: "UNAVAILABLE", detail: expect.stringMatching(/go on with --after 1\.1$/) },
    ]);
  });

  it("says the same when the connection is cut", async () => {
    const { createServer } = await import("node:http");
    const server = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write('event: ready\nid: 7\ndata: {"revision":7}\n\n', () => response.destroy());
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const { port } = server.address() as AddressInfo;
    const watched = await run(`http://127.0.0.1:${port}`, ["watch"]);
    expect(watched).toMatchObject({
      code: 8,
      stderr: expect.stringContaining("UNAVAILABLE: the server has gone away"),
    });
    server.close();
  });

  it("counts in whole numbers", async () => {
    const wrong = await run("memory:", ["watch", "--count", "x"]);
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--count: expected a whole number from 1"),
    });
  });

  it("says when what it is to go on after is kept no longer", async () => {
    await withServer(
      async (url, manager) => {
        for (let step = 0; step < 2_200; step++) await manager.create(`c${step}`, {});
        const missed = await run(url, ["watch", "--after", "1", "--json"]);
        expect(JSON.parse(missed.stderr)).toMatchObject({ code: "COMPACTED" });
      },
      { changeLogLimit: 1 },
    );
  });
});

describe("wait", () => {
  it("tells the time that was asked for, also as JSON, and also of what it knew already", async () => {
    await withServer(async (url, manager) => {
      await manager.create("plan", { a: 1 });
      const conditions = [
        ["--path", "/a", "--equals", "99"],
        ["--changed", "1.1"],
        ["--unlocked", "--changed", "1.1"],
      ];
      for (const condition of conditions) {
        const { code, stderr } = await run(url, ["wait", "plan", ...condition, "--timeout", "100", "--json"]);
        const problem = {
          code: "TIMEOUT",
          detail: expect.stringContaining("waited 100 ms"),
          details: { timeout_ms: 100 },
        };
        expect([code, JSON.parse(stderr)]).toMatchObject([6, problem]);
      }
      const wrong = await run(url, ["wait", "plan", "--changed", "zz"]);
      expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining("--changed: expected an ETag") });
    });
  });

  it("ends when it is stopped", async () => {
    await withServer(async (url, manager) => {
      const stop = new AbortController();
      const waiting = run(url, ["wait", "none"], { signal: stop.signal });
      await expect.poll(async () => (await manager.stats()).watchers).toBe(1);
      stop.abort(new Error("stopped by SIGINT"));
      expect(await waiting).toMatchObject({ code: 1, stderr: expect.stringContaining("stopped by SIGINT") });
    });
  });
});

describe("doctor", () => {
  it("knows which Node is new enough", () => {
    expect(nodeCheck("22.13.0")).toMatchObject({ level: "ok", detail: "v22.13.0" });
    expect(nodeCheck("24.0.0").level).toBe("ok");
    expect(nodeCheck("22.12.0")).toMatchObject({ level: "bad", detail: expect.stringContaining("expected 22.13") });
    expect(nodeCheck("20.19.0").level).toBe("bad");
  });

  it("warns of a lock without expiry that has been held for long, and says how to break it", async () => {
    await withServer(async (url, manager) => {
      await manager.create("plan", {});
      await manager.lock("plan", "ann");
      const contexts = (await (await fetch(`${url}/v1/contexts`)).json()) as { contexts: [] };
      const later = Date.now() + 11 * 60_000;
      expect(lockChecks(contexts.contexts)).toMatchObject([{ level: "ok" }]);
      expect(lockChecks(contexts.contexts, later)).toMatchObject([
        { level: "warn", detail: expect.stringContaining("ann holds it with no expiry since 20") },
      ]);
      expect(lockChecks(contexts.contexts, later)[0]?.detail).toContain('unlock "plan" --force');
    });
  });

  it("looks for the driver of the store", async () => {
    const { code, stdout } = await run("postgres://127.0.0.1:9/none", ["doctor"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^(ok {3}driver pg: installed|bad {2}driver pg: not installed: npm install pg)$/m);
    expect(stdout).toMatch(/^bad {2}store: /m);
  });

  it("tells locks that are held from those that are stuck", async () => {
    await withServer(async (url, manager) => {
      for (const id of ["fresh", "lasting", "lapsed"]) await manager.create(id, {});
      await manager.lock("fresh", "ann");
      await manager.lock("lasting", "ann", { ttlMs: 60_000 });
      expect((await run(url, ["doctor"])).stdout).toContain("ok   locks: 2 held, none stuck");
      await manager.lock("lapsed", "bob", { ttlMs: 1 });
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
      expect((await run(url, ["doctor"])).stdout).toContain('warn lock on "lapsed": bob let it lapse at');
    });
  });
});

describe.runIf(hasSqlite)("the tokens file of the folder", () => {
  it("is used by serve without being named, which then shows no token", async () => {
    const cwd = mkdtempSync(join(folder, "tokens-"));
    expect((await run("", ["token", "add", "ci"], { cwd })).code).toBe(0);
    expect((await run("", ["token", "ls"], { cwd })).stdout).toBe("ci\twrite\tany agent\n");
    const stop = new AbortController();
    const onData = (): void => stop.abort();
    const told = await run(newStore(), ["serve", "--port", "0"], { cwd, signal: stop.signal, onData });
    expect(told.stdout).toContain("token  one of the tokens file");
    expect(told.stderr).toContain('"Authorization": "Bearer TOKEN"');
    writeFileSync(join(cwd, ".shared-context", "tokens.json"), "{}");
    expect((await run("", ["token", "ls"], { cwd })).stderr).toContain("expected a list of tokens");
  });
});
