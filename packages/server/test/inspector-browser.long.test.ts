/** What the page shows, in a real browser, of real agents on a real server over SQLite. */

import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { TOKENS } from "../inspector/test/server-process.ts";
import { canRun, Stage } from "../inspector/test/stage.ts";

const HOSTILE = '<img src=x onerror="document.title=1">';

describe.skipIf(!canRun)("the overview", { timeout: 60_000 }, () => {
  const stage = new Stage();

  it("shows version, size, last writer, age, and the lock with its holder and a live countdown", async () => {
    const agent = stage.manager.agent("one");
    await agent.create("plan", { step: 1 });
    await stage.manager.agent("two").patch("plan", { step: 2 });
    await agent.lock("plan", { ttlMs: 90_000 });
    await stage.open();
    const cell = (name: string) => stage.row("plan").locator(`.col-${name}`);
    await cell("locked_by").getByText("one").waitFor();
    const texts = await Promise.all(["version", "bytes", "updated_by"].map((name) => cell(name).textContent()));
    expect(texts).toEqual(["version v2", "10 B", "two"]);
    expect(await cell("updated_at").textContent()).toMatch(/^\d+ s$/);
    const left = async (): Promise<number> => {
      const [minutes = 0, seconds = 0] = ((await cell("locked_by").locator(".countdown").textContent()) ?? "")
        .split(":")
        .map(Number);
      return minutes * 60 + seconds;
    };
    const first = await left();
    expect(first).toBeGreaterThan(60);
    await expect.poll(left, { timeout: 5_000 }).toBeLessThan(first);
  });

  it("knows that a lease is renewed, which no change tells", async () => {
    await stage.manager.create("plan", {});
    const lease = await stage.manager.agent("one").acquire("plan", { ttlMs: 6_000 });
    await stage.open();
    await stage.row("one").waitFor();
    await stage.page.waitForTimeout(7_500); // longer than it would last
    // A busy machine may show a moment too late what it has heard.
    await expect.poll(() => stage.row("plan").textContent()).not.toContain("lapsed");
    expect(await stage.row("plan").locator(".lock").count()).toBe(1);
    await lease.release();
    await expect.poll(() => stage.row("plan").locator(".lock").count()).toBe(0);
  });

  it("shows who waits for whom, points out a cycle, and counts the conflicts of each agent", async () => {
    for (const [contextId, agentId] of [
      ["a", "one"],
      ["b", "two"],
    ] as const) {
      await stage.manager.create(contextId, { step: 1 });
      await stage.send("POST", `/v1/contexts/${contextId}/lock`, agentId, { ttl_ms: 60_000 });
    }
    const stale = await stage.manager.create("c", { step: 1 });
    await stage.manager.agent("three").patch("c", { step: 2 });
    await expect(stage.manager.agent("four").patch("c", { step: 3 }, stale)).rejects.toMatchObject({
      code: "CONFLICT",
    });
    const waits = [
      stage.send("POST", "/v1/contexts/a/lock", "two", { timeout_ms: 20_000 }),
      stage.send("POST", "/v1/contexts/b/lock", "one", { timeout_ms: 20_000 }),
    ];
    await stage.open();
    await stage.page.getByRole("alert").filter({ hasText: "one → two" }).waitFor();
    await stage.row("waiting: two").waitFor();
    const agents = stage.page.getByRole("complementary", { name: "Agents" });
    const facts = (agentId: string) => agents.getByRole("listitem").filter({ hasText: new RegExp(`^${agentId}`) });
    expect(await facts("two").textContent()).toMatch(/holdsb.*waits fora/);
    expect(await facts("three").textContent()).toMatch(/wrotec v2, \d+ s ago/);
    expect(await facts("four").textContent()).toMatch(/conflicts1$/);
    await stage.manager.forceUnlock("a", { reason: "test" });
    await expect.poll(() => stage.page.getByRole("alert").count()).toBe(0);
    await stage.manager.forceUnlock("b", { reason: "test" });
    await Promise.all(waits);
  });

  it("points out a lock that has lapsed, beside the agents and in its row", async () => {
    await stage.manager.create("plan", {});
    await stage.manager.lock("plan", "gone", { ttlMs: 50 });
    await stage.open();
    await stage.page.getByText("The lock on plan has lapsed").waitFor();
    expect(await stage.row("plan").locator(".lock.warn").textContent()).toContain("gone");
  });

  it("points out a lock that is held for long", async () => {
    await stage.manager.create("plan", {});
    await stage.manager.lock("plan", "slow", { ttlMs: 600_000 });
    await stage.open();
    // Three minutes are too long for a test: the server tells that it was granted earlier.
    await stage.page.route("**/v1/contexts?*", async (route) => {
      const response = await route.fetch();
      const text = await response.text();
      const earlier = new Date(Date.now() - 185_000).toISOString();
      await route.fulfill({ response, body: text.replace(/"locked_at":"[^"]*"/, `"locked_at":"${earlier}"`) });
    });
    await stage.page.reload();
    await stage.page.getByText("The lock on plan has been held for 3 min.").waitFor();
    expect(await stage.row("plan").locator(".lock.warn").textContent()).toContain("slow");
    // The page asks again and again: an answer that is under way ends with it.
    await stage.page.unrouteAll({ behavior: "ignoreErrors" });
  });

  it("keeps 10,000 contexts to the rows that are seen, searched, filtered and sorted at once", async () => {
    const ids = Array.from({ length: 10_000 }, (_, index) => `team/${String(index).padStart(5, "0")}`);
    for (let from = 0; from < ids.length; from += 100) await createAll(ids.slice(from, from + 100));
    await stage.manager.agent("somebody").create("other", { large: "x".repeat(2_000) });
    await stage.open();
    await stage.page.getByText("10,001 contexts").waitFor();
    expect(await stage.page.locator(".virtual-row").count()).toBeLessThan(60);
    await stage.page.getByLabel("Search").fill("0042");
    await stage.page.getByText("11 of 10,001").waitFor();
    await stage.page.getByLabel("Search").fill("someBODY");
    await stage.row("other").waitFor();
    await stage.page.getByLabel("Search").fill("");
    await stage.page.getByLabel("Prefix").fill("team/0999");
    await stage.page.getByText("10 of 10,001").waitFor();
    await stage.page.getByLabel("Prefix").fill("");
    const first = () => stage.page.locator(".virtual-row").first().locator(".id").textContent();
    await stage.page.getByRole("button", { name: "Sort by size" }).click();
    await expect.poll(first).toBe("other");
    await stage.page.getByRole("button", { name: "Sort by context" }).click();
    await stage.page.getByRole("button", { name: "Sort by context" }).click();
    await expect.poll(first).toBe("team/09999");
  });

  async function createAll(ids: readonly string[]): Promise<void> {
    const steps = ids.map((id) => ({ do: "create", context_id: id, data: { id } }));
    expect((await stage.send("POST", "/v1/transactions", "one", { steps })).status).toBe(200);
  }
});

describe.skipIf(!canRun)("the connection", { timeout: 60_000 }, () => {
  const stage = new Stage();

  it("is said to be lost when the server is killed, and misses nothing when it is back", async () => {
    await stage.manager.create("plan", { step: 1 });
    await stage.open("/#/activity");
    await stage.live();
    await stage.manager.agent("one").patch("plan", { step: 2 });
    await stage.row("updated").waitFor();
    await stage.server.kill();
    await stage.page.getByText("Connection lost").first().waitFor();
    // The page waits a while longer each time: these are written before it comes back.
    await stage.server.start();
    await stage.manager.agent("two").patch("plan", { step: 3 });
    await stage.manager.agent("three").patch("plan", { step: 4 });
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
      await stage.server.kill();
      stage.server.useNewStore();
      await stage.server.start();
      await stage.manager.create("new", {});
      await stage.row("new").waitFor();
      expect(await stage.row("old").count()).toBe(0);
    },
  );
});

describe.skipIf(!canRun)("one context", { timeout: 60_000 }, () => {
  const stage = new Stage();

  it("shows whatever agents store as text", async () => {
    const data = JSON.parse(
      '{"__proto__": {"x": 1}, "<script>document.title=2</script>": "javascript:alert(1)", "javascript:alert(2)": 1}',
    ) as object;
    const written = { bidi: "a\u202Eb", long: "x".repeat(900_000), html: HOSTILE };
    const both = JSON.parse(`${JSON.stringify(data).slice(0, -1)},${JSON.stringify(written).slice(1)}`) as object;
    await stage.manager.agent("<b>agent</b>").create(HOSTILE, both as never, { note: "<i>note</i>" });
    await stage.open(`/#/context/${encodeURIComponent(HOSTILE)}`);
    await stage.page.getByRole("treeitem", { name: "html" }).waitFor();
    expect(await stage.page.getByRole("heading", { level: 2 }).textContent()).toBe(HOSTILE);
    const tree = await stage.page.getByRole("tree").textContent();
    for (const text of [
      String.raw`a\u202eb`,
      "__proto__",
      "javascript:alert(2)",
      "<script>document.title=2</script>",
    ]) {
      expect(tree).toContain(text);
    }
    expect(await stage.page.locator("#app img, #app b:has-text('agent'), #app i, #app script").count()).toBe(0);
    expect(await stage.page.locator("a[href^='javascript']").count()).toBe(0);
    expect(await stage.page.title()).toContain("Inspector");
    await stage.goto(`#/activity`);
    await stage.page.getByRole("button", { name: "Read the kept log" }).click();
    await stage.row(HOSTILE).waitFor();
    expect(await stage.page.locator("#app img, #app i").count()).toBe(0);
  });

  it("keeps a tree of 10,000 nodes to the rows that are seen, and opens all of it at once", async () => {
    const items = Array.from({ length: 2_500 }, (_, id) => ({ id, name: `item ${id}`, done: false }));
    await stage.manager.agent("one").create("plan", { items });
    await stage.open("/#/context/plan");
    await stage.page.getByRole("button", { name: "Close all" }).click();
    expect(await stage.page.getByRole("treeitem").count()).toBe(1);
    await stage.page.getByRole("button", { name: "Open all" }).click();
    await stage.page.getByText("10,001 rows").waitFor();
    expect(await stage.page.getByRole("treeitem").count()).toBeLessThan(60);
    await stage.page.getByRole("tree").focus();
    await stage.page.keyboard.press("End");
    await stage.page.getByRole("treeitem", { name: "done: false" }).last().waitFor();
    await stage.page.getByText("/items/id=2499/done").waitFor();
  });

  it("shows who wrote a value to whoever moves to it or points at it", async () => {
    await stage.manager.agent("one").create("plan", { step: 1, tasks: [{ id: 7, done: false }] });
    await stage.manager
      .agent("two")
      .patch("plan", [{ op: "set", path: "/tasks/id=7/done", value: true }], undefined, { note: "checked" });
    await stage.open("/#/context/plan");
    await stage.page.getByRole("tree").focus();
    await stage.page.keyboard.press("End");
    const blame = (): Promise<string | null> => stage.page.locator(".blame").textContent();
    await expect.poll(blame).toMatch(/\/tasks\/id=7\/done.*version 2 by two.*checked/);
    await stage.page.keyboard.press("Home");
    await expect.poll(blame).toMatch(/\/step.*version 1 by one/);
    await stage.page.getByRole("treeitem", { name: "done" }).hover();
    await expect.poll(blame).toMatch(/\/tasks\/id=7\/done.*version 2 by two/);
    await stage.page.getByRole("heading", { level: 2 }).hover();
    await expect.poll(blame).toMatch(/\/step.*version 1 by one/);
    for (const key of ["ArrowDown", "ArrowLeft"]) await stage.page.keyboard.press(key);
    expect(await stage.page.getByRole("treeitem").count()).toBe(2);
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

  it("is copied as JSON, and as a curl that names the token and does not contain it", async () => {
    await stage.manager.create("plan's", { step: 1 });
    await stage.open(`/#/context/plan's`);
    await stage.page.getByRole("button", { name: "Copy JSON" }).click();
    await stage.page.getByText("Copied").waitFor();
    expect(JSON.parse(await stage.clipboard())).toEqual({ step: 1 });
    await stage.page.getByRole("button", { name: "Copy curl" }).click();
    await expect.poll(() => stage.clipboard()).toMatch(/^curl -H "Authorization: Bearer \$TOKEN" 'http/);
    const curl = await stage.clipboard();
    expect(curl).not.toContain(TOKENS.admin);
    const env = { PATH: process.env["PATH"] ?? "", TOKEN: TOKENS.admin };
    const told = execFileSync("sh", ["-c", curl], { env, stdio: ["ignore", "pipe", "ignore"] });
    expect(JSON.parse(told.toString())).toMatchObject({ context_id: "plan's", data: { step: 1 } });
  });

  it("shows the conflicts of agents by path, with base, yours and theirs", async () => {
    const base = await stage.manager.create("plan", { step: 1, title: "a" });
    await stage.manager.agent("one").patch("plan", { step: 2 });
    const two = stage.manager.agent("two");
    await expect(two.patch("plan", { step: "<b>3</b>" }, base)).rejects.toMatchObject({ code: "CONFLICT" });
    await stage.open("/#/context/plan");
    await stage.page.getByRole("tab", { name: "Conflicts (1)" }).click();
    await expect
      .poll(() => stage.page.locator("tbody th, tbody td").allTextContents())
      .toEqual(["/step", "1", '"<b>3</b>"', "2"]);
    // A replacement: what it would have undone.
    await expect(two.update("plan", { step: 1, title: "b" }, base)).rejects.toMatchObject({ code: "CONFLICT" });
    await stage.page.getByRole("tab", { name: "Conflicts (2)" }).waitFor();
    expect(await stage.page.locator("tbody").first().locator("th, td").allTextContents()).toEqual([
      "/step",
      "1",
      "1",
      "2",
    ]);
    await stage.page.getByText("It had read version 1, and version 2 was there.").first().waitFor();
  });
});
