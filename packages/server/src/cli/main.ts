/** The command line: reads it, runs the command, and gives the exit code. */

import { basename } from "node:path";
import { parseArgs } from "node:util";
import { VERSION } from "../version.ts";
import type { Command, Input, OptionHelp } from "./command.ts";
import { type Connection, connect, defaultStore } from "./connect.ts";
import { contextCommands } from "./context-commands.ts";
import { copyCommands } from "./copy-commands.ts";
import { EXIT } from "./exit-codes.ts";
import { lockCommands } from "./lock-commands.ts";
import { mcpCommand } from "./mcp-command.ts";
import { Output, type Terminal, UsageError } from "./output.ts";
import { wholeText } from "./text.ts";
import { serverCommands } from "./server-commands.ts";
import { watchCommands } from "./watch-commands.ts";

/** What the command line runs in: the process, or a test. */
export interface Environment extends Terminal {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
}

const COMMANDS: readonly Command[] = [
  ...serverCommands,
  mcpCommand,
  ...contextCommands,
  ...lockCommands,
  ...watchCommands,
  ...copyCommands,
];

const COMMON: Readonly<Record<string, OptionHelp>> = {
  store: {
    type: "string",
    value: "URL",
    help: "a store (sqlite:FILE) or a server (http://...); SHARED_CONTEXT_STORE, else .shared-context/contexts.db",
  },
  token: { type: "string", value: "TOKEN", help: "of the server; SHARED_CONTEXT_TOKEN" },
  as: { type: "string", value: "AGENT", help: "who acts; SHARED_CONTEXT_AGENT" },
  json: { type: "boolean", help: "JSON on stdout, and errors as JSON on stderr" },
  help: { type: "boolean", help: "this" },
};

/** What was typed after the name of the program. `npx shared-context-server` serves, with whatever options. */
export function commandLineOf([, file = "", ...parameters]: readonly string[]): string[] {
  const [first = "--"] = parameters;
  const asksOnly = first === "--help" || first === "--version";
  const isServer = basename(file) === "shared-context-server" && first.startsWith("--") && !asksOnly;
  return isServer ? ["serve", ...parameters] : parameters;
}

export async function main(argv: readonly string[], environment: Environment): Promise<number> {
  const [name = "", ...parameters] = argv;
  const early = new Output(environment, beforeDashes(argv).includes("--json"));
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined) return withoutCommand(name, early);
  try {
    const { output, input } = readInput(command, parameters, environment);
    if (input === undefined) {
      output.data(helpOf(command));
      return EXIT.done;
    }
    return await runCommand(command, input, output);
  } catch (error) {
    return early.failure(error);
  }
}

function beforeDashes(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf("--");
  return end < 0 ? argv : argv.slice(0, end);
}

function withoutCommand(name: string, output: Output): number {
  if (name === "--version") {
    output.data(VERSION);
    return EXIT.done;
  }
  if (name === "" || name === "--help" || name === "help") {
    output.data(OVERVIEW);
    return name === "" ? EXIT.usage : EXIT.done;
  }
  const known = COMMANDS.map((command) => command.name).join(", ");
  const expected = `a command (${known}), and its options after it`;
  const received = `${JSON.stringify(name)}; see shared-context --help`;
  return output.failure(new UsageError(`expected ${expected}; received ${received}`));
}

async function runCommand(command: Command, input: Input, output: Output): Promise<number> {
  let opened: Promise<Connection> | undefined;
  const connection = (): Promise<Connection> =>
    (opened ??= connect({ store: input.store, token: input.token, agentId: input.agentId }));
  try {
    return await command.run(input, output, connection);
  } finally {
    await (await opened?.catch(() => undefined))?.close();
  }
}

/** No input for `--help`. */
function readInput(
  command: Command,
  parameters: readonly string[],
  { stdin, env, cwd, signal, ...terminal }: Environment,
): { output: Output; input: Input | undefined } {
  const own = command.takesCommand === true ? beforeCommand(command, parameters) : parameters;
  const { values, positionals } = parsed(command, own);
  const text = (option: string): string | undefined => {
    const value = values[option];
    return typeof value === "string" ? value : undefined;
  };
  const flag = (option: string): boolean => values[option] === true;
  const output = new Output(terminal, flag("json"));
  if (flag("help")) return { output, input: undefined };
  const [least, most] = command.takes;
  if (positionals.length < least || positionals.length > most) {
    throw new UsageError(`expected ${command.usage}; received ${positionals.length} arguments`);
  }
  for (const [option, { needs }] of Object.entries(optionsOf(command))) {
    if (needs === undefined || values[option] === undefined || values[needs] !== undefined) continue;
    throw new UsageError(`--${option}: expected --${needs} with it; received --${option} alone`);
  }
  // Most likely a variable of a script that is empty. The lock would stay, and nothing run under it.
  if (own.length + 1 === parameters.length) throw new UsageError("expected a command after --; received nothing");
  const input: Input = {
    positionals,
    rest: parameters.slice(own.length + 1),
    text,
    flag,
    stdin: () => wholeText(stdin, "standard input"),
    streams: { stdin, stdout: terminal.stdout },
    env,
    cwd,
    signal,
    agentId: text("as") ?? env["SHARED_CONTEXT_AGENT"],
    token: text("token") ?? env["SHARED_CONTEXT_TOKEN"],
    store: text("store") ?? env["SHARED_CONTEXT_STORE"] ?? (command.name === "token" ? "" : defaultStore(cwd)),
  };
  return { output, input };
}

/** What stands after `--` is no option, such as an id that begins with a dash; after an id, it is the command to run. */
function beforeCommand(command: Command, parameters: readonly string[]): readonly string[] {
  const options = beforeDashes(parameters);
  if (parsed(command, options).positionals.length > 0) return options;
  const end = parameters.indexOf("--", options.length + 1);
  return end < 0 ? parameters : parameters.slice(0, end);
}

function parsed(
  command: Command,
  args: readonly string[],
): { values: Readonly<Record<string, string | boolean | undefined>>; positionals: string[] } {
  const options = Object.fromEntries(Object.entries(optionsOf(command)).map(([name, { type }]) => [name, { type }]));
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return { values, positionals };
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; see shared-context ${command.name} --help`);
  }
}

/** Those of the command first; to `serve` a token is another than to who asks a server. */
function optionsOf({ options }: Command): Readonly<Record<string, OptionHelp>> {
  return { ...options, ...COMMON, ...options };
}

function helpOf(command: Command): string {
  const { usage, help, examples } = command;
  return [
    `shared-context ${usage}`,
    "",
    help,
    "",
    ...optionLines(optionsOf(command)),
    "",
    "Examples:",
    ...examples.map((example) => `  ${example}`),
  ].join("\n");
}

function optionLines(options: Readonly<Record<string, OptionHelp>>): string[] {
  const names = Object.entries(options).map(([name, { value, help }]): [string, string] => [
    `  --${name}${value === undefined ? "" : ` ${value}`}`,
    help,
  ]);
  const width = Math.max(...names.map(([name]) => name.length));
  return names.map(([name, help]) => `${name.padEnd(width)}  ${help}`);
}

const OVERVIEW = [
  "shared-context COMMAND: state that several agents share, on a store or a server.",
  "",
  ...COMMANDS.map(({ name, help }) => `  ${name.padEnd(9)} ${help}`),
  "",
  ...optionLines(COMMON),
  "",
  "What stands after -- is no option, such as an id that begins with a dash: shared-context get -- -x.",
  "shared-context COMMAND --help has the options and examples of a command.",
  "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 conflict, 5 locked, 6 timeout, 7 not allowed, 8 unavailable.",
].join("\n");
