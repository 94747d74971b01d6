/** Five models at once that do everything wrong which models do wrong: nobody loses work, and no lock stays. */

import { setTimeout as sleep } from "node:timers/promises";
import { type JsonObject, openManager, SharedContextManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { type ContextTools, contextTools, type ToolResult, type ToolsManager } from "shared-context-manager/tools";

const SEEDS = Number(process.env["SHARED_CONTEXT_SEEDS"] ?? 12);
const FIRST = Number(process.env["SHARED_CONTEXT_FIRST_SEED"] ?? Math.floor(Math.random() * 1e6));
const AGENTS = ["ann", "bob", "cem", "dan", "eve"];
const TURNS = 12;
const CLAIM_TTL_MS = 15;

/** Small, quick, and the same on every machine (Mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Opened = ToolsManager & { close(): unknown };

interface Tally {
  /** How often each agent was told that its own counter has been raised. */
  readonly raised: Map<string, number>;
  /** What was told to have been appended to the log that all share. */
  readonly logged: string[];
}

function check(result: ToolResult): void {
  expect(Array.isArray(result.notices)).toBe(true);
  if (result.isError !== true) return;
  expect(result, JSON.stringify(result)).toMatchObject({ code: expect.any(String), message: expect.any(String) });
  expect((result["next"] as string).length, JSON.stringify(result)).toBeGreaterThan(10);
}

async function clumsy(name: string, tools: ContextTools, random: () => number, tally: Tally): Promise<void> {
  const versions: string[] = ["0.0", "1", "latest"];
  let seen: JsonObject = {};
  const act = async (tool: keyof ContextTools, input: unknown): Promise<ToolResult> => {
    let result: ToolResult;
    try {
      result = (await tools[tool]?.execute(input)) as ToolResult;
    } catch (error) {
      throw new Error(`${tool} threw, and not gave back, at ${JSON.stringify(input)}`, { cause: error });
    }
    check(result);
    const { version, data } = result;
    if (typeof version === "string") versions.push(version);
    if (data !== undefined) seen = data as JsonObject;
    return result;
  };
  const read = (): Promise<ToolResult> => act("context_read", { id: "board" });
  // Sometimes the present version, sometimes any that was ever seen.
  const version = (): string | undefined =>
    random() < 0.5 ? versions.at(-1) : versions[Math.floor(random() * versions.length)];
  const mine = (data: JsonObject): number => (data["counters"] as Record<string, number> | undefined)?.[name] ?? 0;

  const habits: (() => Promise<unknown>)[] = [
    read,
    // Raises its own counter by the book, on a version that may be stale.
    async () => {
      const result = await act("context_write", {
        id: "board",
        base_version: version(),
        operations: [{ op: "increment", path: `/counters/${name}` }],
      });
      if (result.isError !== true) tally.raised.set(name, (tally.raised.get(name) ?? 0) + 1);
    },
    // Appends to the log of all, and may forget the claim that it did not need.
    async () => {
      if (random() < 0.4) await act("context_claim", { id: "board" });
      const entry = `${name}-${random()}`;
      const operations = [{ op: "append", path: "/log", value: entry }];
      const release = random() < 0.3;
      const result = await act("context_write", { id: "board", base_version: version(), operations, release });
      if (result.isError !== true) tally.logged.push(entry);
    },
    // Sends back the whole document that it has read some time ago, with one more of its own.
    async () => {
      const { version: base, data } = await read();
      await sleep(random() * 2);
      const counters = { ...((data as JsonObject)["counters"] as JsonObject), [name]: mine(data as JsonObject) + 1 };
      const kind = random() < 0.5 ? "merge_patch" : "replace_all";
      const whole = { ...(data as JsonObject), counters };
      const result = await act("context_write", { id: "board", base_version: base, [kind]: whole });
      if (result.isError !== true) tally.raised.set(name, (tally.raised.get(name) ?? 0) + 1);
    },
    // The same with a version that does not go with the document.
    async () => {
      if (seen["counters"] === undefined) return;
      const before = (await read())["version"];
      const stale = versions.find((one) => /^\d+\.\d+$/.test(one) && one !== before) ?? "9.9";
      await act("context_write", { id: "board", base_version: stale, replace_all: { log: [], counters: {} } });
    },
    async () => act("context_read", { id: `board-${Math.floor(random() * 9)}` }),
    async () => act("context_write", { id: "bord", base_version: version(), merge_patch: { a: 1 } }),
    async () => act("context_write", { id: "board", base_version: 3, merge_patch: '{"log":[]}', agent_id: "root" }),
    async () => act("context_create", { id: "board", data: { log: [], counters: {} } }),
    async () => act("context_claim", { id: "board", wait_seconds: random() < 0.5 ? 0 : "5" }),
    async () => act("context_wait", { id: "board", unlocked: true, timeout_seconds: 0 }),
    async () => act("context_release", { id: random() < 0.5 ? "board" : "other" }),
  ];
  for (let turn = 0; turn < TURNS; turn++) {
    await habits[Math.floor(random() * habits.length)]?.();
    if (random() < 0.3) await sleep(random() * 3);
  }
}

async function play(seed: number, manager: ToolsManager): Promise<void> {
  const random = randomFrom(seed);
  const counters = Object.fromEntries(AGENTS.map((name) => [name, 0]));
  await manager.agent("host").create("board", { counters, log: [] });
  const tally: Tally = { raised: new Map(), logged: [] };
  const options = { claims: true, claimTtlMs: CLAIM_TTL_MS, maxClaimMs: 40 };
  await Promise.all(
    AGENTS.map((name) => clumsy(name, contextTools({ manager, agentId: name }, options), random, tally)),
  );
  const board = await manager.get("board");
  const { log, counters: raised } = (board?.data ?? {}) as { log: string[]; counters: Record<string, number> };
  for (const name of AGENTS) expect(raised[name], name).toBe(tally.raised.get(name) ?? 0);
  expect(log.toSorted()).toEqual(tally.logged.toSorted());
  const { isError } = await contextTools({ manager, agentId: "host" }).context_wait.execute({
    id: "board",
    unlocked: true,
  });
  expect(isError).toBeUndefined();
  const expiresAt = (await manager.get("board"))?.lock?.expiresAt?.getTime() ?? 0;
  expect(expiresAt, "no lock is left for longer than its TTL").toBeLessThanOrEqual(Date.now() + CLAIM_TTL_MS);
}

describe(`clumsy models, ${SEEDS} seeds from ${FIRST}`, () => {
  const kinds: [string, () => Opened | Promise<Opened>][] = [
    ["a synchronous manager", () => new SharedContextManager()],
    ["a synchronous manager with history", () => new SharedContextManager({ historyLimit: 8 })],
    ["memory:", () => openManager("memory:")],
  ];
  // Models think, that is, wait; those of one manager need not wait for those of another.
  it.concurrent.each(kinds)("lose no update on %s", { timeout: 20_000 + SEEDS * 500 }, async (_kind, open) => {
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const manager = await open();
      try {
        await expect(play(seed, manager)).resolves.toBeUndefined();
      } catch (error) {
        throw new Error(`seed ${seed}: SHARED_CONTEXT_SEEDS=1 SHARED_CONTEXT_FIRST_SEED=${seed}`, { cause: error });
      } finally {
        await manager.close();
      }
    }
  });
});
