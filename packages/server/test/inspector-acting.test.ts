/** What the page does, in a real browser: only for admins, each with a reason. */

import { hashOf, tokensOf } from "shared-context-server";
import { describe, expect, it } from "vitest";
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
    expect([data, note, updatedBy]).toEqual([{ step: 2, title: "b", other: 2 }, "it was wrong", "inspector"]);
    await stage.page.getByRole("tab", { name: "Conflicts (1)" }).click();
    await stage.page.getByRole("rowheader", { name: "/step" }).waitFor();
  });

  it("restores, breaks a lock and deletes, each with a reason", async () => {
    const agent = stage.manager.agent("one");
    await agent.create("plan", { step: 1 });
    await agent.patch("plan", { step: 2 }, undefined, { note: "further" });
    await stage.open("/#/context/plan");
    await stage.page.getByRole("tab", { name: "History" }).click();
    await stage.page.getByRole("rowheader", { name: "/step" }).waitFor();
    await stage.page.getByLabel("To version").fill("0");
    await act("Restore version 1…", "Restore");
    await expect.poll(async () => (await stage.manager.get("plan"))?.data).toEqual({ step: 1 });
    await agent.lock("plan");
    await act("Force unlock…", "Force unlock");
    await expect.poll(async () => (await stage.manager.get("plan"))?.lockedBy).toBeNull();
    await act("Delete…", "Delete");
    await expect.poll(() => stage.manager.get("plan")).toBeUndefined();
  });

  async function act(button: string, confirm: string): Promise<void> {
    await stage.page.getByRole("button", { name: button }).click();
    const dialog = stage.page.getByRole("dialog");
    await dialog.getByLabel("Reason").fill("a test");
    await dialog.getByRole("button", { name: confirm, exact: true }).click();
    await dialog.waitFor({ state: "hidden" });
  }

  it("asks once for a token, keeps it for the tab, and lets only admins act", async () => {
    await stage.manager.create("plan", {});
    const record = (name: string, rights: "read" | "admin") => ({
      name,
      hash: hashOf(`secret-${name}`),
      agentId: null,
      rights,
    });
    await stage.open("/#/context/plan", { tokens: tokensOf([record("eye", "read"), record("boss", "admin")]) });
    const give = async (token: string): Promise<void> => {
      await stage.page.getByLabel("Token").fill(token);
      await stage.page.getByRole("button", { name: "Connect" }).click();
    };
    await give("wrong");
    await stage.page.getByText("does not know this token").waitFor();
    await give("secret-eye");
    await stage.page.getByText("may look, not act").waitFor();
    expect(await stage.page.getByRole("button", { name: "Delete…" }).count()).toBe(0);
    await stage.page.evaluate(() => sessionStorage.clear());
    await stage.page.reload();
    await give("secret-boss");
    await stage.page.getByRole("button", { name: "Delete…" }).waitFor();
    await stage.page.reload();
    await stage.page.getByRole("button", { name: "Delete…" }).waitFor();
    expect(stage.page.url()).not.toContain("secret");
    expect(await stage.page.evaluate(() => localStorage.length)).toBe(0);
  });
});
