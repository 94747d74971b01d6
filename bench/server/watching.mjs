/** Many watchers of one context, in the process of the run: how many events a second reach them, and how late. */

/** @import { Effort, Measured } from "./types.d.ts" */

import { once } from "node:events";
import { connect } from "node:net";
import { dataAt } from "./payload.mjs";

/** @param {number} port @param {Effort} effort @returns {Promise<Measured>} */
export async function watch(port, { roundMs, watchers }) {
  const crowd = await gathered(port, watchers);
  const started = performance.now();
  /** @type {number[]} */
  const delaysMs = [];
  let events = 0;
  for (let step = 1; performance.now() - started < roundMs; step++) {
    const sentMs = performance.now();
    const arrived = crowd.arrivals(() => {
      events += 1;
      delaysMs.push(performance.now() - sentMs);
    });
    await write(port, step);
    await arrived;
  }
  const seconds = (performance.now() - started) / 1_000;
  crowd.leave();
  delaysMs.sort((one, other) => one - other);
  return { rate: events / seconds, p99Ms: delaysMs[Math.floor(delaysMs.length * 0.99)] ?? NaN };
}

/**
 * Watchers that have heard how things are.
 *
 * @param {number} port @param {number} count
 */
export async function gathered(port, count) {
  let waiting = 0;
  let onEvent = () => {};
  let onAll = () => {};
  /** @type {import("node:net").Socket[]} */
  const sockets = [];
  for (let index = 0; index < count; index++) {
    const socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    let text = "";
    const isReady = new Promise((resolve) => {
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1");
        if (text.includes("event: ready")) {
          if (!/\n\n(\r\n)?$/.test(text)) return;
          text = "";
          resolve(undefined);
          return;
        }
        // Every event has an id, and one only.
        const parts = text.split("\nid: ").length - 1 + (text.startsWith("id: ") ? 1 : 0);
        if (parts === 0 || !/\n\n(\r\n)?$/.test(text)) return;
        text = "";
        onEvent();
        waiting -= 1;
        if (waiting === 0) onAll();
      });
    });
    await once(socket, "connect");
    socket.write("GET /v1/changes?context_id=c0 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await isReady;
    sockets.push(socket);
  }
  return {
    /** @param {() => void} each @returns {Promise<void>} when all have one more event. */
    arrivals(each) {
      onEvent = each;
      waiting = count;
      return new Promise((resolve) => {
        onAll = resolve;
      });
    },
    leave() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

let etag = '"1.1"';

/** @param {number} port @param {number} step */
async function write(port, step) {
  if (step === 1) etag = '"1.1"';
  const response = await fetch(`http://127.0.0.1:${port}/v1/contexts/c0`, {
    method: "PUT",
    headers: { "content-type": "application/json", "if-match": etag },
    body: JSON.stringify(dataAt(step)),
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  etag = response.headers.get("etag") ?? "";
  await response.arrayBuffer();
}
