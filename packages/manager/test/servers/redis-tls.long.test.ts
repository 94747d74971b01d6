/** Redis over TLS: the kit over `rediss://`, and nothing to nobody who cannot show who he is. */

import { execFile } from "node:child_process";
import { inspect, promisify } from "node:util";
import { fileURLToPath } from "node:url";
import { openManager } from "shared-context-manager";
import { afterAll, describe, expect, it } from "vitest";
import { scratch } from "../engines/support.ts";
import { TYPED_NODE } from "../processes/typed-node.ts";
import { refusalOf } from "../support.ts";
import { certify } from "./certificate.ts";
import { ownRedis } from "./own-redis.ts";
import { freePort, handOver, programNamed, skipped } from "./own-server.ts";

const SUITE = "redis-tls.long.test.ts";
const TIMEOUT_MS = 180_000;
const CLIENT = fileURLToPath(new URL("tls-client.ts", import.meta.url));
const KIT = fileURLToPath(new URL("kit-client.ts", import.meta.url));
const run = promisify(execFile);

const openssl = programNamed("openssl") ?? skipped(SUITE, "openssl is not installed");
const place = scratch();
handOver(place.file("."));
const { certificate, key } = openssl === undefined ? {} : await certify(openssl, place.file("."));
const port = await freePort();
const tls = { "tls-port": `${port}`, "tls-cert-file": `${certificate}`, "tls-key-file": `${key}` };
const settings = { ...tls, "tls-ca-cert-file": `${certificate}`, "tls-auth-clients": "no" };
const server = certificate === undefined ? undefined : await ownRedis(SUITE, { settings });
afterAll(async () => {
  await server?.remove();
  place.remove();
});
if (TYPED_NODE === undefined) console.info(`${SUITE}: skipped what trusts an authority: no Node runs the sources`);

describe.skipIf(server === undefined)("redis over TLS", { timeout: TIMEOUT_MS }, () => {
  it("refuses an authority that nobody knows, and tells no password", async () => {
    const error = await refusalOf("UNAVAILABLE", openManager(`rediss://ann:s3cret@localhost:${port}`));
    expect(error.message).toContain("self-signed certificate");
    expect(inspect(error, { depth: Infinity })).not.toContain("s3cret");
  });

  it("does not go on in plain text with a server that has no TLS", async () => {
    const error = await refusalOf("UNAVAILABLE", openManager(`rediss://ann:s3cret@localhost:${server?.port}`));
    expect(inspect(error, { depth: Infinity })).not.toContain("s3cret");
  });

  it("without TLS gets nowhere where the server wants it", async () => {
    const error = await refusalOf("UNAVAILABLE", openManager(`redis://localhost:${port}?timeoutMs=500`));
    expect(error.retryable).toBe(true);
  });

  describe.skipIf(TYPED_NODE === undefined)("and an authority of one's own", () => {
    const tell = async (file: string, url: string): Promise<string> => {
      const env = { ...process.env, NODE_EXTRA_CA_CERTS: certificate };
      const flags = ["--disable-warning=ExperimentalWarning", "--experimental-strip-types"];
      const { stdout } = await run(TYPED_NODE!, [...flags, file, url], { env, timeout: TIMEOUT_MS });
      return stdout;
    };

    it("passes the kit of managers", async () => {
      const told = JSON.parse(await tell(KIT, `rediss://localhost:${port}`)) as { passed: number };
      expect(told).toEqual({ passed: expect.any(Number) as number, failed: [] });
      expect(told.passed).toBeGreaterThan(30);
    });

    it("refuses one that it has certified under another name", async () => {
      const told = await tell(CLIENT, `rediss://ann:s3cret@127.0.0.1:${port}`);
      expect(told).toMatch(/^UNAVAILABLE: .*does not match certificate's altnames/);
      expect(told).not.toContain("s3cret");
    });
  });
});
