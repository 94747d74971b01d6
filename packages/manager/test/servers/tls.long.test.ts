/** PostgreSQL over TLS: encrypted or not at all, and with nobody who cannot show who he is. */

import { execFile } from "node:child_process";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { inspect, promisify } from "node:util";
import { fileURLToPath } from "node:url";
import { openManager } from "shared-context-manager";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TYPED_NODE } from "../processes/typed-node.ts";
import { refusalOf } from "../support.ts";
import { certify } from "./certificate.ts";
import { programNamed, skipped } from "./own-server.ts";
import { ownPostgres } from "./own-postgres.ts";

const SUITE = "tls.long.test.ts";
const TIMEOUT_MS = 60_000;
const CLIENT = fileURLToPath(new URL("tls-client.ts", import.meta.url));
const run = promisify(execFile);

let certificate = "";
const openssl = programNamed("openssl") ?? skipped(SUITE, "openssl is not installed");
const database = openssl === undefined ? undefined : await serverWithTls(openssl);
afterAll(() => database?.remove());
if (TYPED_NODE === undefined) console.info(`${SUITE}: skipped what trusts an authority: no Node runs the sources`);

describe.skipIf(database === undefined)("postgres over TLS", { timeout: TIMEOUT_MS }, () => {
  if (database === undefined) return;
  const urlOf = (sslmode: string, host = "127.0.0.1"): string =>
    database.url(`tls-${Math.random()}`, { host, user: "agents", password: "secret", parameters: { sslmode } });
  /** How many there are, whether all of them are encrypted, and whether one of them listens. */
  const connections = async (): Promise<unknown> => {
    const [row] = await database.query(`SELECT count(*)::integer, coalesce(bool_and(ssl), true) AS encrypted,
      coalesce(bool_or(query LIKE '%pg_advisory_lock_shared%'), false) AS listens
      FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'agents'`);
    return row;
  };

  beforeAll(() =>
    database.query("CREATE ROLE agents LOGIN PASSWORD 'secret'; GRANT CREATE ON DATABASE postgres TO agents"),
  );

  it("encrypts every connection, the one that listens too", async () => {
    await using manager = await openManager(urlOf("no-verify"));
    const changes = manager.watch("plan");
    await manager.create("plan", { step: 1 });
    await changes.next();
    await expect.poll(connections, { timeout: TIMEOUT_MS }).toMatchObject({ encrypted: true, listens: true });
  });

  it.each(["require", "verify-ca", "verify-full"])(
    "with sslmode=%s refuses an authority that nobody knows, and tells no password",
    async (sslmode) => {
      const error = await refusalOf("UNAVAILABLE", openManager(urlOf(sslmode)));
      expect(error.message).toContain("self-signed certificate");
      expect(inspect(error, { depth: Infinity })).not.toContain("secret");
      await expect.poll(connections, { timeout: TIMEOUT_MS }).toMatchObject({ count: 0 });
    },
  );

  it("does without TLS only when it is told to, and is refused then where the server wants it", async () => {
    const error = await refusalOf("UNAVAILABLE", openManager(urlOf("disable")));
    expect(error.message).toContain("no encryption");
    expect(inspect(error, { depth: Infinity })).not.toContain("secret");
  });

  it("does not go on in plain text with a server that has no TLS", async () => {
    await database.query("ALTER SYSTEM SET ssl = off");
    await database.query("SELECT pg_reload_conf()");
    try {
      await expect.poll(() => database.query("SHOW ssl"), { timeout: TIMEOUT_MS }).toEqual([{ ssl: "off" }]);
      const error = await refusalOf("UNAVAILABLE", openManager(urlOf("no-verify")));
      expect(error.message).toContain("does not support SSL");
      expect(inspect(error, { depth: Infinity })).not.toContain("secret");
    } finally {
      await database.query("ALTER SYSTEM RESET ssl");
      await database.query("SELECT pg_reload_conf()");
      await expect.poll(() => database.query("SHOW ssl"), { timeout: TIMEOUT_MS }).toEqual([{ ssl: "on" }]);
    }
  });

  describe.skipIf(TYPED_NODE === undefined)("and an authority of one's own", () => {
    const open = async (url: string): Promise<string> => {
      const env = { ...process.env, NODE_EXTRA_CA_CERTS: certificate };
      const flags = ["--disable-warning=ExperimentalWarning", "--experimental-strip-types"];
      const { stdout } = await run(TYPED_NODE!, [...flags, CLIENT, url], { env, timeout: TIMEOUT_MS });
      return stdout;
    };

    it.each(["require", "verify-full"])("with sslmode=%s connects to whom it has certified", async (sslmode) => {
      expect(await open(urlOf(sslmode, "localhost"))).toBe("version 1");
    });

    it("refuses one that it has certified under another name", async () => {
      const told = await open(urlOf("verify-full"));
      expect(told).toMatch(/^UNAVAILABLE: .*does not match certificate's altnames/);
      expect(told).not.toContain("secret");
    });
  });
});

/** It certifies itself, under one name. */
async function serverWithTls(file: string): ReturnType<typeof ownPostgres> {
  return ownPostgres(SUITE, {
    access: ["host all postgres all trust", "hostssl all agents all scram-sha-256"],
    async prepare(directory) {
      const own = await certify(file, directory);
      ({ certificate } = own);
      const lines = ["ssl = on", `ssl_cert_file = '${certificate}'`, `ssl_key_file = '${own.key}'`];
      appendFileSync(join(directory, "data", "postgresql.conf"), `${lines.join("\n")}\n`);
    },
  });
}
