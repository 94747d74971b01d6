/** What the demo says before and after the run. */

import { mostFrequent, TOP_WORDS } from "./count.mjs";
import { beside, columns, kindOf, many, number, painter, printable, shortPath, size } from "./layout.mjs";

/**
 * @typedef {import("./command-line.mjs").Trial} Trial
 * @typedef {import("./check.mjs").Expected} Expected
 * @typedef {import("./count.mjs").ReadonlyReport} ReadonlyReport
 * @typedef {import("./swarm.mjs").Outcome} Outcome
 */

const AGENT_ROWS = 10;
const AGENT_COLUMNS = 2;

/**
 * @param {import("./usage.mjs").Options} options
 * @param {import("./command-line.mjs").Source} source
 * @param {{ minMs: number, maxMs: number }} pause
 * @param {NodeJS.WriteStream} stream
 */
export function showStart({ agents, seed, store, processes }, { title, paths }, { minMs, maxMs }, stream) {
  const paint = painter(stream);
  const headline = `${many(agents, "agent")} ${agents === 1 ? "writes" : "write"} one report on ${many(paths.length, "file")}: ${printable(title)}`;
  const where =
    store === undefined
      ? ""
      : `They are ${processes === 1 ? "one process" : `${number(processes)} processes`} over one store: ${kindOf(store)}.\n`;
  return `${paint("bold", headline)}
${where}Each takes a file, reads the report, thinks for ${minMs} to ${maxMs} ms (seed ${seed}), writes the report back.

`;
}

/**
 * @param {readonly Trial[]} trials - ours first
 * @param {Expected} expected
 * @param {NodeJS.WriteStream} stream
 */
export function showResult(trials, expected, stream) {
  const paint = painter(stream);
  const [ours, ...others] = /** @type {[Trial, ...Trial[]]} */ (trials);
  return [
    "",
    paint("bold", "What the report says"),
    ...showReport(ours.outcome).map(indent),
    "",
    paint("bold", "What became of the updates"),
    ...showTrials(trials, expected, paint).map(indent),
    "",
    ...showVerdict(ours, others, paint),
    "",
  ].join("\n");
}

/** @param {Outcome} outcome */
function showReport({ report, skipped }) {
  const most = Math.max(0, ...report.biggest.map((file) => number(file.words).length));
  return [
    `${many(report.files, "file")}, ${many(report.words, "word")}, ${number(report.counts.length)} of them different`,
    ...showSkipped(skipped),
    "",
    ...beside(showAgents(report), [
      "most frequent words",
      ...columns(mostFrequent(report, TOP_WORDS).map(wordRow), "rl"),
    ]),
    "",
    "biggest files",
    ...columns(
      report.biggest.map(({ path, bytes, words }) => [
        size(bytes),
        `${number(words).padStart(most)} ${words === 1 ? "word " : "words"}`,
        shortPath(path, 50),
      ]),
      "rrl",
    ),
  ];
}

/** @param {Outcome["skipped"]} skipped */
function showSkipped({ binary, large, unreadable }) {
  const reasons = [];
  if (binary > 0) reasons.push(`${number(binary)} binary`);
  if (large > 0) reasons.push(`${number(large)} over 1 MiB`);
  if (unreadable > 0) reasons.push(`${number(unreadable)} unreadable`);
  return reasons.length === 0 ? [] : [`skipped: ${reasons.join(", ")}`];
}

/** @param {ReadonlyReport} report */
function showAgents({ agents }) {
  const rows = Object.entries(agents)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, { files, words }]) => [name, number(files), number(words)]);
  /** @type {string[]} */
  let lines = [];
  for (let start = 0; start < Math.min(rows.length, AGENT_ROWS * AGENT_COLUMNS); start += AGENT_ROWS) {
    const block = columns([["agent", "files", "words"], ...rows.slice(start, start + AGENT_ROWS)], "lrr");
    lines = start === 0 ? block : beside(lines, block);
  }
  const more = rows.length - AGENT_ROWS * AGENT_COLUMNS;
  return more > 0 ? [...lines, `and ${many(more, "more agent")}`] : lines;
}

/** @param {readonly [string, number]} count */
function wordRow([word, times]) {
  return [number(times), shortPath(word, 24)];
}

/**
 * @param {readonly Trial[]} trials
 * @param {Expected} expected
 * @param {ReturnType<typeof painter>} paint
 */
function showTrials(trials, expected, paint) {
  const [header, counted, ...rows] = columns(
    [
      ["", "files", "words", "writes", "conflicts", "lost updates"],
      ["counted one by one", number(expected.files), number(expected.words)],
      ...trials.map(({ name, outcome, lost }) => [
        name,
        number(outcome.report.files),
        number(outcome.report.words),
        number(outcome.attempts),
        number(outcome.conflicts),
        number(lost),
      ]),
    ],
    "lrrrrr",
  );
  const marked = rows.map((row, index) => paint(trials[index]?.lost === 0 ? "green" : "red", row));
  return [paint("dim", header ?? ""), counted ?? "", ...marked];
}

/**
 * @param {Trial} ours
 * @param {readonly Trial[]} others
 * @param {ReturnType<typeof painter>} paint
 */
function showVerdict(ours, others, paint) {
  const { name, outcome, lost, exact } = ours;
  const { attempts, conflicts, written } = outcome;
  const verdict =
    lost === 0 && exact
      ? paint("green", `0 lost updates: the report in ${name} equals the count made one by one, word for word.`)
      : paint("red", `The report in ${name} differs from the count made one by one. This is a bug: please report it.`);
  return [
    verdict,
    `${many(attempts, "write")} tried: ${number(conflicts)} met a CONFLICT and were retried on a fresh read, ${number(written)} took effect.`,
    ...(others.length === 0 ? [] : showOthers(others)),
  ];
}

/** @param {readonly Trial[]} others */
function showOthers(others) {
  return [
    "",
    "Why the others can lose updates, without an error:",
    ...columns(
      others.map((other) => [other.name, other.what]),
      "ll",
    ).map(indent),
  ];
}

/** @param {string} line */
function indent(line) {
  return line === "" ? "" : `  ${line}`;
}
