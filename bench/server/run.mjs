/** The server beside bare `node:http` at the same work. `../README.md` says how it measures. */

/** @import { Effort, Measured, Running, ServerRow, Work } from "./types.d.ts" */

import { fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { resultsPage } from "../harness/page.mjs";
import { surroundings } from "../harness/surroundings.mjs";
import { get, hasWrk, put } from "./load.mjs";
import { CONNECTIONS } from "./payload.mjs";
import { markdownTable, plainTable, rowsOf, summary } from "./table.mjs";
import { gathered, watch } from "./watching.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    soak: { type: "string" },
    write: { type: "boolean", default: false },
    assert: { type: "boolean", default: false },
  },
});
/** The rest is about the peers of the other benchmark. */
const MACHINE_LINES = 3;
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
async function roundOf(work, name) {
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

const load = `load by ${hasWrk ? "wrk" : "a generator on Node: install wrk for better"}`;
const wanted = works.filter(({ kind }) => values.only === undefined || values.only.split(",").includes(kind));
if (wanted.length === 0 && values.soak === undefined) throw new Error(`--only ${values.only}: there is no such work`);
/** @type {ServerRow[]} */
const rows = [];
for (const [index, work] of wanted.entries()) {
  console.error(`${index + 1}/${wanted.length} ${work.title}, ${load}`);
  /** @type {Record<string, Measured[]>} */
  const rounds = { bare: [], ours: [] };
  for (let round = 0; round < effort.rounds; round++) {
    for (const name of round % 2 === 0 ? CONTESTANTS : CONTESTANTS.toReversed()) {
      rounds[name]?.push(await roundOf(work, name));
    }
  }
  rows.push(...rowsOf(work, rounds["bare"] ?? [], rounds["ours"] ?? []));
}
if (rows.length > 0) console.log(`${plainTable(rows)}\n\n${summary(rows)}`);
if (values.write) {
  writeFileSync(new URL("../RESULTS-SERVER.md", import.meta.url), results());
  console.error("written to bench/RESULTS-SERVER.md");
}
if (values.assert && rows.some(({ met }) => !met)) process.exitCode = 1;
if (values.soak !== undefined) await soak(Number(values.soak));

function results() {
  return resultsPage({
    title: "Results of the benchmark of the server",
    written: "`npm run bench:server -- --write`. Medians of rounds",
    facts: [...surroundings().slice(0, MACHINE_LINES), `- ${CONNECTIONS} connections, ${load}`],
    summary: summary(rows),
    table: markdownTable(rows),
  });
}
