/** Starts processes and waits for them. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Job } from "./worker.ts";

const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url));
/** From Node 22.18 on types are stripped without a flag. */
const FLAGS = ["--disable-warning=ExperimentalWarning", "--experimental-strip-types"];
/** Where Node keeps what it has compiled, if it is let: a process starts several times as fast. */
const COMPILED = join(tmpdir(), "node-compile-cache");
const MUTATE = new URL("mutate.ts", import.meta.url).href;

const running = new Set<Child>();

export class Child {
  readonly process: ChildProcess;
  /** Rejects with what it printed when it failed; that it was killed is no failure. */
  readonly ended: Promise<void>;
  readonly #messages: unknown[] = [];
  #wake: (() => void) | undefined;
  #isOver = false;

  /**
   * @param mutant - what is wrong with the package in this process; see `mutate.ts`.
   * @param node - the command that runs Node, where it is another one than for the tests.
   */
  constructor(job: Job, mutant?: string, node: readonly string[] = [process.execPath]) {
    const flags = [...FLAGS, ...(mutant === undefined ? [] : ["--import", MUTATE])];
    const [command = "", ...before] = node;
    this.process = spawn(command, [...before, ...flags, WORKER, JSON.stringify(job)], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env: { ...process.env, MUTANT: mutant, NODE_COMPILE_CACHE: COMPILED },
    });
    running.add(this);
    const printed: string[] = [];
    this.process.stderr?.on("data", (text) => printed.push(String(text)));
    this.process.on("message", (message) => {
      this.#messages.push(message);
      this.#wake?.();
    });
    this.ended = this.#end(() => `process ${job.process} failed: ${printed.join("")}`);
    this.ended.catch(() => undefined); // whoever waits hears of it
  }

  /** The next thing that it says. */
  async says(): Promise<unknown> {
    while (this.#messages.length === 0) {
      if (this.#isOver) {
        await this.ended;
        throw new Error("the process has ended and said nothing");
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#messages.shift();
  }

  tell(word: string): void {
    this.process.send(word);
  }

  async #end(failure: () => string): Promise<void> {
    const [code] = (await once(this.process, "close")) as [number | null];
    running.delete(this);
    this.#isOver = true;
    this.#wake?.();
    if (code !== null && code !== 0) throw new Error(failure());
  }
}

/** Starts them all, and lets them go when the last one is ready. */
export async function startTogether(jobs: readonly Job[], mutant?: string): Promise<Child[]> {
  const children = jobs.map((job) => new Child(job, mutant));
  await Promise.all(children.map((child) => child.says()));
  for (const child of children) child.tell("go");
  return children;
}

/** Ends those that a failed test has left. */
export async function endAll(): Promise<void> {
  const left = [...running];
  for (const child of left) child.process.kill("SIGKILL");
  await Promise.allSettled(left.map((child) => child.ended));
}
