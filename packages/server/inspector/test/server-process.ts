/** `shared-context serve` as a process of its own, on a SQLite file: it can be killed, and started again on the same file and port. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { hashOf, type TokenRecord, writeTokens } from "shared-context-server";
import { canRunSources, hasSqlite } from "../../test/runtime.ts";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** The Node that runs the tests may have no SQLite; then one that is installed beside. */
export const NODE: string | undefined =
  hasSqlite && canRunSources
    ? process.execPath
    : [path(`../../../../node_modules/node-linux-${process.arch}/bin/node`)].find((file) => existsSync(file));

const SERVE = [
  "--disable-warning=ExperimentalWarning",
  "--import",
  new URL("../../test/sources.mjs", import.meta.url).href,
  path("../../src/bin.ts"),
  "serve",
];

/** For each right a token, and one that is bound to an agent. */
export const TOKENS = {
  read: "token-to-read-only",
  write: "token-to-write-too",
  admin: "token-of-an-admin",
  bound: "token-of-one-agent",
};

export class ServerProcess {
  readonly #folder = mkdtempSync(join(tmpdir(), "inspector-"));
  #store = 1;
  #child: ChildProcess | undefined;
  url = "";
  #port = "0";

  constructor() {
    const record = (name: keyof typeof TOKENS): TokenRecord => {
      const isBound = name === "bound";
      return { name, hash: hashOf(TOKENS[name]), agentId: isBound ? "tied" : null, rights: isBound ? "write" : name };
    };
    writeTokens(join(this.#folder, "tokens.json"), [record("read"), record("write"), record("admin"), record("bound")]);
  }

  /** Again on the port of before, so that the page finds it. */
  async start(): Promise<void> {
    const store = `sqlite:${join(this.#folder, `${this.#store}.db`)}`;
    const options = ["--json", "--port", this.#port, "--store", store, "--tokens", "tokens.json", "--rate", "1000000"];
    const child = spawn(NODE ?? "node", [...SERVE, ...options], {
      cwd: this.#folder,
      env: { PATH: process.env["PATH"] },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#child = child;
    const lines = createInterface(child.stdout);
    const [line] = (await Promise.race([once(lines, "line"), once(child, "exit")])) as [string | number | null];
    if (typeof line !== "string") throw new Error(`the server has ended with ${String(line)}`);
    ({ url: this.url } = JSON.parse(line) as { url: string });
    this.#port = new URL(this.url).port;
  }

  /** As the machine would: nothing is finished or closed. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  }

  /** The next start is on another, empty store. */
  useNewStore(): void {
    this.#store += 1;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
