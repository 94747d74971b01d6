/**
 * The benchmark: this package and its peers at the same work, side by side. `README.md` beside this file
 * says how it measures.
 */

/** @import { Effort, Row } from "./types.d.ts" */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { casesOf } from "./harness/cases.mjs";
import { resultsPage } from "./harness/page.mjs";
import { markdownTable, plainTable, summary } from "./harness/report.mjs";
import { rowsOf } from "./harness/rows.mjs";
import { surroundings } from "./harness/surroundings.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    assert: { type: "boolean", default: false },
  },
});
const only = values.only === undefined ? [] : values.only.split(",");

/** @type {Effort} */
const effort = values.quick
  ? { processes: 1, warmUpRounds: 3, rounds: 5, roundMs: 20 }
  : { processes: 3, warmUpRounds: 5, rounds: 21, roundMs: 50 };

const started = performance.now();
/** @type {Row[]} */
const rows = [];
const cases = await casesOf({ quick: values.quick, only }, effort);
for (const [index, one] of cases.entries()) {
  console.error(`${index + 1}/${cases.length} ${one.title}, ${one.size.toLocaleString("en")} contexts ${one.order}`);
  rows.push(...rowsOf(one, one.measure()));
}
console.log(plainTable(rows));
console.log(`\n${summary(rows)} ${Math.round((performance.now() - started) / 1_000)} s.`);
if (!values.quick && only.length === 0) {
  writeFileSync(new URL("RESULTS.md", import.meta.url), results());
  console.error("written to bench/RESULTS.md");
}
if (values.assert && rows.some((row) => row.verdicts.some(({ met }) => !met))) process.exitCode = 1;

function results() {
  return resultsPage({
    title: "Results of the benchmark",
    written: "`npm run bench`. Medians of one operation",
    facts: surroundings(),
    summary: summary(rows),
    table: markdownTable(rows),
  });
}
