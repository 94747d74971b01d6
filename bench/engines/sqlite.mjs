/** SQLite: a file of ours beside a file with one table, through the same driver with the same pragmas. */

/** @import { Choice, Contestant, EngineCase, Ground } from "./types.d.ts" */
/** @import { Url } from "./ours.mjs" */

import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openManager } from "shared-context-manager";
import { bareBatches, bareGets, bareGetsAfterWrites, bareUpdates } from "./bare-sqlite.mjs";
import {
  deliveries,
  gets,
  getsAfterWrites,
  increments,
  IN_FLIGHT,
  opened,
  shared,
  updates,
  updatesTogether,
} from "./ours.mjs";

const OURS = "this package";
const BARE = "bare node:sqlite";
const ONE = "one at a time";
const POLL_MS = 5;
const HISTORY = 64;

/** @param {Choice} choice @returns {Ground} */
export function sqliteCases({ sizes }) {
  if (!isBuiltin("node:sqlite")) {
    console.error("sqlite: left out: this Node has no node:sqlite");
    return { cases: [], close: () => {} };
  }
  const directory = mkdtempSync(join(tmpdir(), "bench-engines-"));
  let files = 0;
  const file = () => join(directory, `${++files}.db`);
  const url = (/** @type {string} */ synchronous) => () => `sqlite:${file()}?synchronous=${synchronous}`;
  const filled = copies(file);
  const against = (/** @type {number} */ atLeast, base = BARE) => [{ contestant: OURS, against: base, atLeast }];
  const engine = "sqlite";
  const [size = 100] = sizes;

  /** @type {EngineCase[]} */
  const cases = [
    ...["full", "normal"].map((synchronous) => ({
      engine,
      name: "one",
      title: `update, one at a time, ${synchronous.toUpperCase()}`,
      contexts: size,
      base: BARE,
      contestants: { [BARE]: bareUpdates(file, synchronous, size), [OURS]: updates(url(synchronous), size) },
      targets: against(synchronous === "full" ? 0.7 : 0.45),
    })),
    ...["full", "normal"].map((synchronous) => ({
      engine,
      name: "many",
      title: `update, 64 in flight or in one transaction, ${synchronous.toUpperCase()}`,
      contexts: IN_FLIGHT,
      base: BARE,
      contestants: { [BARE]: bareBatches(file, synchronous), [OURS]: updatesTogether(url(synchronous)) },
      targets: against(0.4),
    })),
    {
      engine,
      name: "hot",
      title: "increment of one context, 64 in flight, FULL",
      contexts: 1,
      base: ONE,
      contestants: { [ONE]: increments(url("full"), 1), [OURS]: increments(url("full"), IN_FLIGHT) },
      targets: against(5, ONE),
    },
    {
      engine,
      name: "delivery",
      title: "from commit to callback, other connection",
      contexts: 1,
      base: OURS,
      contestants: { [OURS]: deliveries(shared(url("normal"))) },
      targets: [{ contestant: OURS, atMostMs: POLL_MS }],
    },
    {
      engine,
      name: "history",
      title: "update, one at a time, NORMAL, all of the history full",
      contexts: size,
      base: BARE,
      contestants: {
        [BARE]: bareUpdates(file, "normal", size),
        [OURS]: withHistory(updates(url("normal"), size), size),
      },
      targets: against(0.45),
    },
  ];
  for (const contexts of sizes) {
    const ours = (/** @type {string} */ synchronous) => async () =>
      `sqlite:${await filled(contexts)}?synchronous=${synchronous}`;
    const same = shared(ours("normal"));
    const levels = contexts === size ? ["normal"] : ["full", "normal"];
    cases.push(
      ...levels.map((synchronous) => ({
        engine,
        name: "size",
        title: `update, one at a time, ${synchronous.toUpperCase()}`,
        contexts,
        base: BARE,
        contestants: {
          [BARE]: bareUpdates(file, synchronous, contexts),
          [OURS]: updates(ours(synchronous), contexts),
        },
        targets: against(synchronous === "full" ? 0.7 : 0.45),
      })),
      {
        engine,
        name: "get",
        title: "get, nobody else writes",
        contexts,
        base: BARE,
        contestants: { [BARE]: bareGets(file, contexts), [OURS]: gets(ours("normal"), contexts) },
        targets: against(0.75),
      },
      {
        engine,
        name: "get",
        title: "get, each time after a write of another connection",
        contexts,
        base: BARE,
        contestants: {
          [BARE]: bareGetsAfterWrites(file, contexts),
          [OURS]: getsAfterWrites(same, contexts, () => anotherWriter(same)),
        },
        targets: against(0.75),
      },
    );
  }
  return { cases, close: () => rmSync(directory, { recursive: true, force: true }) };
}

/**
 * Files of ours with so many contexts: filled once, and copied then.
 *
 * @param {() => string} file
 * @returns {(contexts: number) => Promise<string>}
 */
function copies(file) {
  /** @type {Map<number, Promise<string>>} */
  const originals = new Map();
  const fill = async (/** @type {number} */ contexts) => {
    const original = file();
    const { manager } = await opened(`sqlite:${original}?synchronous=normal`, contexts);
    await manager.close();
    return original;
  };
  return async (contexts) => {
    const original = originals.get(contexts) ?? fill(contexts);
    originals.set(contexts, original);
    const copy = file();
    copyFileSync(await original, copy);
    return copy;
  };
}

/**
 * Somebody else, who writes into one context that is not read.
 *
 * @param {Url} url
 */
async function anotherWriter(url) {
  const manager = await openManager(await url());
  await manager.create("elsewhere", { step: 0 });
  const agent = manager.agent("elsewhere");
  return {
    write: () => agent.patch("elsewhere", [{ op: "increment", path: "/step", value: 1 }]),
    close: () => manager.close(),
  };
}

/**
 * @param {Contestant} contestant
 * @param {number} contexts
 * @returns {Contestant}
 */
function withHistory(contestant, contexts) {
  return {
    ...contestant,
    async setUp() {
      const state = await contestant.setUp();
      await contestant.round(state, (HISTORY + 1) * contexts);
      return state;
    },
  };
}
