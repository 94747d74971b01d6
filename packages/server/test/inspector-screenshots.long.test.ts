/**
 * The pictures of docs/inspector.md, made of a small swarm that works on a real server. `npm run screenshots` writes
 * them into docs/images; otherwise they go to a temporary folder, and those of the page are checked to be there.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { canRun, Stage } from "../inspector/test/stage.ts";

const DOCS = new URL("../../../docs/", import.meta.url);
const IMAGES = fileURLToPath(new URL("images/", DOCS));
const isUpdate = process.env["UPDATE_SCREENSHOTS"] === "1";
const SHOTS = isUpdate ? IMAGES : canRun ? mkdtempSync(join(tmpdir(), "screenshots-")) : "";

interface Shot {
  readonly name: string;
  readonly hash: string;
  readonly colorScheme: "light" | "dark";
  readonly width?: number;
}

const PLAN = "#/context/release%2Fplan";
const SWARM: readonly Shot[] = [
  { name: "contexts-light", hash: "#/", colorScheme: "light" },
  { name: "contexts-dark", hash: "#/", colorScheme: "dark" },
  { name: "data", hash: PLAN, colorScheme: "light" },
  { name: "history", hash: PLAN, colorScheme: "dark" },
  { name: "conflicts", hash: PLAN, colorScheme: "light" },
  { name: "activity", hash: "#/activity", colorScheme: "dark" },
  { name: "narrow", hash: "#/", colorScheme: "light", width: 360 },
];
const EMPTY: Shot = { name: "empty", hash: "#/", colorScheme: "light" };

describe.skipIf(!canRun)("the pictures of the inspector", { timeout: 60_000 }, () => {
  const stage = new Stage();
  afterAll(() => {
    if (!isUpdate) rmSync(SHOTS, { recursive: true, force: true });
  });
  const closing: (() => Promise<unknown>)[] = [];

  it("of an empty store", async () => {
    const sizes = await shoot(EMPTY, () => stage.page.getByText("No contexts yet").waitFor());
    expect(sizes).toEqual(expected(EMPTY));
  });

  it.each(SWARM)("of a swarm at work: $name", async (shot) => {
    await swarm();
    const { name } = shot;
    const sizes = await shoot(shot, async () => {
      if (name === "data") {
        await stage.page.getByRole("treeitem", { name: "owner" }).first().hover();
        await stage.page.locator(".blame").getByText("version 4 by coder-1").waitFor();
      } else if (name === "history") {
        await stage.page.getByRole("tab", { name: "History" }).click();
        await stage.page.getByLabel("From version").fill("0");
      } else if (name === "conflicts") {
        await stage.page.getByRole("tab", { name: /Conflicts/ }).click();
        await stage.page.getByRole("table").first().waitFor();
      } else if (name === "activity") {
        await stage.page.getByRole("button", { name: "Read the kept log" }).click();
        await stage.page.getByText("older changes read").waitFor();
        await busy();
      } else {
        await stage.row("tester").waitFor();
        await stage.page.getByRole("complementary").getByText("waits for").waitFor();
      }
    });
    expect(sizes).toEqual(expected(shot));
    await Promise.all(closing.splice(0).map((close) => close()));
  });

  /** @returns the sizes of the picture and of the one in the documentation. */
  async function shoot(
    { name, hash, colorScheme, width = 1280 }: Shot,
    ready: () => Promise<unknown>,
  ): Promise<[number, number][]> {
    await stage.open(`/${hash}`, { colorScheme, width, deviceScaleFactor: 1, timezoneId: "UTC", locale: "en" });
    await stage.live();
    await ready();
    const path = join(SHOTS, `inspector-${name}.png`);
    await stage.page.screenshot({ path, animations: "disabled", caret: "hide" });
    return [path, join(IMAGES, `inspector-${name}.png`)].map((file) => sizeOf(readFileSync(file), file));
  }

  function expected({ width = 1280 }: Shot): [number, number][] {
    return [
      [width, 800],
      [width, 800],
    ];
  }

  /** Agents that plan a release: they write, wait, and meet a conflict. */
  async function swarm(): Promise<void> {
    const [planner, coder, writer, reviewer] = ["planner", "coder-1", "writer", "reviewer"].map((id) =>
      stage.manager.agent(id),
    ) as [Agent, Agent, Agent, Agent];
    const tasks = ["parser", "printer", "pages"].map((name, at) => ({ id: at + 1, name, owner: null, done: false }));
    const first = await planner.create("release/plan", { goal: "ship 1.0", step: 1, tasks, budget: { tokens: 9_000 } });
    await planner.patch("release/plan", { step: 2 }, first, { note: "tasks are known" });
    await coder.patch("release/plan", [{ op: "increment", path: "/budget/tokens", value: -1_200 }]);
    const claim = [{ op: "set", path: "/tasks/id=1/owner", value: "coder-1" }] as const;
    await coder.patch("release/plan", claim, undefined, { note: "mine" });
    const late = [{ op: "set", path: "/tasks/id=1/owner", value: "coder-2" }] as const;
    await expect(stage.manager.agent("coder-2").patch("release/plan", late, first)).rejects.toThrow("owner");
    await writer.create("release/notes", { text: "What is new in 1.0" });
    await stage.manager.agent("coder-2").create("src/printer", { lines: 210, tests: 14 });
    await coder.create("src/parser", { lines: 480, tests: 61 });
    await reviewer.create("review/parser", { verdict: "ask for a test of empty input", open: ["empty input"] });
    await planner.create("team/roster", { people: ["planner", "coder-1", "coder-2", "writer", "reviewer"] });
    await stage.send("POST", "/v1/contexts/src%2Fparser/lock", "reviewer", { ttl_ms: 90_000 });
    const waiting = stage.send("POST", "/v1/contexts/src%2Fparser/lock", "tester", { timeout_ms: 30_000 });
    // A test that fails does not wait for it.
    waiting.catch(() => undefined);
    closing.push(async () => {
      await stage.manager.forceUnlock("src/parser", { reason: "the picture is made" });
      await waiting;
    });
  }

  /** Some seconds of work, for the charts. */
  async function busy(): Promise<void> {
    const stale = (await stage.manager.get("src/printer")) ?? expect.fail("it has gone");
    const work = [
      ["coder-1", "src/printer", "lines"],
      ["coder-2", "src/printer", "tests"],
      ["writer", "release/notes", "words"],
      ["reviewer", "review/parser", "rounds"],
    ] as const;
    for (let count = 0; count < 24; count++) {
      for (let each = 0; each <= count % 5; each++) {
        const [agentId, contextId, field] = work[(count * 3 + each) % work.length] ?? work[0];
        await stage.manager.agent(agentId).patch(contextId, { [field]: count }, undefined, { note: `${field} again` });
      }
      if (count % 5 === 4) {
        const late = stage.manager.agent("writer").patch("src/printer", { lines: -count, tests: -count }, stale);
        await expect(late).rejects.toMatchObject({ code: "CONFLICT" });
      }
      if (count % 6 === 5) {
        await stage.manager.lock("release/notes", "writer");
        await stage.manager.unlock("release/notes", "writer");
      }
      await stage.page.waitForTimeout(250);
    }
    await stage.page.waitForResponse("**/v1/stats");
  }
});

// The last: the others may have made them.
it("docs/inspector.md shows the pictures that the tests make", () => {
  const text = readFileSync(new URL("inspector.md", DOCS), "utf8");
  const shown = Array.from(text.matchAll(/!\[[^\]]+\]\(images\/([\w-]+\.png)\)/g), ([, file = ""]) => file);
  const named = [EMPTY, ...SWARM].map(({ name }) => `inspector-${name}.png`).toSorted();
  expect(shown.toSorted()).toEqual(named);
  expect(
    readdirSync(IMAGES)
      .filter((file) => file.startsWith("inspector-"))
      .toSorted(),
  ).toEqual(named);
});

type Agent = ReturnType<Stage["manager"]["agent"]>;

/** Width and height, from the header of a PNG. */
function sizeOf(image: Buffer, file: string): [number, number] {
  // An empty page of one colour is far smaller.
  expect(image.length, file).toBeGreaterThan(12_000);
  return [image.readUInt32BE(16), image.readUInt32BE(20)];
}
