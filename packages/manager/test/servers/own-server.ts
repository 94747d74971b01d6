/** Servers of the tests' own: they are killed, cut off and started again, and go with the test. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, chownSync, constants, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface OwnServer {
  readonly port: number;
  /** For `openManager`. */
  url(namespace: string): string;
  /** Resolves when it answers. */
  start(): Promise<void>;
  /** All of its processes at once, and none of them is asked. */
  kill(): Promise<void>;
  /** As its administrator does it. */
  stop(): Promise<void>;
  /** Kills it, and takes away what it has written. */
  remove(): Promise<void>;
}

interface Program {
  readonly file: string;
  readonly args: readonly string[];
  /** Everything that it writes goes there. */
  readonly directory: string;
  readonly stopSignal: NodeJS.Signals;
  /** Rejects while it does not answer. */
  readonly ask: () => Promise<unknown>;
}

/** On a machine that does a lot besides. */
const START_MS = 120_000;
const ASK_AGAIN_MS = 50;

/** After a run that was broken off, if it still is this server that has the number. Its children end a moment later. */
const TIDY = 'case "$(readlink "/proc/$1/cwd")" in "$0"*) kill -9 "$1"; sleep 1;; esac; rm -rf "$0"';

export class ServerProcess {
  readonly #program: Program;
  #child: ChildProcess | undefined;
  #printed: string[] = [];
  #callOff: (() => void) | undefined;

  constructor(program: Program) {
    this.#program = program;
  }

  async start(): Promise<void> {
    const { file, args, directory, ask } = this.#program;
    const child = spawn(file, args, { cwd: directory, stdio: ["ignore", "pipe", "pipe"], ...UNPRIVILEGED });
    this.#child = child;
    this.#callOff?.();
    this.#callOff = whenThisEnds(TIDY, directory, String(child.pid));
    this.#printed = [];
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => this.#printed.push(String(text)));
    const endsAtMs = performance.now() + START_MS;
    for (;;) {
      if (child.exitCode !== null) throw new Error(`${file} has ended: ${this.#printed.join("")}`);
      try {
        await ask();
        return;
      } catch (error) {
        if (performance.now() > endsAtMs) throw new Error(`${file} does not answer`, { cause: error });
      }
      await sleep(ASK_AGAIN_MS);
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const closed = isOver(child) ? undefined : once(child, "close");
    this.#killNow();
    await closed;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || isOver(child)) return;
    const closed = once(child, "close");
    child.kill(this.#program.stopSignal);
    await closed;
  }

  async remove(): Promise<void> {
    await this.kill();
    this.#callOff?.();
    rmSync(this.#program.directory, { recursive: true, force: true });
  }

  #killNow(): void {
    const { pid } = this.#child ?? {};
    if (this.#child === undefined || pid === undefined || isOver(this.#child)) return;
    // What is stopped has no more children.
    this.#child.kill("SIGSTOP");
    for (const each of [pid, ...childrenOf(pid)]) {
      try {
        process.kill(each, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
  }
}

/**
 * Has the shell do something when this process has ended, however that comes about: tests that are broken off, and files
 * of which no test is run, get no chance to tidy up.
 *
 * @returns what calls it off.
 */
export function whenThisEnds(script: string, ...args: readonly string[]): () => void {
  const guard = spawn("/bin/sh", ["-c", `read -r _; ${script}`, ...args], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guard.unref();
  guard.stdin.on("error", () => undefined);
  if ("unref" in guard.stdin) (guard.stdin as Socket).unref();
  return () => void guard.kill("SIGKILL");
}

function isOver({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Where there is no `/proc`, children are left to notice that their parent is gone. */
function childrenOf(parent: number): number[] {
  if (!existsSync("/proc/self/stat")) return [];
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => parentOf(pid) === parent).map(Number);
}

function parentOf(pid: string): number | undefined {
  try {
    // The name in parentheses may have anything in it.
    const [, parent] = /\) \S (\d+) [^)]*$/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    return Number(parent);
  } catch {
    return undefined; // it has ended meanwhile
  }
}

/** Whom servers run as that refuse to run as root. */
export const UNPRIVILEGED = process.getuid?.() === 0 ? userIn(["postgres", "nobody"]) : {};

function userIn(names: readonly string[]): { readonly uid: number; readonly gid: number } | Record<string, never> {
  const users = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const name of names) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(":") ?? [];
    if (gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  return {};
}

/** Gives a file or directory to whom servers run as. */
export function handOver(path: string): void {
  const { uid, gid } = UNPRIVILEGED;
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
}

/** An installed program. @param folders - where to look before `PATH`. */
export function programNamed(name: string, folders: readonly string[] = []): string | undefined {
  const path = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return [...folders, ...path].map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

/** Says in a line what is skipped and why; where engines are required, that is an error. */
export function skipped(suite: string, reason: string): undefined {
  const line = `${suite}: skipped: ${reason}`;
  if (process.env["REQUIRE_ENGINES"] === "1") throw new Error(line);
  console.info(line);
  return undefined;
}
