/** The server beside bare `node:http` at the same work. `../README.md` says how it measures. */

/** @import { Effort, Measured, Running, Target, Work } from "./types.d.ts" */

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "../harness/median.mjs";
import { get, hasWrk, put } from "./load.mjs";
import { CONNECTIONS } from "./payload.mjs";
import { gathered, watch } from "./watching.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    soak: { type: "string" },
    assert: { type: "boolean", default: false },
  },
});
/** @type {Effort} */
const effort = values.quick
  ? { rounds: 5, roundMs: 1_000, watchers: 1_000 }
  : { rounds: 9, roundMs: 3_000, watchers: 1_000 };
const CONTESTANTS = ["bare", "ours"];

/** @type {Work[]} */
const works = [
  {
    kind: "get",
    title: "GET of a 1 KB context",
    run: get,
    targets: [{ measure: "rate", unit: "requests/s", least: 0.75 }],
  },
  {
    kind: "put",
    title: "PUT with If-Match, a context for each connection",
    run: put,
    targets: [{ measure: "rate", unit: "requests/s", least: 0.6 }],
  },
  {
    kind: "watch",
    title: "1,000 watchers of one context",
    run: watch,
    targets: [
      { measure: "rate", unit: "events/s", least: 0.8 },
      { measure: "p99Ms", unit: "ms, p99", most: 1.5 },
      { measure: "watcherBytes", unit: "bytes of memory for each", most: 1.5 },
    ],
  },
];

/** @param {string} name @returns {Promise<Running>} */
async function started(name) {
  const file = fileURLToPath(new URL(`${name}.mjs`, import.meta.url));
  const child = fork(file, { execArgv: ["--expose-gc"] });
  const [{ port }] = await once(child, "message");
  return {
    port,
    async memory() {
      child.send("memory");
      const [{ memory }] = await once(child, "message");
      return memory;
    },
    async stop() {
      child.send("stop");
      await once(child, "exit");
    },
  };
}

/** A server of its own for each round. @param {Work} work @param {string} name @returns {Promise<Measured>} */
async function round(work, name) {
  const server = await started(name);
  try {
    // To compile what is hot: on contexts that the counted part does not write.
    await warmUp(work, server.port);
    if (work.kind !== "watch") return await work.run(server.port, effort);
    (await gathered(server.port, 1)).leave();
    const before = await server.memory();
    const crowd = await gathered(server.port, effort.watchers);
    const watcherBytes = ((await server.memory()) - before) / effort.watchers;
    crowd.leave();
    return { ...(await work.run(server.port, effort)), watcherBytes };
  } finally {
    await server.stop();
  }
}

/** @param {Work} work @param {number} port */
async function warmUp({ kind }, port) {
  const effort = { rounds: 1, roundMs: 2_000, watchers: 0 };
  if (kind === "get") await get(port, effort);
  else await put(port, effort, CONNECTIONS);
}

/** Memory after each minute of reading and writing, on one server. @param {number} minutes */
async function soak(minutes) {
  const server = await started("ours");
  const writing = put(server.port, { ...effort, roundMs: minutes * 60_000 });
  for (let minute = 0; minute <= minutes; minute++) {
    console.log(`minute ${minute}: ${((await server.memory()) / 2 ** 20).toFixed(1)} MiB alive`);
    if (minute < minutes) await get(server.port, { ...effort, roundMs: 60_000 });
  }
  const { rate } = await writing;
  console.log(`${Math.round(rate ?? NaN)} writes/s beside the reads`);
  await server.stop();
}

/** @param {Target} target @param {readonly Measured[]} bare @param {readonly Measured[]} ours */
function told({ measure, unit, least, most }, bare, ours) {
  const [theirs, own] = [bare, ours].map((rounds) => median(rounds.map((one) => one[measure] ?? NaN)));
  const ratio = (own ?? NaN) / (theirs ?? NaN);
  const isMet = ratio >= (least ?? -Infinity) && ratio <= (most ?? Infinity);
  if (!isMet && values.assert) process.exitCode = 1;
  const target = least === undefined ? `at most ${most}` : `at least ${least}`;
  const numbers = [theirs, own].map((number) => Math.round((number ?? NaN) * 10) / 10);
  console.log(
    `  ${numbers[1]} to ${numbers[0]} ${unit}: ${ratio.toFixed(2)} x, target ${target}${isMet ? "" : " MISSED"}`,
  );
}

console.log(`Node ${process.versions.node}, load by ${hasWrk ? "wrk" : "a generator on Node: install wrk for better"}`);
for (const work of works) {
  if (values.only !== undefined && !values.only.split(",").includes(work.kind)) continue;
  /** @type {Record<string, Measured[]>} */
  const rounds = { bare: [], ours: [] };
  for (let index = 0; index < effort.rounds; index++) {
    for (const name of index % 2 === 0 ? CONTESTANTS : CONTESTANTS.toReversed()) {
      rounds[name]?.push(await round(work, name));
    }
  }
  console.log(work.title);
  for (const target of work.targets) told(target, rounds["bare"] ?? [], rounds["ours"] ?? []);
}
if (values.soak !== undefined) await soak(Number(values.soak));
