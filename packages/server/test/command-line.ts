/** The command line, run in this process or as one of its own. */

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterAll } from "vitest";
import { main } from "../src/cli/main.ts";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Given {
  readonly stdin?: string | Uint8Array;
  /** Standard input does not end with that. */
  readonly open?: boolean;
  readonly env?: Record<string, string>;
  readonly signal?: AbortSignal;
  readonly cwd?: string;
  /** Hears of what is written to stdout, as it comes. */
  readonly onData?: (text: string) => void;
  readonly isTTY?: boolean;
}

function writable(onData: (text: string) => void, isTTY: boolean): { stream: Writable; text(): string } {
  let text = "";
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      onData(text);
      done();
    },
  });
  return { stream: Object.assign(stream, { isTTY }), text: () => text };
}

export interface CommandLine {
  /** Where it runs unless told otherwise. It goes with the file of tests that has called. */
  readonly folder: string;
  /** A URL for a store in the folder. */
  readonly newStore: () => string;
  /** The command line in this process. */
  readonly run: (store: string, args: string[], given?: Given) => Promise<Outcome>;
}

/** Call it once in a file of tests, outside of them. */
export function commandLine(): CommandLine {
  const folder = mkdtempSync(join(tmpdir(), "shared-context-"));
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  let stores = 0;
  return {
    folder,
    newStore: () => `sqlite:${join(folder, `${stores++}.db`)}`,
    run: (store, args, given) => run(store, args, { cwd: folder, ...given }),
  };
}

async function run(store: string, args: string[], given: Given & { readonly cwd: string }): Promise<Outcome> {
  const { stdin = "", open = false, env = {}, signal, cwd } = given;
  const { onData = () => undefined, isTTY = false } = given;
  const [stdout, stderr] = [writable(onData, isTTY), writable(() => undefined, isTTY)];
  const code = await main(args, {
    stdin: (async function* () {
      yield await Promise.resolve(typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin);
      if (open) await once(new EventTarget(), "never");
    })(),
    stdout: stdout.stream,
    stderr: stderr.stream,
    env: store === "" ? env : { SHARED_CONTEXT_STORE: store, ...env },
    cwd,
    signal: signal ?? new AbortController().signal,
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}
