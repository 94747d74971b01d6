/** Many agents write at once, the server is killed in between, and the page has the numbers of the API. */

import { setTimeout as pause } from "node:timers/promises";
import { type AsyncSharedContextManager, isContextError } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { canRun, Stage } from "../inspector/test/stage.ts";

const CONTEXTS = 10;
const CHANGES = 500;

interface Listed {
  readonly context_id: string;
  readonly version: string;
  readonly bytes: number;
  readonly updated_by: string;
}

describe.skipIf(!canRun)("a storm of 5,000 changes, with the server killed in the middle", { timeout: 120_000 }, () => {
  const stage = new Stage();

  it("is told in full, and leaves the page with what the API has", async () => {
    const ids = Array.from({ length: CONTEXTS }, (_, index) => `context-${index}`);
    for (const id of ids) await stage.manager.create(id, { step: 0 });
    await stage.open("/#/activity");
    await stage.live();
    const writers = Promise.all(ids.map((id) => writeAll(stage.manager, id)));
    const written = async (): Promise<number> => Number((await stage.manager.get("context-0"))?.data["step"]);
    await expect.poll(written, { timeout: 60_000 }).toBeGreaterThan(CHANGES / 3);
    await stage.server.kill();
    await stage.page.getByText("Connection lost").first().waitFor();
    await stage.server.start();
    await writers;
    await stage.page.getByRole("listbox", { name: "Changes, 5000," }).waitFor();
    await stage.goto(`#/`);
    await stage.page.getByRole("button", { name: "Sort by context" }).click();
    const { contexts } = (await (await stage.send("GET", "/v1/contexts", "test")).json()) as { contexts: Listed[] };
    expect(contexts.map(({ version }) => version)).toEqual(ids.map(() => "501"));
    const column = (name: string): Promise<string[]> =>
      stage.page.locator(`.virtual-row .col-${name}`).allTextContents();
    expect(await column("context_id")).toEqual(contexts.map((context) => context.context_id));
    expect(await column("version")).toEqual(contexts.map(({ version }) => `version v${version}`));
    expect(await column("bytes")).toEqual(contexts.map(({ bytes }) => `${bytes} B`));
    expect(await column("updated_by")).toEqual(contexts.map((context) => context.updated_by));
  });
});

describe.skipIf(!canRun)("a context that is written again and again", { timeout: 60_000 }, () => {
  const stage = new Stage();

  it("is shown as it goes on, data and history, and not only when the writes stop", async () => {
    const agent = stage.manager.agent("one");
    await agent.create("plan", { step: 1 });
    await stage.open("/#/context/plan");
    await stage.page.getByRole("treeitem", { name: "step" }).waitFor();
    const over = new AbortController();
    const writing = (async () => {
      while (!over.signal.aborted) {
        await agent.patch("plan", [{ op: "increment", path: "/step" }]);
        await pause(50);
      }
    })();
    try {
      const step = async (): Promise<number> =>
        Number(/step:(\d+)/.exec((await stage.page.getByRole("tree").textContent()) ?? "")?.[1]);
      await expect.poll(step, { timeout: 10_000 }).toBeGreaterThan(1);
      const shown = await step();
      await expect.poll(step, { timeout: 10_000 }).toBeGreaterThan(shown);
      await stage.page.getByRole("tab", { name: "History" }).click();
      const versions = async (): Promise<number> =>
        Number(/(\d+) versions/.exec((await stage.page.locator(".history").textContent()) ?? "")?.[1]);
      await expect.poll(versions, { timeout: 10_000 }).toBeGreaterThan(1);
      const kept = await versions();
      await expect.poll(versions, { timeout: 10_000 }).toBeGreaterThan(kept);
    } finally {
      over.abort();
      await writing;
    }
  });
});

/** The only writer of a context: what it has written is there in its version, also when no answer came. */
async function writeAll(manager: AsyncSharedContextManager, id: string): Promise<void> {
  const agent = manager.agent(`writer of ${id}`);
  for (;;) {
    try {
      const present = (await manager.get(id)) ?? expect.fail("it has gone");
      if (Number(present.version) > CHANGES) return;
      await agent.update(id, { step: Number(present.version) }, present);
    } catch (error) {
      const code = isContextError(error) ? error.code : undefined;
      // Written, and not told: the version is another one already.
      if (code !== "UNAVAILABLE" && code !== "INDETERMINATE" && code !== "CONFLICT") throw error;
      await pause(50);
    }
  }
}
