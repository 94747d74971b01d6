/** A real browser with the page in it, on a real server over SQLite: what the tests of the inspector stand on. */

import { existsSync } from "node:fs";
import { type AsyncSharedContextManager, openManager } from "shared-context-manager";
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { NODE, ServerProcess, TOKENS } from "./server-process.ts";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const CHROMIUM = PATHS.find((path) => existsSync(path));
const isBuilt = existsSync(new URL("../../dist/inspector/index.html", import.meta.url));

const missing = [
  ...(CHROMIUM === undefined ? ["there is no Chromium"] : []),
  ...(NODE === undefined ? ["there is no Node with SQLite"] : []),
  ...(isBuilt ? [] : ["the inspector is not built"]),
].join(", ");
export const canRun = missing === "";
if (!canRun) {
  if (process.env["REQUIRE_BROWSER"] === "1") throw new Error(missing);
  process.stderr.write(`${missing}: the tests of the inspector in a browser are skipped\n`);
}

export interface OpenOptions extends BrowserContextOptions {
  /** What the tab has for a token: that of an admin by default, `null` for none. */
  readonly token?: string | null;
  readonly width?: number;
}

/** What a trace of the browser tells of a thread or a task: times in microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly args: { readonly name?: string };
  /** How long it had the processor. */
  readonly tdur?: number;
}

/** Call it inside a `describe`: each test gets a server and a store of its own, and opens the page when it is ready. */
export class Stage {
  /** Over HTTP, as agents anywhere. */
  manager!: AsyncSharedContextManager;
  server!: ServerProcess;
  page!: Page;
  /** What no page may do: errors, dialogs, requests to elsewhere. */
  #faults: string[] = [];
  #browser!: Browser;

  constructor() {
    beforeAll(async () => {
      const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"];
      this.#browser = await chromium.launch({ executablePath: CHROMIUM ?? "", args });
    }, 60_000);
    afterAll(() => this.#browser.close());
    beforeEach(async () => {
      this.#faults = [];
      this.server = new ServerProcess();
      await this.server.start();
      this.manager = await openManager(this.server.url, { token: TOKENS.admin });
    }, 60_000);
    afterEach(async () => {
      await Promise.all(this.#browser.contexts().map((context) => context.close()));
      await this.manager.close();
      await this.server.remove();
      if (this.#faults.length > 0) throw new Error(`the page did what it must not: ${this.#faults.join("; ")}`);
    });
  }

  async open(path = "/", { token = TOKENS.admin, width = 1280, ...options }: OpenOptions = {}): Promise<void> {
    const viewport = { width, height: 800 };
    const context = await this.#browser.newContext({ viewport, reducedMotion: "reduce", ...options });
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: this.server.url });
    if (token !== null) {
      await context.addInitScript((given) => {
        if (sessionStorage.length === 0) sessionStorage.setItem("shared-context-token", given);
      }, token);
    }
    const page = await context.newPage();
    this.page = page;
    page.on("pageerror", (error) => this.#faults.push(error.message));
    page.on("console", (message) => {
      if (/Content Security Policy|TrustedHTML/.test(message.text())) this.#faults.push(message.text());
    });
    page.on("dialog", (dialog) => {
      this.#faults.push(dialog.message());
      void dialog.dismiss();
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(`${this.server.url}/`)) this.#faults.push(request.url());
    });
    await page.goto(this.server.url + path);
  }

  async goto(hash: string): Promise<void> {
    await this.page.goto(`${this.server.url}/${hash}`);
  }

  /** A request of an agent, by hand. */
  async send(method: string, path: string, agentId: string, body?: unknown): Promise<Response> {
    const headers = {
      authorization: `Bearer ${TOKENS.admin}`,
      "x-agent-id": agentId,
      "content-type": "application/json",
    };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    return fetch(`${this.server.url}${path}`, { method, headers, ...sent });
  }

  /**
   * How long each task of the page's own thread had the processor while `work` went on, in ms. Unlike the time that went by,
   * it is the page's whatever else the machine does.
   */
  async tasksDuring(work: () => Promise<unknown>): Promise<number[]> {
    await this.#browser.startTracing(undefined, { categories: ["disabled-by-default-devtools.timeline"] });
    const traced = await work().then(
      () => this.#browser.stopTracing(),
      async (error: unknown) => {
        await this.#browser.stopTracing();
        throw error;
      },
    );
    const { traceEvents } = JSON.parse(traced.toString()) as { traceEvents: TraceEvent[] };
    const pages = new Map<string, number[]>();
    for (const { name, args, pid, tid } of traceEvents) {
      if (name === "thread_name" && args.name === "CrRendererMain") pages.set(`${pid}/${tid}`, []);
    }
    for (const { name, pid, tid, tdur } of traceEvents) {
      if (name === "RunTask" && tdur !== undefined) pages.get(`${pid}/${tid}`)?.push(tdur / 1_000);
    }
    // Each page has a thread of its own: those of earlier ones and of the next one do little.
    const tasks = [...pages.values()].toSorted((one, other) => sum(other) - sum(one))[0] ?? [];
    if (sum(tasks) === 0) throw new Error("the trace of the browser tells of no task");
    return tasks;
  }

  live(): Promise<void> {
    return this.page.getByText("Live", { exact: true }).waitFor();
  }

  row(text: string): Locator {
    return this.page.locator(".virtual-row").filter({ hasText: text });
  }

  clipboard(): Promise<string> {
    return this.page.evaluate(() => navigator.clipboard.readText());
  }
}

export function sum(values: readonly number[]): number {
  return values.reduce((result, value) => result + value, 0);
}
