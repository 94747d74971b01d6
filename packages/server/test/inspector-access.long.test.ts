/** For everybody: by keyboard, in both colours, on a narrow screen, and without motion. */

import axe from "axe-core";
import { type Locator } from "playwright-core";
import { describe, expect, it } from "vitest";
import { canRun, Stage } from "../inspector/test/stage.ts";

describe.skipIf(!canRun)("the inspector", { timeout: 90_000 }, () => {
  const stage = new Stage();

  it.each(["light", "dark"] as const)("has no fault that axe calls serious, in %s colours", async (colorScheme) => {
    await stage.open("/", { colorScheme, token: null });
    await stage.page.getByLabel("Token").waitFor();
    expect(await seriousFaults(), "token").toEqual([]);
    await stage.open("/", { colorScheme });
    await stage.page.getByText("No contexts yet").waitFor();
    expect(await seriousFaults(), "empty").toEqual([]);
    await stage.page.getByRole("button", { name: "Run the demo" }).click();
    await stage.row("demo/report").waitFor();
    expect(await seriousFaults(), "demo").toEqual([]);
    await stage.page.getByRole("button", { name: "Stop the demo" }).click();
    const base = await stage.manager.agent("one").create("plan", { step: 1, text: "a", nothing: null, yes: true });
    await stage.manager.agent("two").patch("plan", { step: 2 });
    await expect(stage.manager.agent("three").patch("plan", { step: 3 }, base)).rejects.toThrow("step");
    await stage.manager.lock("plan", "one");
    await stage.row("one").waitFor();
    expect(await seriousFaults(), "contexts").toEqual([]);
    await stage.goto("#/activity");
    await stage.row("locked").waitFor();
    expect(await seriousFaults(), "activity").toEqual([]);
    await stage.goto("#/context/plan");
    await stage.page.getByRole("tree").focus();
    expect(await seriousFaults(), "data").toEqual([]);
    await stage.page.getByRole("tab", { name: "History" }).click();
    await stage.page.getByRole("rowheader", { name: "/step" }).waitFor();
    expect(await seriousFaults(), "history").toEqual([]);
    await stage.page.getByRole("tab", { name: "Conflicts (1)" }).click();
    await stage.page.getByRole("rowheader", { name: "/step" }).waitFor();
    expect(await seriousFaults(), "conflicts").toEqual([]);
    await stage.page.getByRole("button", { name: "Force unlock…" }).click();
    expect(await seriousFaults(), "dialog").toEqual([]);
    await stage.page.keyboard.press("Escape");
    await stage.page.getByRole("button", { name: "Edit…" }).click();
    expect(await seriousFaults(), "edit").toEqual([]);
    await stage.server.kill();
    await stage.page.getByText("Connection lost").first().waitFor();
    expect(await seriousFaults(), "lost").toEqual([]);
  });

  async function seriousFaults(): Promise<string[]> {
    await stage.page.evaluate(axe.source);
    const { violations } = await stage.page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run());
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary ?? ""}`));
  }

  it("is used by keyboard alone, from the first key to a written edit, and shows where one is", async () => {
    await stage.manager.agent("one").create("plan", { step: 1, tasks: { first: true } });
    await stage.manager.agent("one").create("other", {});
    await stage.open();
    await stage.row("plan").waitFor();
    const { keyboard } = stage.page;
    await keyboard.press("Tab");
    await keyboard.press("Enter");
    await expect.poll(() => stage.page.evaluate(() => document.activeElement?.id)).toBe("main");
    await tabTo(stage.page.getByLabel("Search"));
    await keyboard.type("pla");
    await tabTo(stage.page.getByRole("listbox"));
    await keyboard.press("Enter");
    await stage.page.getByRole("heading", { name: "plan" }).waitFor();
    await tabTo(stage.page.getByRole("tab", { name: "Data" }));
    await tabTo(stage.page.getByRole("tree"));
    await keyboard.press("End");
    await stage.page.getByText("/tasks/first").waitFor();
    await keyboard.press("ArrowLeft");
    await keyboard.press("Space");
    expect(await stage.page.getByRole("treeitem").count()).toBe(2);
    await keyboard.press("Shift+Tab");
    await tabTo(stage.page.getByRole("tab", { name: "Data" }), "Shift+Tab");
    await keyboard.press("ArrowRight");
    await stage.page.getByText("Both are version 1").waitFor();
    await tabTo(stage.page.getByRole("button", { name: "Edit…" }), "Shift+Tab");
    await keyboard.press("Enter");
    const dialog = stage.page.getByRole("dialog");
    await tabTo(dialog.getByLabel("Data, as JSON"));
    await keyboard.press("Control+A");
    await keyboard.type('{"step": 2}');
    await tabTo(dialog.getByLabel("Reason"));
    await keyboard.type("by hand");
    await keyboard.press("Enter");
    await dialog.waitFor({ state: "hidden" });
    expect((await stage.manager.get("plan"))?.data).toEqual({ step: 2 });
    // Whoever opened the dialog is where they were.
    expect(await stage.page.evaluate(() => document.activeElement?.textContent)).toBe("Edit…");
    await tabTo(stage.page.getByRole("link", { name: "Activity" }), "Shift+Tab");
    await keyboard.press("Enter");
    await tabTo(stage.page.getByRole("listbox"));
    await keyboard.press("Enter");
    await stage.page.getByRole("heading", { name: "plan" }).waitFor();
  });

  async function tabTo(target: Locator, key = "Tab"): Promise<void> {
    for (let count = 0; count < 40; count++) {
      if (await target.evaluate((element) => element === document.activeElement)) return;
      await stage.page.keyboard.press(key);
      const outline = await stage.page.evaluate(() => {
        const style = getComputedStyle(document.activeElement ?? document.body);
        return `${style.outlineStyle} ${style.outlineWidth}`;
      });
      const isBody = await stage.page.evaluate(() => document.activeElement === document.body);
      if (!isBody) expect(outline).toBe("solid 2px");
    }
    expect.fail(`Tab does not lead to ${target.toString()}`);
  }

  it("fits 360 pixels everywhere", async () => {
    const id = "a/long/id/".repeat(20);
    const name = "somebody with a long name that goes on";
    const fits = async (where: string): Promise<void> => {
      expect(await stage.page.evaluate(() => document.documentElement.scrollWidth), where).toBe(360);
    };
    await stage.open("/", { width: 360 });
    await stage.page.getByText("No contexts yet").waitFor();
    await fits("empty");
    await stage.page.getByRole("button", { name: "Run the demo" }).click();
    await stage.row("demo/report").waitFor();
    await fits("demo");
    await stage.page.getByRole("button", { name: "Stop the demo" }).click();
    const base = await stage.manager.agent(name).create(id, { text: "word ".repeat(200), n: 1 });
    await stage.manager.agent(name).patch(id, { n: 2 });
    await expect(stage.manager.agent(name).patch(id, { n: 3 }, base)).rejects.toThrow("n");
    await stage.manager.lock(id, name);
    for (const hash of ["#/", "#/activity", `#/context/${encodeURIComponent(id)}`]) {
      await stage.goto(hash);
      await stage.live();
      await fits(hash);
    }
    for (const tab of ["History", "Conflicts (1)", "Data"]) {
      await stage.page.getByRole("tab", { name: tab }).click();
      await fits(tab);
    }
    for (const button of ["Edit…", "Force unlock…", "Delete…"]) {
      await stage.page.getByRole("button", { name: button }).click();
      await fits(button);
      const box = (await stage.page.getByRole("dialog").boundingBox()) ?? expect.fail("no dialog");
      expect(box.x + box.width).toBeLessThanOrEqual(360);
      await stage.page.keyboard.press("Escape");
    }
    await stage.page.getByRole("button", { name: "Force unlock…" }).click();
    await stage.page.getByLabel("Reason").fill("on a telephone");
    await stage.page.getByRole("dialog").getByRole("button", { name: "Force unlock" }).click();
    await expect.poll(async () => (await stage.manager.get(id))?.lockedBy).toBeNull();
  });

  it("moves nothing for whoever wants less motion", async () => {
    await stage.manager.create("plan", { deep: { er: 1 } });
    for (const [reducedMotion, moves] of [
      ["no-preference", true],
      ["reduce", false],
    ] as const) {
      await stage.open("/", { reducedMotion });
      await stage.live();
      await stage.manager.create(`new for ${reducedMotion}`, {});
      await stage.row(`new for ${reducedMotion}`).waitFor();
      await expect.poll(() => stage.page.evaluate(() => document.getAnimations().length > 0)).toBe(moves);
      await stage.goto("#/context/plan");
      await stage.page.getByRole("treeitem", { name: "deep" }).click();
      expect(await stage.page.evaluate(() => document.getAnimations().length > 0)).toBe(moves);
    }
  });
});
