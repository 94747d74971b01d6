import { mkdtemp, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
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

describe("the command line", () => {
  async function demo(...args: string[]) {
    const written = { stdout: "", stderr: "" };
    const into = (name: "stdout" | "stderr") => ({ write: (text: string) => (written[name] += text) }) as never;
    const code = await main(args, { stdout: into("stdout"), stderr: into("stderr"), env: {} });
    return { code, ...written };
  }

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
