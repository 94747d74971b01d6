import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { commandLine } from "./command-line.ts";
import { canRunSources, hasSqlite } from "./runtime.ts";

const { folder, newStore, run } = commandLine();

const SOURCES = fileURLToPath(new URL("sources.mjs", import.meta.url));
const BIN = fileURLToPath(new URL("../src/bin.ts", import.meta.url));

function start(args: string[], env: Record<string, string> = {}): ReturnType<typeof spawn> {
  const { PATH = "", HOME = "" } = process.env;
  return spawn(process.execPath, ["--import", SOURCES, BIN, ...args], { env: { PATH, HOME, ...env }, cwd: folder });
}

describe.runIf(hasSqlite)("the command line on a store", () => {
  it("creates, reads, updates, patches, restores and deletes", async () => {
    const store = newStore();
    const created = await run(store, ["create", "plan", '{"step":1}', "--as", "ann", "--note", "go"]);
    expect(created).toMatchObject({ code: 0, stdout: '{\n  "step": 1\n}\n' });
    expect(created.stderr).toContain("created plan at 1.1 by ann");
    expect(await run(store, ["create", "piped"], { stdin: '{"a":1}' })).toMatchObject({ code: 0 });
    expect(JSON.parse((await run(store, ["get", "plan", "--json"])).stdout)).toMatchObject({
      data: { step: 1 },
      note: "go",
    });
    expect((await run(store, ["update", "plan", '{"step":2}', "--expected", "1.1"])).code).toBe(0);
    expect((await run(store, ["patch", "plan", '{"owner":"ann"}'])).stdout).toContain('"owner": "ann"');
    const operations = '[{"op":"increment","path":"/step"}]';
    expect((await run(store, ["patch", "plan", operations, "--expected", "1.3"])).stdout).toContain('"step": 3');
    expect((await run(store, ["restore", "plan", "1"])).stdout).toBe('{\n  "step": 1\n}\n');
    expect((await run(store, ["history", "plan"])).stdout.split("\n")).toHaveLength(6);
    expect((await run(store, ["blame", "plan", "--as", "ann"])).stdout).toBe("/step\t5\tlocal\t\n");
    const listed = await run(store, ["ls", "--json"]);
    expect(
      listed.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).context_id),
    ).toEqual(["plan", "piped"]);
    expect((await run(store, ["ls", "pip"])).stdout).toMatch(/^piped\t\d+\.1\t7 B\n$/);
    expect((await run(store, ["rm", "plan", "--expected", "any"])).code).toBe(0);
  });

  it("ends with the code of what went wrong, and tells it as JSON where asked", async () => {
    const store = newStore();
    await run(store, ["create", "plan", "{}"]);
    const failed = async (...args: string[]): Promise<unknown> => {
      const { code, stdout, stderr } = await run(store, [...args, "--json"]);
      expect(stdout).toBe("");
      return [code, JSON.parse(stderr).code];
    };
    expect(await failed("get", "none")).toEqual([3, "NOT_FOUND"]);
    expect(await failed("create", "plan", "{}")).toEqual([4, "EXISTS"]);
    expect(await failed("update", "plan", "{}", "--expected", "1.9")).toEqual([4, "CONFLICT"]);
    expect(await failed("update", "plan", "{}")).toEqual([2, "USAGE"]);
    expect(await failed("update", "plan", "{}", "--expected", "x")).toEqual([2, "USAGE"]);
    expect(await failed("update", "plan", "{", "--expected", "any")).toEqual([2, "USAGE"]);
    expect(await failed("wait", "none", "--timeout", "5")).toEqual([6, "TIMEOUT"]);
    expect(await failed("jump")).toEqual([2, "USAGE"]);
    expect(await failed("get")).toEqual([2, "USAGE"]);
    expect(await failed("get", "plan", "--jump")).toEqual([2, "USAGE"]);
    expect(await failed("lock", "plan", "--ttl", "x")).toEqual([2, "USAGE"]);
    const nowhere = await run("http://127.0.0.1:9", ["get", "plan"]);
    expect(nowhere).toMatchObject({
      code: 8,
      stderr: expect.stringContaining("no server answers at http://127.0.0.1:9"),
    });
    expect(await run("nonsense:", ["get", "plan"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("sqlite:"),
    });
  });

  it("locks, refuses others, and unlocks", async () => {
    const store = newStore();
    await run(store, ["create", "plan", "{}"]);
    const locked = await run(store, ["lock", "plan", "--as", "ann"]);
    expect(locked).toMatchObject({ code: 0, stdout: "2\n" });
    expect((await run(store, ["update", "plan", "{}", "--expected", "any", "--as", "bob"])).code).toBe(5);
    expect((await run(store, ["unlock", "plan", "--as", "bob"])).code).toBe(5);
    expect((await run(store, ["unlock", "plan", "--as", "ann"])).code).toBe(0);
    expect((await run(store, ["unlock", "plan", "--as", "ann"])).code).toBe(4);
    await run(store, ["lock", "plan"], { env: { SHARED_CONTEXT_AGENT: "ann" } });
    expect((await run(store, ["unlock", "plan", "--force", "--reason", "test"])).code).toBe(0);
  });

  it("waits for what is asked for", async () => {
    const store = newStore();
    await run(store, ["create", "plan", '{"a":1}']);
    expect((await run(store, ["wait", "plan", "--path", "/a", "--equals", "1"])).stdout).toContain('"a": 1');
    expect((await run(store, ["wait", "plan", "--unlocked"])).code).toBe(0);
    expect((await run(store, ["wait", "plan", "--changed", "1.1", "--timeout", "5"])).code).toBe(6);
    expect((await run(store, ["wait", "plan", "--changed", "1.0"])).code).toBe(0);
  });

  it.each([
    [["wait", "plan", "--equals", "1"], "--equals: expected --path with it"],
    [["unlock", "plan", "--reason", "test"], "--reason: expected --force with it"],
    [["serve", "--tokens", "missing.json"], "the tokens file missing.json cannot be read"],
  ])("takes %j for a wrong command line", async (args, reason) => {
    expect(await run("", args)).toMatchObject({ code: 2, stderr: expect.stringContaining(reason) });
  });

  it("watches from an event on", async () => {
    const store = newStore();
    await run(store, ["create", "a", "{}"]);
    await run(store, ["create", "b", "{}"]);
    const watched = await run(store, ["watch", "--after", "0", "--count", "2", "--json"]);
    expect(
      watched.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).context_id),
    ).toEqual(["a", "b"]);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 50);
    expect(await run(store, ["watch", "a"], { signal: stop.signal })).toMatchObject({
      code: 0,
      stdout: "1\tcurrent\ta version 1\tlocal\t\n",
    });
  });

  it("exports and imports", async () => {
    const [from, to] = [newStore(), newStore()];
    for (const id of ["a", "b"]) await run(from, ["create", id, `{"id":"${id}"}`]);
    const file = join(folder, "contexts.jsonl");
    expect((await run(from, ["export", file])).code).toBe(0);
    expect(await run(to, ["import", file])).toMatchObject({ code: 0, stderr: expect.stringContaining("2 imported") });
    const { stdout } = await run(to, ["export", "--prefix", "a"]);
    expect(JSON.parse(stdout)).toMatchObject({ context_id: "a", data: { id: "a" } });
    expect(await run(to, ["import", "--json"], { stdin: readFileSync(file, "utf8") })).toMatchObject({
      code: 4,
      stdout: '{"imported":0,"existed":2}\n',
    });
    expect((await run(to, ["import"], { stdin: "{" })).code).toBe(2);
    for (const command of [
      ["import", join(folder, "missing")],
      ["import", folder],
      ["export", join(folder, "none", "x")],
    ]) {
      const told = await run(to, command);
      expect(told).toMatchObject({ code: 2, stderr: expect.stringContaining(`USAGE: expected a file; ${command[1]}`) });
    }
  });

  it("imports up to what is wrong, and says where that is and what it has done", async () => {
    for (const wrong of ["{", "null", '{"context_id":""}']) {
      const stdin = `{"context_id":"a","data":{}}\n\n${wrong}\n`;
      const { stderr } = await run(newStore(), ["import"], { stdin });
      expect(stderr).toMatch(/^\w+: line 3: .*; 1 imported before it\n$/);
    }
  });

  it("takes what stands after -- for an id, and refuses text that is no UTF-8", async () => {
    const store = newStore();
    expect((await run(store, ["create", "--json", "--", "-x", "{}"])).code).toBe(0);
    expect((await run(store, ["get", "--", "-x"])).stdout).toBe("{}\n");
    const stdin = new Uint8Array([
      ...new TextEncoder().encode('{"context_id":"b","data":{"a":"'),
      0xff,
      0x22,
      0x7d,
      0x7d,
    ]);
    for (const command of [["create", "b"], ["import"]]) {
      const told = await run(store, command, { stdin });
      expect(told).toMatchObject({ code: 2, stderr: expect.stringContaining("expected UTF-8") });
    }
    const file = join(folder, "latin1.jsonl");
    writeFileSync(file, stdin);
    expect((await run(store, ["import", file])).stderr).toContain("latin1.jsonl: expected UTF-8");
    expect((await run(store, ["ls"])).stdout).toMatch(/^-x\t.*\n$/);
  });

  it("refuses a password in the URL of a server, and does not show it", async () => {
    const { code, stderr } = await run("http://u:secret@127.0.0.1:9", ["ls"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("INVALID: url: expected http://host:port")]);
    expect(stderr).not.toContain("secret");
  });

  it("says what is wrong with the store, and which locks are stuck", async () => {
    const store = newStore();
    await run(store, ["create", "plan", "{}"]);
    await run(store, ["lock", "plan", "--ttl", "1"]);
    const found = await run(store, ["doctor"]);
    expect(found.code).toBe(0);
    expect(found.stdout).toMatch(/^ok {3}Node: v\d/);
    expect(found.stdout).toContain('warn lock on "plan": local let it lapse');
    expect((await run("http://127.0.0.1:9", ["doctor"])).code).toBe(1);
    expect((await run("postgresx:", ["doctor", "--json"])).code).toBe(1);
  });

  it("keeps tokens as hashes in a file that only its owner reads", async () => {
    const tokens = ["--tokens", join(folder, "tokens.json")];
    const added = await run("", ["token", "add", "ci", "--rights", "read", "--agent", "bot", ...tokens]);
    expect(added.stdout).toMatch(/^scs_[\w-]{43}\n$/);
    const kept = readFileSync(join(folder, "tokens.json"), "utf8");
    expect(kept).not.toContain(added.stdout.trim());
    expect((await run("", ["token", "ls", ...tokens])).stdout).toBe("ci\tread\tbot\n");
    expect((await run("", ["token", "add", "ci", ...tokens])).code).toBe(2);
    expect((await run("", ["token", "add", "x", "--rights", "all", ...tokens])).code).toBe(2);
    expect((await run("", ["token", "rm", "ci", ...tokens])).code).toBe(0);
    expect((await run("", ["token", "rm", "ci", ...tokens])).code).toBe(2);
    expect((await run("", ["token", "jump", ...tokens])).code).toBe(2);
    expect((await run("", ["token", "add", "", ...tokens])).code).toBe(2);
    expect((await run("", ["token", "add", "e", "--agent", "", ...tokens])).code).toBe(2);
    for (const text of ["{", "{}", "[{}]", '[{"name":"a"}]', '[{"name":"a","hash":"x"}]']) {
      writeFileSync(join(folder, "tokens.json"), text);
      expect((await run("", ["token", "ls", ...tokens])).code).toBe(2);
    }
  });

  it("explains itself", async () => {
    expect((await run("", ["--help"])).stdout).toContain("Exit codes");
    expect((await run("", [])).code).toBe(2);
    for (const typed of ["-h", "jump", "--json"]) {
      const { code, stderr } = await run("", [typed, "get", "plan"]);
      expect([code, stderr]).toEqual([2, expect.stringMatching(/expected a command \(.*\), and its options after it/)]);
      expect(stderr).toContain("see shared-context --help");
    }
    expect((await run("", ["--version"])).stdout).toBe("0.1.0\n");
    expect((await run("", ["lock", "--help"])).stdout).toContain("-- make deploy");
    expect((await run("", ["serve", "--help"])).stdout).toMatch(/--token TOKEN +the token to ask for/);
  });

  it("refuses to open the server to others without a decision who may use it", async () => {
    const store = newStore();
    expect(await run(store, ["serve", "--host", "0.0.0.0"])).toMatchObject({ code: 2 });
    expect(await run(store, ["serve", "--token", "short"])).toMatchObject({ code: 2 });
    expect(await run(store, ["serve", "--port", "x"])).toMatchObject({ code: 2 });
    expect(await run("http://127.0.0.1:9", ["serve"])).toMatchObject({ code: 2 });
  });
});

describe.runIf(hasSqlite && canRunSources)("the command line as a process", () => {
  it("serves until SIGTERM, and the same commands work on its URL", async () => {
    const store = newStore();
    const server = start(["serve", "--port", "0", "--json"], { SHARED_CONTEXT_STORE: store });
    let stderr = "";
    server.stderr?.on("data", (chunk) => (stderr += String(chunk)));
    const [line] = (await once(server.stdout ?? expect.fail(), "data")) as [Buffer];
    const { url, token } = JSON.parse(line.toString()) as { url: string; token: string };
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const env = { SHARED_CONTEXT_TOKEN: token };
    expect((await run(url, ["create", "plan", "{}", "--as", "ann"], { env })).code).toBe(0);
    expect((await run(url, ["get", "plan"])).code).toBe(7);
    expect((await run(url, ["get", "plan"], { env })).stdout).toBe("{}\n");
    const watching = run(url, ["watch", "--count", "2", "--json"], { env });
    expect((await run(url, ["patch", "plan", '{"a":1}'], { env })).code).toBe(0);
    expect((await run(url, ["wait", "plan", "--path", "/a"], { env })).code).toBe(0);
    await run(url, ["patch", "plan", '{"a":2}'], { env });
    expect((await watching).code).toBe(0);
    expect((await run(url, ["doctor"], { env })).stdout).toContain("ok   server: answers; 1 contexts");
    server.kill("SIGTERM");
    expect(await once(server, "exit")).toEqual([0, null]);
    expect(stderr).toBe("");
    expect((await run(store, ["get", "plan", "--json"])).stdout).toContain('"updated_by":"admin"');
  });

  it("holds a lock while a command runs, and ends with its code", async () => {
    const store = newStore();
    await using manager = await openManager(store);
    await manager.create("plan", {});
    const script = "setTimeout(() => process.exit(process.env.SHARED_CONTEXT_AGENT === 'ann' ? 7 : 1), 300)";
    const held = start(["lock", "plan", "--as", "ann", "--ttl", "5000", "--", process.execPath, "-e", script], {
      SHARED_CONTEXT_STORE: store,
    });
    let stderr = "";
    held.stderr?.on("data", (chunk) => (stderr += String(chunk)));
    const exit = once(held, "exit");
    let sawIt = false;
    while (!sawIt && held.exitCode === null) {
      sawIt = (await manager.get("plan"))?.lockedBy === "ann";
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
      });
    }
    expect(await exit, stderr).toEqual([7, null]);
    expect(sawIt).toBe(true);
    expect((await manager.get("plan"))?.lockedBy).toBeNull();
  });
});
