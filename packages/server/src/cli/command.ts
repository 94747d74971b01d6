/** What a command is: the table that `--help` and the parser go by. */

import type { Connection } from "./connect.ts";
import type { Output } from "./output.ts";

export interface OptionHelp {
  readonly type: "string" | "boolean";
  readonly help: string;
  readonly value?: string;
  /** The option without which it says nothing. */
  readonly needs?: string;
}

/** What was typed, read. */
export interface Input {
  readonly positionals: readonly string[];
  /** What stands after `--`, to a command that takes a command. */
  readonly rest: readonly string[];
  text(option: string): string | undefined;
  flag(option: string): boolean;
  /** Standard input, to its end. */
  stdin(): Promise<string>;
  /** Standard input and output as they are, for a protocol. */
  readonly streams: { readonly stdin: AsyncIterable<Uint8Array>; readonly stdout: NodeJS.WritableStream };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly agentId: string | undefined;
  readonly store: string;
  /** Of the server. */
  readonly token: string | undefined;
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

export interface Command {
  readonly name: string;
  readonly usage: string;
  readonly help: string;
  readonly options?: Readonly<Record<string, OptionHelp>>;
  readonly examples: readonly string[];
  /** How many positional arguments there must and may be. */
  readonly takes: readonly [least: number, most: number];
  /** What stands after `--` is a command to run. */
  readonly takesCommand?: boolean;
  /** A command that opens what it needs itself gets no connection. */
  readonly run: (input: Input, output: Output, connection: () => Promise<Connection>) => Promise<number>;
}
