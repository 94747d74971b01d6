/** A server on a port of its own over a store, and clients of it. */

import { type AsyncSharedContextManager, openManager, type OpenOptions, type JsonObject } from "shared-context-manager";
import { serve, type Server, type ServeOptions } from "shared-context-server";

export interface Served {
  /** The manager in the process of the server. */
  readonly store: AsyncSharedContextManager;
  readonly url: string;
  readonly port: number;
  /** A client, closed with the server. */
  client<Data extends object = JsonObject>(options?: OpenOptions<Data>): Promise<AsyncSharedContextManager<Data>>;
  /** Closes the server and starts another one over the same store, on the same port. */
  restart(): Promise<void>;
  /** Closes the server and leaves the store open. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

export async function served(
  storeUrl = "memory:",
  options: Partial<ServeOptions> = {},
  storeOptions: OpenOptions = {},
): Promise<Served> {
  const store = await openManager(storeUrl, storeOptions);
  const start = (port: number): Promise<Server> =>
    serve({ requestsPerSecond: Infinity, graceMs: 50, ...options, manager: store, port });
  let server = await start(0);
  const { url, port } = server;
  const clients: { close(): Promise<void> }[] = [];
  return {
    store,
    url,
    port,
    async client(clientOptions = {}) {
      const client = await openManager(url, clientOptions);
      clients.push(client);
      return client;
    },
    async restart() {
      await server.close();
      server = await start(port);
    },
    stop: () => server.close(),
    async close() {
      for (const client of clients) await client.close();
      await server.close();
      await store.close();
    },
  };
}
