/** Load on a server: `wrk` where it is installed, else a small generator in this process. */

/** @import { Effort, Measured } from "./types.d.ts" */

import { execFile, spawnSync } from "node:child_process";
import { Agent, request } from "node:http";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CONNECTIONS, dataAt } from "./payload.mjs";

const run = promisify(execFile);
export const hasWrk = spawnSync("wrk", ["--version"]).error === undefined;
const SCRIPT = fileURLToPath(new URL("put.lua", import.meta.url));
const BODY = JSON.stringify(dataAt(1));

/** @param {number} port @param {Effort} effort @returns {Promise<Measured>} */
export async function get(port, { roundMs }) {
  const url = `http://127.0.0.1:${port}/v1/contexts/c0`;
  if (hasWrk) return wrk(["-t1", `-c${CONNECTIONS}`, `-d${Math.ceil(roundMs / 1_000)}s`, url]);
  return generated(roundMs, () => () => exchanged({ port, path: "/v1/contexts/c0" }, ""));
}

/** @param {number} port @param {Effort} effort @param {number} first - the first of the contexts. @returns {Promise<Measured>} */
export async function put(port, { roundMs }, first = 0) {
  const seconds = Math.ceil(roundMs / 1_000);
  const url = `http://127.0.0.1:${port}/`;
  if (hasWrk) {
    return wrk([`-t${CONNECTIONS}`, `-c${CONNECTIONS}`, `-d${seconds}s`, "-s", SCRIPT, url, "--", BODY, String(first)]);
  }
  return generated(roundMs, (index) => {
    const number = first + index;
    let etag = `"${number + 1}.1"`;
    return async () => {
      const headers = { "content-type": "application/json", "if-match": etag };
      etag = await exchanged({ port, path: `/v1/contexts/c${number}`, method: "PUT", headers }, BODY);
    };
  });
}

/** @param {string[]} parameters */
async function wrk(parameters) {
  const { stdout } = await run("wrk", parameters);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`requests have failed:\n${stdout}`);
  return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]) };
}

/**
 * @param {number} roundMs
 * @param {(index: number) => () => Promise<unknown>} client - what a connection does again and again.
 */
async function generated(roundMs, client) {
  let count = 0;
  const started = performance.now();
  const clients = Array.from({ length: CONNECTIONS }, async (_, index) => {
    const send = client(index);
    while (performance.now() - started < roundMs) {
      await send();
      count += 1;
    }
  });
  await Promise.all(clients);
  return { rate: (count / (performance.now() - started)) * 1_000 };
}

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

/**
 * @param {import("node:http").RequestOptions} options
 * @param {string} body
 * @returns {Promise<string>} the ETag.
 */
function exchanged(options, body) {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", agent, ...options }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`answered ${response.statusCode}`));
      response.resume();
      response.on("end", () => resolve(response.headers.etag ?? ""));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
