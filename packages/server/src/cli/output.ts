/** Data on stdout, messages on stderr; with `--json` both are JSON. */

import { styleText } from "node:util";
import { type ContextError, isContextError } from "shared-context-manager";
import { type Problem, problemOf } from "../problems.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";

/** What a command writes to: the process, or a test. */
export interface Terminal {
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** A wrong command line. */
export class UsageError extends Error {}

/** A refusal of the API. */
export class Refused extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** Whether it is a refusal of the API with one of these codes. */
export function isRefused(error: unknown, codes: readonly string[]): error is Refused {
  return error instanceof Refused && codes.includes(error.problem.code);
}

/** A refusal that is made here, in words of its own. */
export function refusal(error: ContextError, detail: string): Refused {
  return new Refused({ ...problemOf(error), detail });
}

export class Output {
  readonly json: boolean;
  readonly #terminal: Terminal;

  constructor(terminal: Terminal, json: boolean) {
    this.#terminal = terminal;
    this.json = json;
  }

  /** The result: `value` with `--json`, else the text for people: lines, or the cells of one line. */
  result(value: unknown, text: () => string | readonly (string | number)[]): void {
    const shown = this.json ? JSON.stringify(value) : shownLines(text());
    if (shown !== "") this.#terminal.stdout.write(`${shown}\n`);
  }

  /** A line of data, as it is. */
  data(line: string): void {
    this.#terminal.stdout.write(`${line}\n`);
  }

  /** A line for people only: left out with `--json`. */
  note(text: string): void {
    if (!this.json) this.#terminal.stderr.write(`${printable(text)}\n`);
  }

  /** The same for what is not worth as much attention. */
  aside(text: string): void {
    if (!this.json) this.#terminal.stderr.write(`${this.#styled("dim", printable(text))}\n`);
  }

  bold(text: string): string {
    return this.#styled("bold", text);
  }

  /** How far a long command has come; on a terminal only. */
  progress(done: number, total: number | undefined, what: string): void {
    const { stderr } = this.#terminal;
    if (this.json || stderr.isTTY !== true) return;
    const width = 24;
    const filled = total === undefined ? 0 : Math.round((done / Math.max(1, total)) * width);
    const bar = total === undefined ? "" : `[${"#".repeat(filled).padEnd(width, "-")}] `;
    stderr.write(`\r${bar}${done}${total === undefined ? "" : ` of ${total}`} ${what}${done === total ? "\n" : ""}`);
  }

  /** Tells what went wrong. @returns the exit code. */
  failure(error: unknown): number {
    const { problem, exitCode } = told(error);
    const { stderr } = this.#terminal;
    if (this.json) stderr.write(`${JSON.stringify(problem)}\n`);
    else stderr.write(`${this.#styled("red", problem.code)}: ${shownLines(detailOf(problem))}\n`);
    return exitCode;
  }

  #styled(style: "bold" | "dim" | "red", text: string): string {
    // On a stream that is no terminal, and with NO_COLOR, it leaves the text as it is.
    return styleText(style, text, { stream: this.#terminal.stderr });
  }
}

/**
 * Control characters and those that turn the direction of text as JSON has them: on a terminal an id could move the cursor,
 * or look like another, and a line or a cell would end in the middle of it.
 */
function printable(text: string): string {
  return text.replaceAll(
    // oxlint-disable-next-line no-control-regex -- those are what it is about
    /[\u0000-\u001F\u007F-\u009F\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g,
    (character) => SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function shownLines(text: string | readonly (string | number)[]): string {
  if (typeof text !== "string") return text.map((cell) => printable(String(cell))).join("\t");
  return text.split("\n").map(printable).join("\n");
}

interface ConflictFields {
  readonly path: string;
  readonly base?: unknown;
  readonly yours?: unknown;
  readonly theirs?: unknown;
}

const LONGEST_VALUE = 60;

/** What is in the details of a conflict, nobody sees without `--json`. */
function detailOf({ detail, details }: Told["problem"]): string {
  const conflicts = (details?.["conflicts"] ?? []) as readonly ConflictFields[];
  const lines = conflicts.map(
    ({ path, base, yours, theirs }) =>
      `  ${JSON.stringify(path)}: base ${brief(base)}, yours ${brief(yours)}, theirs ${brief(theirs)}`,
  );
  return [detail, ...lines].join("\n");
}

function brief(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}

interface Told {
  readonly problem: {
    readonly code: string;
    readonly detail: string;
    readonly details?: Readonly<Record<string, unknown>>;
  };
  readonly exitCode: number;
}

function told(error: unknown): Told {
  if (error instanceof Refused) return { problem: error.problem, exitCode: exitCodeOf(error.problem.code) };
  if (error instanceof UsageError) return { problem: { code: "USAGE", detail: error.message }, exitCode: EXIT.usage };
  if (isContextError(error)) return { problem: problemOf(error), exitCode: exitCodeOf(error.code) };
  return {
    problem: { code: "INTERNAL", detail: error instanceof Error ? error.message : String(error) },
    exitCode: EXIT.failed,
  };
}
