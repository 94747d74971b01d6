/** What the page does, in a real browser: only for admins, each with a reason. */

import { describe, expect, it } from "vitest";
import { TOKENS } from "../inspector/test/server-process.ts";
import { canRun, Stage } from "../inspector/test/stage.ts";

describe.skipIf(!canRun)("acting in the inspector", { timeout: 60_000 }, () => {
  const stage = new Stage();

  it("edits at the version that was read, and shows a conflict by path", async () => {
    await stage.manager.agent("one").create("plan", { step: 1, title: "a", other: 1 });
    await stage.open("/#/context/plan");
    await stage.page.getByRole("button", { name: "Edit…" }).click();
    await stage.manager.agent("two").patch("plan", { step: 5, other: 2 });
    const dialog = stage.page.getByRole("dialog");
    await dialog.getByLabel("Data, as JSON").fill('{"step": 2, "title": "b", "other": 1}');
    expect(await dialog.getByRole("button", { name: "Write" }).isDisabled()).toBe(true);
    await dialog.getByLabel("Reason").fill("it was wrong");
    await dialog.getByRole("button", { name: "Write" }).click();
    await dialog.getByRole("table").waitFor();
    const cells = await dialog.locator("tbody th, tbody td bdi").allTextContents();
    expect(cells).toEqual(["/step", "1", "2", "5"]);
    expect((await stage.manager.get("plan"))?.data).toEqual({ step: 5, title: "a", other: 2 });
    await dialog.getByLabel("Keep at /step").selectOption("yours");
    await dialog.getByRole("button", { name: "Write with these choices" }).click();
    await dialog.waitFor({ state: "hidden" });
    const { data, note, updatedBy } = (await stage.manager.get("plan")) ?? expect.fail("it has gone");
    expect([data, note, updatedBy]).toEqual([{ step: 2, title: "b", other: 2 }, "it was wrong", "admin"]);
    await stage.page.getByRole("tab", { name: "Conflicts (1)" }).click();
    await stage.page.getByRole("rowheader", { name: "/step" }).waitFor();
    await stage.page.getByText("It had read version 1, and version 2 was there.").waitFor();
  });

  it("restores, breaks a lock and deletes, each with a reason that the log keeps", async () => {
    const agent = stage.manager.agent("one");
    await agent.create("plan", { step: 1 });
    await agent.patch("plan", { step: 2 }, undefined, { note: "further" });
    await stage.open("/#/context/plan");
    await stage.page.getByRole("tab", { name: "History" }).click();
    await stage.page.getByRole("rowheader", { name: "/step" }).waitFor();
    await stage.page.getByLabel("To version").fill("0");
    await act("Restore version 1…", "Restore", "back again");
    await expect.poll(async () => (await stage.manager.get("plan"))?.data).toEqual({ step: 1 });
    expect((await stage.manager.get("plan"))?.note).toBe("back again");
    await agent.lock("plan");
    await act("Force unlock…", "Force unlock", "it hangs");
    await expect.poll(async () => (await stage.manager.get("plan"))?.lockedBy).toBeNull();
    await act("Delete…", "Delete", "not needed");
    await expect.poll(() => stage.manager.get("plan")).toBeUndefined();
    await stage.goto("#/activity");
    const notes = (): Promise<string[]> => stage.page.locator(".activity-row .note").allTextContents();
    await expect.poll(notes).toEqual(["not needed", "it hangs", "", "back again"]);
  });

  it("refuses to delete, restore or edit what has changed since it was read, and says so", async () => {
    const agent = stage.manager.agent("one");
    await agent.create("plan", { step: 1 });
    await stage.open("/#/context/plan");
    await stage.page.getByRole("button", { name: "Delete…" }).click();
    await agent.patch("plan", { step: 2 });
    const dialog = stage.page.getByRole("dialog");
    await dialog.getByLabel("Reason").fill("old");
    await dialog.getByRole("button", { name: "Delete", exact: true }).click();
    await dialog.getByRole("alert").filter({ hasText: "CONFLICT" }).waitFor();
    await stage.page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    expect((await stage.manager.get("plan"))?.data).toEqual({ step: 2 });
    await stage.page.getByRole("button", { name: "Edit…" }).click();
    await dialog.getByLabel("Data, as JSON").fill("{ no JSON");
    await dialog.getByLabel("Reason").fill("broken");
    await dialog.getByRole("button", { name: "Write" }).click();
    await dialog.getByRole("alert").filter({ hasText: "This is not JSON" }).waitFor();
  });

  async function act(button: string, confirm: string, reason: string): Promise<void> {
    await stage.page.getByRole("button", { name: button }).click();
    const dialog = stage.page.getByRole("dialog");
    expect(await dialog.getByRole("button", { name: confirm, exact: true }).isDisabled()).toBe(true);
    await dialog.getByLabel("Reason").fill(reason);
    await dialog.getByRole("button", { name: confirm, exact: true }).click();
    await dialog.waitFor({ state: "hidden" });
  }

  it("asks once for a token, keeps it for the tab and out of the URL, and lets only admins act", async () => {
    await stage.manager.create("plan", {});
    await stage.open("/#/context/plan", { token: null });
    const give = async (token: string): Promise<void> => {
      await stage.page.getByLabel("Token").fill(token);
      await stage.page.getByRole("button", { name: "Connect" }).click();
    };
    await give("wrong");
    await stage.page.getByText("does not know this token").waitFor();
    for (const token of [TOKENS.read, TOKENS.write]) {
      await give(token);
      await stage.page.getByText("may look, not act").waitFor();
      expect(await stage.page.getByRole("button", { name: "Delete…" }).count()).toBe(0);
      await stage.page.evaluate(() => sessionStorage.clear());
      await stage.page.reload();
    }
    await give(TOKENS.admin);
    await stage.page.getByRole("button", { name: "Delete…" }).waitFor();
    await stage.page.reload();
    await stage.page.getByRole("button", { name: "Delete…" }).waitFor();
    const kept = await stage.page.evaluate(() => [location.href, localStorage.length, document.cookie] as const);
    expect(kept).toEqual([`${stage.server.url}/#/context/plan`, 0, ""]);
    const other = await stage.page.context().newPage();
    await other.goto(stage.server.url);
    await other.getByLabel("Token").waitFor();
  });
});
