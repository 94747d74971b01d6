/**
 * What the page may cost. The budget is one of the wall clock, which is the page's where nothing else runs: `npm run
 * bench:inspector` sets STRICT_BUDGETS and holds it to that. Beside other work that clock tells of the other work, and what
 * counts is how long the page's thread had a processor, as a trace of the browser tells it, held to twice the budget: what
 * grew with the number of contexts would take far more. Of three attempts the best counts.
 */

import { type AsyncAgent } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { canRun, Stage, sum } from "../inspector/test/stage.ts";

const IS_STRICT = process.env["STRICT_BUDGETS"] === "1";
const SLACK = IS_STRICT ? 1 : 2;
const ATTEMPTS = 3;
const CONTEXTS = 1_000;

const INTERACTIVE_MS = 1_000;
const VISIBLE_MS = 100;
const FRAME_MS = 50;

describe.skipIf(!canRun)("the budget of the inspector", { timeout: 120_000 }, () => {
  const stage = new Stage();

  it("is a second until 1,000 contexts can be used", async () => {
    await createMany();
    const ms = await best("interactive", INTERACTIVE_MS, () =>
      costOf(sum, async () => {
        await stage.open();
        await stage.row("context-").first().waitFor();
        return stage.page.evaluate(
          () =>
            new Promise<number>((resolve) => {
              // No task is in the way any more, and the page answers.
              requestIdleCallback(() => resolve(performance.now()));
            }),
        );
      }),
    );
    expect(ms).toBeLessThanOrEqual(INTERACTIVE_MS * SLACK);
  });

  it("is 100 ms from the commit of a change to its being seen, in the median", async () => {
    await createMany();
    const agent = stage.manager.agent("one");
    await agent.create("watched", { step: 0 });
    await stage.open();
    await stage.page.getByLabel("Search").fill("watched");
    await stage.live();
    await noteSights();
    let step = 0;
    const ms = await best("visible after the commit (median of 40)", VISIBLE_MS, () =>
      costOf(eachOf(40), async () => {
        const committed: number[] = [];
        for (let count = 0; count < 40; count++) {
          step += 1;
          const { updatedAt } = await agent.update("watched", { step }, String(step));
          committed.push(updatedAt.getTime());
          await stage.page.waitForTimeout(60 + 7 * (count % 5));
        }
        await stage.row(`v${step + 1}`).waitFor();
        const seen = await stage.page.evaluate(() => (globalThis as unknown as { seen: Record<string, number> }).seen);
        const first = step + 2 - committed.length;
        const visibleMs = median(committed.map((atMs, index) => sightOf(seen, first + index) - atMs));
        expect(visibleMs).toBeLessThan(Infinity);
        return visibleMs;
      }),
    );
    expect(ms).toBeLessThanOrEqual(VISIBLE_MS * SLACK);
  });

  it("is no frame of more than 50 ms while 60 changes come each second", async () => {
    await createMany();
    await stage.open();
    await stage.live();
    await stage.row("context-").first().waitFor();
    const ms = await best("longest frame at 60 changes/s", FRAME_MS, () =>
      costOf(longest, async () => {
        const frames = longestFrame(4_000);
        const rate = await writeAtRate(60, 4_000);
        if (IS_STRICT) expect(rate).toBeGreaterThan(55);
        return frames;
      }),
    );
    expect(ms).toBeLessThanOrEqual(FRAME_MS * SLACK);
  });

  it("is no frame of more than 50 ms while one scrolls through 10,000 contexts, or 10,000 values of one", async () => {
    await createMany(10_000);
    const items = Array.from({ length: 2_500 }, (_, id) => ({ id, name: `item ${id}`, done: false }));
    await stage.manager.create("large", { items });
    await stage.open();
    await stage.page.getByText("10,001 contexts").waitFor();
    const contextsMs = await best("longest frame over 10,000 contexts", FRAME_MS, () =>
      costOf(longest, () => longestFrame(2_000, ".virtual")),
    );
    await stage.goto("#/context/large");
    await stage.page.getByRole("button", { name: "Open all" }).click();
    await stage.page.getByText("10,001 rows").waitFor();
    const valuesMs = await best("longest frame over 10,000 values", FRAME_MS, () =>
      costOf(longest, () => longestFrame(2_000, ".tree")),
    );
    expect(Math.max(contextsMs, valuesMs)).toBeLessThanOrEqual(FRAME_MS * SLACK);
  });

  /** What `work` tells by the wall clock, or what its tasks had of the processor. */
  async function costOf(ofTasks: (tasksMs: readonly number[]) => number, work: () => Promise<number>): Promise<number> {
    return IS_STRICT ? work() : ofTasks(await stage.tasksDuring(work));
  }

  /** @param scrolled - the list that is scrolled on by some rows with each frame. */
  function longestFrame(forMs: number, scrolled = ""): Promise<number> {
    return stage.page.evaluate(
      ([lastsMs, selector]) =>
        new Promise<number>((resolve) => {
          const list = selector === "" ? null : document.querySelector(selector);
          let longest = 0;
          const startMs = performance.now();
          let lastMs = startMs;
          const next = (nowMs: number): void => {
            longest = Math.max(longest, nowMs - lastMs);
            lastMs = nowMs;
            list?.scrollBy(0, 170);
            if (nowMs - startMs > lastsMs) resolve(longest);
            else requestAnimationFrame(next);
          };
          requestAnimationFrame(next);
        }),
      [forMs, scrolled] as const,
    );
  }

  async function createMany(many = CONTEXTS): Promise<void> {
    for (let from = 0; from < many; from += 100) {
      const steps = Array.from({ length: 100 }, (_, index) => ({
        do: "create",
        context_id: `context-${from + index}`,
        data: { step: 0 },
      }));
      expect((await stage.send("POST", "/v1/transactions", "one", { steps })).status).toBe(200);
    }
  }

  /** Writes to different contexts, by several agents. @returns how many there were in a second. */
  async function writeAtRate(perSecond: number, forMs: number): Promise<number> {
    const agents: AsyncAgent[] = Array.from({ length: 5 }, (_, index) => stage.manager.agent(`agent-${index}`));
    const startMs = performance.now();
    const writes: Promise<unknown>[] = [];
    while (performance.now() - startMs < forMs) {
      const due = Math.floor(((performance.now() - startMs) / 1_000) * perSecond);
      for (; writes.length < due;) {
        const id = `context-${(writes.length * 7) % CONTEXTS}`;
        writes.push(agents[writes.length % agents.length]?.patch(id, { step: writes.length }) ?? expect.fail());
      }
      await new Promise((resolve) => {
        setTimeout(resolve, 4);
      });
    }
    await Promise.all(writes);
    return writes.length / ((performance.now() - startMs) / 1_000);
  }

  /** When each version of the one row was first there, by the clock that the server has too. */
  function noteSights(): Promise<void> {
    return stage.page.evaluate(() => {
      const seen: Record<string, number> = {};
      Object.assign(globalThis, { seen });
      const note = (): void => {
        const version = /\d+$/.exec(document.querySelector(".virtual-row .col-version")?.textContent ?? "")?.[0];
        if (version === undefined || version in seen) return;
        // With the frame after it is drawn.
        requestAnimationFrame(() => {
          seen[version] ??= Date.now();
        });
      };
      new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
    });
  }

  /** A version that was overtaken before it was drawn has been seen with the next. */
  function sightOf(seen: Readonly<Record<string, number>>, version: number): number {
    for (let later = version; later < version + 50; later++) {
      const atMs = seen[String(later)];
      if (atMs !== undefined) return atMs;
    }
    return Infinity;
  }
});

const longest = (tasksMs: readonly number[]): number => Math.max(...tasksMs);
const eachOf = (many: number) => (tasksMs: readonly number[]) => sum(tasksMs) / many;

/** The best of the attempts, which end with the first that is within the budget. */
async function best(name: string, budgetMs: number, measure: () => Promise<number>): Promise<number> {
  const measured: number[] = [];
  while (measured.length < ATTEMPTS && !measured.some((ms) => ms <= budgetMs)) measured.push(await measure());
  const shown = measured.map((ms) => ms.toFixed(0)).join(", ");
  process.stdout.write(`${name}: ${shown} ms${IS_STRICT ? "" : " of the processor"}, of ${budgetMs}\n`);
  return Math.min(...measured);
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Infinity;
}
