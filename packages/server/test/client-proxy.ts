/** Something between a client and a server that loses answers and cuts streams. */

import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

export interface Proxy {
  readonly url: string;
  /** How many of the next answers are lost after the server has given them. */
  losing: number;
  /** Whether the server is kept from knowing a request again, as after a restart. */
  forgetting: boolean;
  /** What happens before the client hears of the loss. */
  onLoss: () => Promise<void>;
  /** After how many events a stream is cut; `Infinity` for never. */
  eventsAtOnce: number;
  /** What came, as `METHOD path`. */
  readonly seen: string[];
  close(): Promise<void>;
}

export async function proxyTo(port: number): Promise<Proxy> {
  const server = createServer((incoming, outgoing) => {
    proxy.seen.push(`${incoming.method ?? ""} ${incoming.url ?? ""}`);
    const { method, url: path } = incoming;
    const { "idempotency-key": key, ...headers } = incoming.headers;
    if (key !== undefined && !proxy.forgetting) headers["idempotency-key"] = key;
    const onward = request({ host: "127.0.0.1", port, method, path, headers }, (answer) => {
      if (proxy.losing > 0) {
        proxy.losing -= 1;
        answer.resume().on("end", () => void proxy.onLoss().then(() => outgoing.destroy()));
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      let events = 0;
      answer.on("data", (chunk: Buffer) => {
        events += chunk.toString().split("\ndata: ").length - 1;
        outgoing.write(chunk);
        const isStream = /event-stream/.test(String(answer.headers["content-type"]));
        if (isStream && events >= proxy.eventsAtOnce) setImmediate(() => outgoing.destroy());
      });
      answer.on("end", () => outgoing.end());
      answer.on("error", () => outgoing.destroy());
    });
    onward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => onward.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: own } = server.address() as AddressInfo;
  const proxy: Proxy = {
    url: `http://127.0.0.1:${own}`,
    losing: 0,
    forgetting: false,
    onLoss: () => Promise.resolve(),
    eventsAtOnce: Infinity,
    seen: [],
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}
