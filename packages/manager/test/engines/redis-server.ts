/** Which Redis the tests run on, and what they leave there: nothing. */

import { createClient } from "redis";

const DEFAULT_URL = "redis://127.0.0.1:6379";
const ANSWER_WITHIN_MS = 1_000;

export interface TestServer {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** A namespace of this run alone. */
  namespace(name: string): string;
  send(...command: string[]): Promise<unknown>;
  /** Deletes what the namespaces of this run have left, and disconnects. */
  close(): Promise<void>;
}

/** The server of `REDIS_URL`, or the local one; without either a line that says so, or an error where it is required. */
export async function findServer(suite: string): Promise<TestServer | undefined> {
  const named = process.env["REDIS_URL"];
  const failures: string[] = [];
  for (const url of named === undefined ? [DEFAULT_URL] : [named, DEFAULT_URL]) {
    const client = createClient({ url, socket: { reconnectStrategy: false, connectTimeout: ANSWER_WITHIN_MS } });
    client.on("error", () => undefined);
    try {
      await client.connect();
      return serverAt(
        url,
        (command) => client.sendCommand(command),
        () => client.destroy(),
      );
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  const line = `${suite}: skipped: no Redis answers at REDIS_URL or locally (${failures.join("; ")})`;
  if (process.env["REQUIRE_ENGINES"] === "1") throw new Error(line);
  console.info(line);
  return undefined;
}

function serverAt(url: string, send: (command: string[]) => Promise<unknown>, disconnect: () => void): TestServer {
  const { hostname, port } = new URL(url);
  const run = `test-${process.pid}-${Math.random().toString(36).slice(2)}`;
  return {
    url,
    host: hostname,
    port: Number(port || 6379),
    namespace: (name) => `${run}-${name}`,
    send: (...command) => send(command),
    async close() {
      // The engine itself never scans; a test that tidies up may.
      let cursor = "0";
      do {
        const reply = await send(["SCAN", cursor, "MATCH", `{scm:${run}-*`, "COUNT", "1000"]);
        const [next, keys] = reply as [string, string[]];
        if (keys.length > 0) await send(["UNLINK", ...keys]);
        cursor = next;
      } while (cursor !== "0");
      disconnect();
    },
  };
}
