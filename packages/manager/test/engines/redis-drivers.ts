/** node-redis as it is, watched, and as other drivers are. */

import { ClientClosedError, ClientOfflineError, createClient, ErrorReply } from "redis";
import type { RedisClient, RedisDriver, RedisOptions } from "../../src/engines/redis/driver.ts";

const ERRORS = { ErrorReply, ClientOfflineError, ClientClosedError };

function connectionOf(options: RedisOptions): RedisClient {
  return createClient(options as Parameters<typeof createClient>[0]);
}

/** The connections of an engine, to be killed from the other side. */
export class Clients {
  readonly #clients: RedisClient[] = [];

  driver({ hears = true } = {}): RedisDriver {
    return {
      ...ERRORS,
      createClient: (options) => {
        const client = connectionOf(options);
        if (!hears) client.subscribe = () => Promise.resolve();
        this.#clients.push(client);
        return client;
      },
    };
  }

  async kill(server: { send(...command: string[]): Promise<unknown> }): Promise<void> {
    for (const client of this.#clients.splice(0)) {
      const id = await client.sendCommand(["CLIENT", "ID"]).catch(() => undefined);
      if (typeof id === "number") await server.send("CLIENT", "KILL", "ID", String(id));
    }
  }
}

/** As some drivers do: what was under way when the connection was cut is sent again on the next one. */
export const RESENDING: RedisDriver = {
  ...ERRORS,
  createClient(options) {
    const make = (): RedisClient => {
      const client = connectionOf(options);
      client.on("error", () => undefined);
      return client;
    };
    let client = make();
    return {
      on: () => undefined,
      connect: () => client.connect(),
      subscribe: (channel, listener) => client.subscribe(channel, listener),
      destroy: () => client.destroy(),
      async sendCommand(args) {
        try {
          return await client.sendCommand(args);
        } catch (error) {
          if (error instanceof ErrorReply) throw error;
          client = make();
          await client.connect();
          return client.sendCommand(args);
        }
      },
    };
  },
};
