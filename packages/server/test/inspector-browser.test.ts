/** What the page shows, in a real browser. */

import axe from "axe-core";
import { openManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { canRun, Stage } from "../inspector/test/stage.ts";

const HOSTILE = '<img src=x onerror="document.title=1">';

describe.skipIf(!canRun)("the inspector", { timeout: 60_000 }, () => {
  const stage = new Stage();

  it("tells how to connect the first agent, and shows what it makes at once", async () => {
    await stage.open();
    await stage.page.getByText("No contexts yet").waitFor();
    await expect(stage.page.locator("pre").allTextContents()).resolves.toHaveLength(2);
    await stage.live();
    await stage.manager.agent("first").create("plan", { step: 1 });
    await stage.row("plan").waitFor();
    expect(await stage.row("plan").textContent()).toContain("first");
  });

  it("shows whatever agents store as text", async () => {
    const data = JSON.parse(
      '{"__proto__": {"x": 1}, "<script>document.title=2</script>": "javascript:alert(1)"}',
    ) as object;
    const written = { ...data, bidi: "a\u202Eb", long: "x".repeat(900_000), html: HOSTILE };
    await stage.manager.agent("<b>agent</b>").create(HOSTILE, { ...written, ...data }, { note: "<i>note</i>" });
    await stage.open(`/#/context/${encodeURIComponent(HOSTILE)}`);
    await stage.page.getByRole("treeitem", { name: "html" }).waitFor();
    expect(await stage.page.getByRole("heading", { level: 2 }).textContent()).toBe(HOSTILE);
    expect(await stage.page.getByRole("tree").textContent()).toContain(String.raw`a\u202eb`);
    expect(await stage.page.locator("#app img, #app b:has-text('agent'), #app i, #app script").count()).toBe(0);
    expect(await stage.page.title()).toContain("Inspector");
    await stage.goto(`#/activity`);
    await stage.page.getByRole("button", { name: "Read the kept log" }).click();
    await stage.row(HOSTILE).waitFor();
    expect(await stage.page.locator("#app img, #app i").count()).toBe(0);
  });

  it("keeps 10,000 contexts to the rows that are seen, and is used by keyboard alone", async () => {
    for (let index = 0; index < 10_000; index++) {
      await stage.manager.create(`team/${String(index).padStart(5, "0")}`, { index });
    }
    await stage.open();
    await stage.page.getByText("10,000 contexts").waitFor();
    expect(await stage.page.locator(".virtual-row").count()).toBeLessThan(60);
    await stage.page.getByLabel("Search").fill("0042");
    await stage.page.getByText("11 of 10,000").waitFor();
    await stage.page.getByLabel("Search").fill("");
    await stage.page.getByRole("button", { name: "Sort by context" }).click();
    await stage.page.getByRole("listbox").focus();
    await stage.page.keyboard.press("End");
    await stage.row("team/09999").waitFor();
    await stage.page.keyboard.press("ArrowUp");
    await stage.page.keyboard.press("Enter");
    await stage.page.getByRole("heading", { name: "team/09998" }).waitFor();
  });

  it("shows what the API has after a storm of 5,000 changes, and counts each of them", async () => {
    const ids = Array.from({ length: 10 }, (_, index) => `context-${index}`);
    for (const id of ids) await stage.manager.create(id, { step: 0 });
    await stage.open("/#/activity");
    await stage.live();
    const writers = ids.map((id) => ({ id, agent: stage.manager.agent(`writer of ${id}`) }));
    for (let step = 1; step <= 500; step++) {
      await Promise.all(writers.map(({ id, agent }) => agent.patch(id, [{ op: "increment", path: "/step" }])));
    }
    await stage.page.getByRole("listbox", { name: "Changes, 5000," }).waitFor();
    await stage.goto(`#/`);
    await stage.page.getByRole("button", { name: "Sort by context" }).click();
    const shown = await stage.page.locator(".virtual-row .col-version").allTextContents();
    expect(shown).toEqual(ids.map(() => "version v501"));
    const lastWriters = await stage.page.locator(".virtual-row .col-updated_by").allTextContents();
    expect(lastWriters).toEqual(ids.map((id) => `writer of ${id}`));
  });

  it("says that the connection is lost, and misses nothing when it is back", async () => {
    await stage.manager.create("plan", { step: 1 });
    await stage.open("/#/activity");
    await stage.live();
    await stage.manager.agent("one").patch("plan", { step: 2 });
    await stage.row("updated").waitFor();
    const { port } = stage.server;
    await stage.server.close();
    await stage.page.getByText("Connection lost").first().waitFor();
    await stage.manager.agent("two").patch("plan", { step: 3 });
    await stage.manager.agent("three").patch("plan", { step: 4 });
    await stage.serve(port);
    await stage.live();
    await stage.row("three").waitFor();
    const agents = await stage.page.locator(".activity-row .who").allTextContents();
    expect(agents).toEqual(["three", "two", "one"]);
  });

  it.each([1, 3])(
    "reads everything again when another store is there, whose log has less than %i changes",
    async (count) => {
      for (let index = 0; index < count; index++) await stage.manager.create(`old ${index}`, {});
      await stage.open();
      await stage.live();
      const { port } = stage.server;
      await stage.server.close();
      await stage.manager.close();
      stage.manager = await openManager("memory:");
      await stage.manager.create("new", {});
      await stage.serve(port);
      await stage.row("new").waitFor();
      expect(await stage.row("old").count()).toBe(0);
    },
  );

  it("shows who wrote a value to whoever moves to it", async () => {
    await stage.manager.agent("one").create("plan", { step: 1, tasks: [{ id: 7, done: false }] });
    await stage.manager
      .agent("two")
      .patch("plan", [{ op: "set", path: "/tasks/id=7/done", value: true }], undefined, { note: "checked" });
    await stage.open("/#/context/plan");
    await stage.page.getByRole("tree").focus();
    await stage.page.keyboard.press("End");
    await expect
      .poll(() => stage.page.locator(".blame").textContent())
      .toMatch(/\/tasks\/id=7\/done.*version 2 by two.*checked/);
    await stage.page.keyboard.press("Home");
    await expect.poll(() => stage.page.locator(".blame").textContent()).toMatch(/\/step.*version 1 by one/);
    for (const key of ["ArrowDown", "ArrowLeft"]) await stage.page.keyboard.press(key);
    expect(await stage.page.getByRole("treeitem").count()).toBe(2);
  });

  it("filters, pauses and rewinds the activity, back to what the log keeps", async () => {
    const [one, two] = [stage.manager.agent("one"), stage.manager.agent("two")];
    await one.create("plan", { step: 0 });
    await two.create("other", {});
    await stage.open("/#/activity");
    await stage.live();
    await one.patch("plan", { step: 1 }, undefined, { note: "first" });
    await stage.row("first").waitFor();
    await stage.page.getByRole("button", { name: "Pause" }).click();
    await one.patch("plan", { step: 2 }, undefined, { note: "second" });
    await stage.page.getByText("1 newer change.").waitFor();
    expect(await stage.row("second").count()).toBe(0);
    await stage.page.getByRole("button", { name: "Resume" }).click();
    await stage.row("second").waitFor();
    await stage.page.getByRole("button", { name: "Read the kept log" }).click();
    await stage.page.getByText("2 older changes read.").waitFor();
    await expect.poll(() => stage.page.locator(".activity-row").count()).toBe(4);
    await stage.page.getByLabel("Rewind").fill("2");
    await expect
      .poll(() => stage.page.locator(".activity-row .kind").allTextContents())
      .toEqual(["created", "created"]);
    await stage.page.getByRole("button", { name: "Resume" }).click();
    await stage.page.getByLabel("Agent").fill("two");
    await expect.poll(() => stage.page.locator(".activity-row .id").allTextContents()).toEqual(["other"]);
    await stage.page.getByLabel("Agent").fill("");
    await stage.page.getByLabel("Kind").selectOption("updated");
    await expect.poll(() => stage.page.locator(".activity-row .note").allTextContents()).toEqual(["second", "first"]);
  });

  it("plays the history, and tells the difference of any two versions", async () => {
    const agent = stage.manager.agent("one");
    await agent.create("plan", { step: 0 });
    for (const step of [1, 2, 3]) await agent.patch("plan", { step });
    await stage.open("/#/context/plan");
    await stage.page.getByRole("tab", { name: "History" }).click();
    const cells = (): Promise<string[]> => stage.page.locator("tbody td").allTextContents();
    await expect.poll(cells).toEqual(["2", "3"]);
    await stage.page.getByLabel("From version").fill("0");
    await expect.poll(cells).toEqual(["0", "3"]);
    await stage.page.getByRole("button", { name: "Play" }).click();
    await expect.poll(cells).toEqual(["0", "1"]);
    await expect.poll(cells, { timeout: 5_000 }).toEqual(["2", "3"]);
    await stage.page.getByRole("button", { name: "Play" }).waitFor();
  });

  it("shows queues, a cycle and the conflicts of others where the server tells them", async () => {
    for (const [contextId, agentId] of [
      ["a", "one"],
      ["b", "two"],
    ] as const) {
      await stage.manager.create(contextId, {});
      await stage.manager.agent(agentId).lock(contextId);
    }
    await stage.open();
    const queues = [
      { context_id: "a", waiting: 1, agents: ["two"] },
      { context_id: "b", waiting: 1, agents: ["one"] },
    ];
    const conflicts = [{ path: "/step", base: 1, yours: 2, theirs: "<b>3</b>" }];
    const met = { context_id: "a", agent_id: "two", at: new Date().toISOString(), conflicts };
    await stage.page.route("**/openapi.json", (route) => route.fulfill({ json: { paths: { "/v1/stats": {} } } }));
    await stage.page.route("**/v1/stats", (route) => route.fulfill({ json: { queues, conflicts: [met] } }));
    await stage.page.reload();
    await stage.page.getByRole("alert").filter({ hasText: "one → two" }).waitFor();
    await stage.row("then two").waitFor();
    expect(await stage.page.getByRole("complementary").textContent()).toMatch(/two.*waits for.*a.*conflicts1/);
    await stage.goto(`#/context/a`);
    await stage.page.getByRole("tab", { name: "Conflicts (1)" }).click();
    expect(await stage.page.getByRole("table").textContent()).toContain('"<b>3</b>"');
  });

  it.each(["light", "dark"] as const)("has no fault that axe calls serious, in %s colours", async (colorScheme) => {
    const agent = stage.manager.agent("one");
    await agent.create("plan", { step: 1, text: "a", nothing: null, yes: true });
    await agent.patch("plan", { step: 2 });
    await agent.lock("plan");
    await stage.open();
    await stage.page.emulateMedia({ colorScheme });
    for (const hash of ["#/", "#/activity", "#/context/plan"]) {
      await stage.goto(hash);
      await stage.live();
      await stage.manager.agent("two").create(hash, {});
      if (hash === "#/context/plan") {
        await stage.page.getByRole("tree").focus();
        expect(await seriousFaults(), "data").toEqual([]);
        await stage.page.getByRole("tab", { name: "History" }).click();
        await stage.page.getByRole("rowheader", { name: "/step" }).waitFor();
        expect(await seriousFaults(), "history").toEqual([]);
        await stage.page.getByRole("button", { name: "Force unlock…" }).click();
      }
      expect(await seriousFaults(), hash).toEqual([]);
    }
  });

  async function seriousFaults(): Promise<string[]> {
    await stage.page.evaluate(axe.source);
    const { violations } = await stage.page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run());
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary ?? ""}`));
  }

  it("fits 360 pixels", async () => {
    await stage.manager
      .agent("somebody with a long name that goes on")
      .create("a/long/id/".repeat(20), { text: "word ".repeat(200) });
    await stage.open("/", {}, 360);
    await stage.page.locator(".virtual-row").waitFor();
    for (const hash of ["#/", "#/activity", `#/context/${encodeURIComponent("a/long/id/".repeat(20))}`]) {
      await stage.goto(hash);
      await stage.live();
      expect(await stage.page.evaluate(() => document.documentElement.scrollWidth), hash).toBe(360);
    }
  });
});
