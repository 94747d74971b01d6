/** The engines beside the bare drivers under them, at the same work. `../README.md` says how it measures. */

/** @import { EngineCase, EngineRow } from "./types.d.ts" */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { resultsPage } from "../harness/page.mjs";
import { surroundings } from "../harness/surroundings.mjs";
import { measured } from "./measure.mjs";
import { postgresCases } from "./postgres.mjs";
import { redisCases } from "./redis.mjs";
import { sqliteCases } from "./sqlite.mjs";
import { markdownTable, plainTable, summary } from "./table.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    million: { type: "boolean", default: false },
    only: { type: "string" },
    write: { type: "boolean", default: false },
    assert: { type: "boolean", default: false },
  },
});
/** The rest is about the peers of the other benchmark. */
const MACHINE_LINES = 3;
const effort = values.quick ? { rounds: 5, roundMs: 60 } : { rounds: 15, roundMs: 250 };
const sizes = values.million ? [100, 10_000, 1_000_000] : [100, 10_000];

const started = performance.now();
const grounds = [sqliteCases({ sizes }), await postgresCases({ sizes }), await redisCases({ sizes })];
const cases = grounds.flatMap((ground) => ground.cases).filter(isWanted);
if (cases.length === 0) throw new Error(`--only ${values.only}: there is no such case`);
/** @type {Promise<unknown> | undefined} */
let tidied;
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void tidyUp().finally(() => process.exit(1)));
/** @type {EngineRow[]} */
const rows = [];
try {
  for (const [index, one] of cases.entries()) {
    console.error(
      `${index + 1}/${cases.length} ${one.engine}: ${one.title}, ${one.contexts.toLocaleString("en")} contexts`,
    );
    rows.push(...(await measured(one, effort)));
  }
} finally {
  await tidyUp();
}
console.log(plainTable(rows));
console.log(`\n${summary(rows)} ${Math.round((performance.now() - started) / 1_000)} s.`);
if (values.write) {
  writeFileSync(new URL("../RESULTS-ENGINES.md", import.meta.url), results());
  console.error("written to bench/RESULTS-ENGINES.md");
}
if (values.assert && rows.some(({ verdicts }) => verdicts.some(({ met }) => !met))) process.exitCode = 1;

/** Nothing is left on a server; once is enough, whether a run ends by itself or by a signal. */
function tidyUp() {
  tidied ??= Promise.all(grounds.map(async (ground) => ground.close()));
  return tidied;
}

/** @param {EngineCase} one */
function isWanted({ engine, name }) {
  const only = values.only?.split(",") ?? [];
  return only.length === 0 || [name, engine, `${engine}:${name}`].some((one) => only.includes(one));
}

function results() {
  return resultsPage({
    title: "Results of the benchmark of the engines",
    written: "`npm run bench:engines -- --write`. Medians of one operation",
    facts: surroundings().slice(0, MACHINE_LINES),
    summary: summary(rows),
    table: markdownTable(rows),
  });
}
