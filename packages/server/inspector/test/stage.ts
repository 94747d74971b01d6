/** A real browser with the page in it, on a server in this process: what the tests of the inspector stand on. */

import { existsSync } from "node:fs";
import { type AsyncSharedContextManager, openManager } from "shared-context-manager";
import { serve, type Server, type ServeOptions } from "shared-context-server";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const CHROMIUM = PATHS.find((path) => existsSync(path));
const isBuilt = existsSync(new URL("../../dist/inspector/index.html", import.meta.url));

export const canRun = CHROMIUM !== undefined && isBuilt;
if (!canRun) {
  const missing = isBuilt ? "there is no Chromium" : "the inspector is not built";
  process.stderr.write(`${missing}: the tests of the inspector in a browser are skipped\n`);
}

/** Call it inside a `describe`: each test gets a store of its own, and opens the page when it is ready. */
export class Stage {
  manager!: AsyncSharedContextManager;
  server!: Server;
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
      this.manager = await openManager("memory:");
    });
    afterEach(async () => {
      await this.page.context().close();
      await this.server.close();
      await this.manager.close();
      if (this.#faults.length > 0) throw new Error(`the page did what it must not: ${this.#faults.join("; ")}`);
    });
  }

  async open(path = "/", options: Partial<ServeOptions> = {}, width = 1280): Promise<void> {
    await this.serve(0, options);
    const context = await this.#browser.newContext({ viewport: { width, height: 800 }, reducedMotion: "reduce" });
    const page = await context.newPage();
    this.page = page;
    this.#faults = [];
    page.on("pageerror", (error) => this.#faults.push(error.message));
    page.on("dialog", (dialog) => {
      this.#faults.push(dialog.message());
      void dialog.dismiss();
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(`${this.server.url}/`)) this.#faults.push(request.url());
    });
    await page.goto(this.server.url + path);
  }

  async serve(port: number, options: Partial<ServeOptions> = {}): Promise<void> {
    const { manager } = this;
    this.server = await serve({ manager, port, requestsPerSecond: Infinity, graceMs: 200, ...options });
  }

  async goto(hash: string): Promise<void> {
    await this.page.goto(`${this.server.url}/${hash}`);
  }

  live(): Promise<void> {
    return this.page.getByText("Live", { exact: true }).waitFor();
  }

  row(text: string): Locator {
    return this.page.locator(".virtual-row").filter({ hasText: text });
  }
}
