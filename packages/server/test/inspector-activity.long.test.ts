/** The stream of changes and the charts, in a real browser. */

import { describe, expect, it } from "vitest";
import { canRun, Stage } from "../inspector/test/stage.ts";

describe.skipIf(!canRun)("the activity", { timeout: 60_000 }, () => {
  const stage = new Stage();

  it("is filtered, paused and rewound, back to what the log keeps", async () => {
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
    await stage.page.getByLabel("Context", { exact: true }).fill("oth");
    await expect.poll(() => stage.page.locator(".activity-row .id").allTextContents()).toEqual(["other"]);
    await stage.page.getByLabel("Context", { exact: true }).fill("");
    await stage.page.getByLabel("Kind").selectOption("updated");
    await expect.poll(() => stage.page.locator(".activity-row .note").allTextContents()).toEqual(["second", "first"]);
    await stage.row("second").click();
    await stage.page.getByRole("heading", { name: "plan" }).waitFor();
  });

  it("says when each change was made; of a release that the log tells, not before what", async () => {
    const agent = stage.manager.agent("one");
    await agent.create("plan", {});
    await agent.lock("plan");
    const since = (await stage.manager.get("plan"))?.lock?.since ?? expect.fail("no lock");
    await agent.unlock("plan");
    await stage.open("/#/activity", { timezoneId: "UTC" });
    await stage.live();
    await stage.page.getByRole("button", { name: "Read the kept log" }).click();
    await stage.row("unlocked").waitFor();
    const clocks = (): Promise<string[]> => stage.page.locator(".activity-row .clock").allTextContents();
    const locked = since.toISOString().slice(11, 19);
    const [unlocked, ...others] = await clocks();
    expect([unlocked, others[0]]).toEqual([`≥not before ${locked}`, locked]);
    await agent.lock("plan");
    await agent.unlock("plan");
    await expect.poll(async () => (await clocks()).length).toBe(5);
    for (const clock of (await clocks()).slice(0, 2)) expect(clock).toMatch(/^\d\d:\d\d:\d\d$/);
  });

  it("has charts of the writes, conflicts and waits for locks of each second", async () => {
    const base = await stage.manager.create("plan", { step: 0 });
    await stage.open("/#/activity");
    await stage.live();
    const chart = (name: string): Promise<string | null> =>
      stage.page.getByRole("img", { name: new RegExp(`^${name}:`) }).getAttribute("aria-label");
    expect(await chart("Writes")).toBe("Writes: 0 per second, most 0 in ten minutes");
    // The page has read the totals of before.
    await stage.page.waitForResponse("**/v1/stats");
    for (let step = 1; step <= 20; step++) await stage.manager.agent("one").patch("plan", { step });
    for (let count = 0; count < 8; count++) {
      await expect(stage.manager.agent("two").patch("plan", { step: -1 }, base)).rejects.toMatchObject({
        code: "CONFLICT",
      });
    }
    await stage.send("POST", "/v1/contexts/plan/lock", "one", { ttl_ms: 300 });
    expect((await stage.send("POST", "/v1/contexts/plan/lock", "two", { timeout_ms: 5_000 })).status).toBe(200);
    await expect.poll(() => chart("Writes")).toMatch(/most (?!0 )/);
    await expect.poll(() => chart("Conflicts"), { timeout: 5_000 }).toMatch(/most (?!0 )/);
    await expect.poll(() => chart("Lock waits"), { timeout: 5_000 }).toMatch(/most (?!0 )/);
  });
});
