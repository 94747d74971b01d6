import { mkdtemp, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as modules from "node:module";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openManager } from "shared-context-manager";
import { agrees, countSequentially } from "./check.mjs";
import { main } from "./command-line.mjs";
import { EMPTY_REPORT, listFiles } from "./count.mjs";
import { liveRecordStore, managerStore, plainStore, type Store } from "./stores.mjs";
import { runSwarm, seededThinking } from "./swarm.mjs";

const AGENTS = 8;
const FILES = 40;

let folder: string;
let paths: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "demo-"));
  await mkdir(join(folder, "texts", "node_modules"), { recursive: true });
  for (let file = 0; file < FILES; file++) {
    const text = `The constructor of file ${file} says: Größe, हिन्दी, İstanbul. `.repeat(1 + (file % 7));
    await writeFile(join(folder, "texts", `${file}.txt`), text);
  }
  await writeFile(join(folder, "binary"), "words\0words");
  await writeFile(join(folder, "large"), "words ".repeat(200_000));
  await writeFile(join(folder, "empty"), "");
  await writeFile(join(folder, "texts", "node_modules", "left-out"), "words");
  await symlink(folder, join(folder, "texts", "loop"));
  await symlink(join(folder, "texts", "1.txt"), join(folder, "link"));
  paths = await listFiles(folder);
});

afterAll(() => rm(folder, { recursive: true }));

/** In the first round every agent has read before any agent writes, whatever the speed of the machine. */
function meetFirst(agents: number): () => () => Promise<void> {
  let missing = agents;
  let open = () => {};
  const everybody = new Promise<void>((resolve) => {
    open = resolve;
  });
  return () => () => {
    missing -= 1;
    if (missing === 0) open();
    return everybody;
  };
}

function run(store: Store) {
  return runSwarm(store, { folder, paths, agents: AGENTS, thinking: meetFirst(AGENTS) });
}

describe("the swarm", () => {
  it("gets every file once, and skips what is no small text file", async () => {
    expect(paths).toHaveLength(FILES + 3);
    const { written, skipped, report } = await run(managerStore(EMPTY_REPORT));
    expect(written).toBe(FILES + 1);
    expect(skipped).toEqual({ binary: 1, large: 1, unreadable: 0 });
    expect(report.biggest[0]?.path).toBe("texts/13.txt");
  });

  it("loses nothing through the manager: the report equals the sequential count", async () => {
    const { report, attempts, written, conflicts } = await run(managerStore(EMPTY_REPORT));
    const expected = countSequentially(folder, paths);
    expect(conflicts).toBeGreaterThanOrEqual(AGENTS - 1);
    expect(attempts).toBe(written + conflicts);
    expect(report.files).toBe(written);
    expect(Object.fromEntries(report.counts)).toEqual(Object.fromEntries(expected.counts));
    expect(agrees(report, expected)).toBe(true);
  });

  it.each([
    ["a plain object", plainStore],
    ["a live record with a version check", liveRecordStore],
  ])("loses updates through %s, and no agent is told", async (_, make) => {
    const { report, written, conflicts } = await run(make(EMPTY_REPORT));
    expect(conflicts).toBe(0);
    expect(written).toBe(FILES + 1);
    expect(report.files).toBeLessThanOrEqual(written - (AGENTS - 1));
    expect(agrees(report, countSequentially(folder, paths))).toBe(false);
  });

  it("loses nothing even through a plain object when there is one agent", async () => {
    const thinking = seededThinking(1, { minMs: 0, maxMs: 1 });
    const { report } = await runSwarm(plainStore(EMPTY_REPORT), { folder, paths, agents: 1, thinking });
    expect(agrees(report, countSequentially(folder, paths))).toBe(true);
  });
});

async function demo(...args: string[]) {
  const written = { stdout: "", stderr: "" };
  const into = (name: "stdout" | "stderr") => ({ write: (text: string) => (written[name] += text) }) as never;
  const code = await main(args, { stdout: into("stdout"), stderr: into("stderr"), env: {} });
  return { code, ...written };
}

/** Other processes have no test runner that leads them from the package to its sources. */
const toSources = `import { registerHooks } from "node:module";
registerHooks({
  resolve: (name, context, next) =>
    next(name === "shared-context-manager" ? ${JSON.stringify(new URL("../../packages/manager/src/index.ts", import.meta.url))} : name, context),
});`;
const canRunSources = modules.isBuiltin("node:sqlite") && "registerHooks" in modules;

describe.skipIf(!canRunSources)("the swarm as several processes", () => {
  const url = () => `sqlite:${join(folder, "..", `demo-${process.pid}.db`)}`;

  beforeAll(() => {
    vi.stubEnv("NODE_OPTIONS", `--no-warnings --import=data:text/javascript,${encodeURIComponent(toSources)}`);
  });

  afterAll(async () => {
    vi.unstubAllEnvs();
    for (const end of ["", "-wal", "-shm"]) await rm(url().slice("sqlite:".length) + end, { force: true });
  });

  it("loses nothing: the report equals the sequential count", async () => {
    const { code, stdout, stderr } = await demo(
      folder,
      "--store",
      url(),
      "--processes",
      "3",
      "--agents",
      "7",
      "--json",
    );
    const { processes, store, expected, report, skipped, stores } = JSON.parse(stdout);
    expect([code, stderr, processes, store]).toEqual([0, "", 3, "sqlite"]);
    expect(report).toMatchObject(expected);
    expect(Object.keys(report.agents)).toEqual(expect.arrayContaining(["agent-1", "agent-7"]));
    expect(skipped).toEqual({ binary: 1, large: 1, unreadable: 0 });
    expect(stores).toMatchObject([{ lost: 0, exact: true, written: FILES + 1 }]);
  }, 60_000);

  it("says so to people, and leaves nothing in the store", async () => {
    const { code, stdout } = await demo(folder, "--store", url(), "--processes", "2");
    expect(code).toBe(0);
    expect(stdout).toContain("2 processes over one store: sqlite.");
    expect(stdout).toContain("0 lost updates");
    expect(stdout).not.toContain("plain object");
    await using manager = await openManager(url());
    expect(await manager.listContexts()).toEqual([]);
  }, 60_000);

  it("refuses a store that processes do not share", async () => {
    const { code, stderr } = await demo(folder, "--json", "--store", "memory:", "--processes", "2");
    expect([code, stderr]).toEqual([2, expect.stringContaining("needs a store that processes share")]);
  });

  it("ends when one of them does", async () => {
    vi.stubEnv("NODE_OPTIONS", "--import=data:text/javascript,process.exit(3)");
    await expect(demo(folder, "--json", "--store", url(), "--processes", "2")).rejects.toThrow("ended with 3");
  });
});

describe("the command line", () => {
  it("prints a report for people", async () => {
    const { code, stdout, stderr } = await demo(folder);
    expect(stdout).toContain("0 lost updates");
    expect(stdout).toContain("skipped: 1 binary, 1 over 1 MiB");
    expect(stdout).not.toContain("\x1b");
    expect([code, stderr]).toEqual([0, ""]);
  });

  it("prints the result for programs", async () => {
    const { code, stdout } = await demo(folder, "--json", "--agents", "5", "--seed", "7");
    const { agents, seed, expected, report, stores } = JSON.parse(stdout);
    expect([code, agents, seed]).toEqual([0, 5, 7]);
    expect(report).toMatchObject(expected);
    expect(stores[0]).toMatchObject({ name: "shared-context-manager", lost: 0, exact: true });
  });

  it.each([
    [["--colour"], "Unknown option '--colour'"],
    [["--agents", "0"], '--agents takes a whole number from 1 to 1000, found "0"'],
    [["--agents", "-5"], "Option '--agents' argument is ambiguous"],
    [["--seed", "x"], '--seed takes a whole number from 0 to 4294967295, found "x"'],
    [["--processes", "2"], "--processes needs --store URL"],
    [["--processes", "0"], '--processes takes a whole number from 1 to 64, found "0"'],
    [["--store", "memory:", "--processes", "3", "--agents", "2"], "--processes 3 needs at least as many --agents"],
    [["no-such-folder"], 'there is no folder "no-such-folder"'],
    [["package.json"], '"package.json" is a file; expected a folder'],
    [["docs", "bench"], "expected one folder, found 2"],
  ])("refuses %j in one line", async (args, message) => {
    const { code, stdout, stderr } = await demo(...args);
    expect(stderr).toBe(`demo: ${message} (--help shows the usage)\n`);
    expect([code, stdout]).toEqual([2, ""]);
  });

  it("says what to do when there is nothing to read", async () => {
    const empty = await mkdtemp(join(folder, "empty-"));
    expect(await demo(empty)).toEqual({
      code: 1,
      stdout: "",
      stderr: `demo: nothing to read in ${empty}: it has no files. Name a folder: npm run demo -- DIR\n`,
    });
  });

  it("shows its usage", async () => {
    const { code, stdout } = await demo("--help");
    expect(stdout).toMatch(/^Usage: npm run demo/);
    expect(code).toBe(0);
  });
});
