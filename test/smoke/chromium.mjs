/** Runs `smoke.mjs` in a headless Chromium, on the build: `node test/smoke/chromium.mjs <executable>`. */

import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const DIST = fileURLToPath(new URL("../../packages/manager/dist/", import.meta.url));
const SMOKE = fileURLToPath(new URL("smoke.mjs", import.meta.url));
const PAGE = `<!doctype html>
<script type="importmap">{ "imports": { "shared-context-manager": "/dist/index.js" } }</script>
<script>
  addEventListener("error", (event) => (document.title = String(event.message ?? "a module did not load")), true);
</script>
<script type="module">
  import "/smoke.mjs";
  document.title = "ok";
</script>`;

const server = createServer((request, response) => {
  const { url = "/" } = request;
  if (url === "/") {
    response.setHeader("content-type", "text/html").end(PAGE);
    return;
  }
  const [, module] = /^\/dist\/((?:[\w-]+\/)*[\w-]+\.js)$/.exec(url) ?? [];
  readFile(module === undefined ? SMOKE : join(DIST, module)).then(
    (text) => response.setHeader("content-type", "text/javascript").end(text),
    () => response.writeHead(404).end(),
  );
});

const [, , chromium = "chromium"] = process.argv;
const profile = await mkdtemp(join(tmpdir(), "chromium-"));
try {
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  // The sandbox needs a user other than root; the rest keeps the browser from calling anywhere else.
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"];
  const { stdout } = await promisify(execFile)(
    chromium,
    [...flags, "--no-first-run", `--user-data-dir=${profile}`, "--dump-dom", `http://127.0.0.1:${port}/`],
    { timeout: 60_000 },
  );
  const [, title] = /<title>(.*)<\/title>/.exec(stdout) ?? [];
  if (title !== "ok") throw new Error(`expected the page to say ok, received ${title ?? stdout}`);
  console.log("ok");
} finally {
  server.close();
  server.closeAllConnections();
  await rm(profile, { recursive: true, force: true });
}
