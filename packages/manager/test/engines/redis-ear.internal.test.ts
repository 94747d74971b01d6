/** The connection for messages is let go of whenever it is closed, whatever it is doing then. */

import { describe, expect, it, vi } from "vitest";
import type { RedisClient } from "../../src/engines/redis/driver.ts";
import { Ear } from "../../src/engines/redis/ear.ts";

/** As the driver does: what was destroyed while it was connecting is connected all the same, and must be destroyed again. */
class SlowClient implements RedisClient {
  isOpen = false;
  readonly subscribe = vi.fn<RedisClient["subscribe"]>(() => Promise.resolve());
  arrive: () => void = () => undefined;
  readonly #arrival = new Promise<void>((resolve) => {
    this.arrive = resolve;
  });

  on(): void {}

  async connect(): Promise<void> {
    await this.#arrival;
    this.isOpen = true;
  }

  sendCommand(): Promise<unknown> {
    return Promise.reject(new Error("nobody sends commands here"));
  }

  destroy(): void {
    this.isOpen = false;
  }
}

describe("an ear for messages", () => {
  const settled = (): Promise<void> =>
    new Promise((resolve) => {
      setImmediate(resolve);
    });
  const listening = (client: SlowClient, onListening = (): void => undefined): Ear =>
    new Ear(() => client, { channel: "wake", timeoutMs: 60_000, onMessage: () => undefined, onListening });

  it("listens as soon as it is connected, and lets go when it is closed", async () => {
    const client = new SlowClient();
    const heard = vi.fn<() => void>();
    const ear = listening(client, heard);
    client.arrive();
    await vi.waitFor(() => expect(heard).toHaveBeenCalledOnce());
    expect(client.subscribe).toHaveBeenCalledOnce();
    ear.close();
    expect(client.isOpen).toBe(false);
  });

  it("lets go of a connection that comes after it was closed", async () => {
    const client = new SlowClient();
    listening(client).close();
    client.arrive();
    await settled();
    expect(client.isOpen).toBe(false);
    expect(client.subscribe).not.toHaveBeenCalled();
  });
});
