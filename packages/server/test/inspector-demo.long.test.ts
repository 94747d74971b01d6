/** The empty page: how to connect the first agent, and the demo, in a real browser. */

import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { TOKENS } from "../inspector/test/server-process.ts";
import { canRun, Stage } from "../inspector/test/stage.ts";

describe.skipIf(!canRun)("an empty store", { timeout: 60_000 }, () => {
  const stage = new Stage();

  it("tells how to connect the first agent, with texts that do what they say when they are pasted", async () => {
    await stage.open();
    await stage.page.getByText("No contexts yet").waitFor();
    await stage.live();
    const copy = stage.page.getByRole("button", { name: "Copy" });
    await copy.first().click();
    await expect.poll(() => stage.clipboard()).toContain("mcpServers");
    const { mcpServers } = JSON.parse(await stage.clipboard()) as { mcpServers: Record<string, { url: string }> };
    expect(mcpServers["shared-context"]).toEqual({
      type: "http",
      url: `${stage.server.url}/mcp`,
      headers: { Authorization: "Bearer TOKEN" },
    });
    await copy.last().click();
    await expect.poll(() => stage.clipboard()).toContain("curl");
    execFileSync("sh", ["-c", await stage.clipboard()], {
      env: { ...process.env, TOKEN: TOKENS.write },
      stdio: "ignore",
    });
    await stage.row("plan").waitFor();
    expect(await stage.row("plan").textContent()).toContain("first-agent");
  });

  it("has a button for the demo: agents write one report at once, are refused and try again, and lose nothing", async () => {
    await stage.open();
    await stage.page.getByRole("button", { name: "Run the demo" }).click();
    const demo = stage.page.getByRole("region", { name: "Demo" });
    await demo.getByText("One reviews it under a lock").waitFor({ timeout: 40_000 });
    await stage.row("waiting: demo-editor").waitFor();
    expect(await stage.row("demo/report").textContent()).toContain("demo-reviewer");
    await demo.getByText("Nothing was lost: every piece is in the report once.").waitFor();
    const report = (await stage.manager.get("demo/report")) ?? expect.fail("there is no report");
    const { pieces, agents } = report.data as { pieces: number; agents: Record<string, number> };
    expect([pieces, Object.keys(agents).length, report.version, report.lockedBy]).toEqual([60, 6, "62", null]);
    expect(Object.values(agents).reduce((sum, count) => sum + count, 0)).toBe(60);
    const said = (await demo.textContent()) ?? "";
    const conflicts = Number(/(\d+) conflicts/.exec(said)?.[1]);
    const told = (await (await stage.send("GET", "/v1/stats", "test")).json()) as { totals: { conflicts: number } };
    expect(conflicts).toBeGreaterThan(0);
    expect(told.totals.conflicts).toBe(conflicts);
    await demo.getByRole("button", { name: "Delete what it made" }).click();
    await stage.page.getByText("No contexts yet").waitFor();
    await expect(stage.manager.listContexts()).resolves.toEqual([]);
  });

  it("can stop the demo, which says what it has left, and touches nothing that is there", async () => {
    await stage.open();
    // No changes arrive: the page goes on to show the empty store, though somebody is faster.
    await stage.page.route("**/v1/changes", () => undefined);
    await stage.page.reload();
    await stage.page.getByRole("button", { name: "Run the demo" }).waitFor();
    await stage.manager.create("demo/report", { mine: true });
    await stage.page.getByRole("button", { name: "Run the demo" }).click();
    const demo = stage.page.getByRole("region", { name: "Demo" });
    await demo.getByText(/[1-9]\d? of 60/).waitFor();
    await demo.getByRole("button", { name: "Stop the demo" }).click();
    await demo.getByText("Stopped. It has left the context demo/report-2.").waitFor();
    const { version } = (await stage.manager.get("demo/report-2")) ?? expect.fail("there is no report");
    await stage.page.waitForTimeout(500);
    expect((await stage.manager.get("demo/report-2"))?.version).toBe(version);
    await demo.getByRole("button", { name: "Delete what it made" }).click();
    await demo.waitFor({ state: "hidden" });
    expect((await stage.manager.get("demo/report"))?.data).toEqual({ mine: true });
    await expect(stage.manager.listContexts()).resolves.toEqual(["demo/report"]);
  });

  it("runs the demo under the one agent that a token is bound to, and not at all for a reader", async () => {
    await stage.open("/", { token: TOKENS.read });
    await stage.page.getByText("that needs a token with the right to write").waitFor();
    expect(await stage.page.getByRole("button", { name: "Run the demo" }).count()).toBe(0);
    await stage.open("/", { token: TOKENS.bound });
    await stage.page.getByRole("button", { name: "Run the demo" }).click();
    await stage.page.getByText("Nothing was lost").waitFor({ timeout: 40_000 });
    expect((await stage.manager.get("demo/report"))?.data).toMatchObject({ agents: { tied: 60 }, reviewed_by: "tied" });
  });
});
