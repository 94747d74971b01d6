/**
 * Hears what is announced, on a connection of its own: a server cuts one that has subscribed as soon as it owes it more than
 * `client-output-buffer-limit pubsub` allows, 32 MB unless it was told otherwise, and a page of large contexts is more. What is
 * heard is a hint: while nothing can be, the log is looked at from time to time anyway.
 */

import type { RedisClient } from "./driver.ts";

export interface EarOptions {
  readonly channel: string;
  /** Until it must be listening: the server may accept and then say nothing. */
  readonly timeoutMs: number;
  readonly onMessage: (message: string) => void;
  /** It listens from now on: what was announced before has not been heard. */
  readonly onListening: () => void;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5_000;

export class Ear {
  readonly #connect: () => RedisClient;
  readonly #options: EarOptions;
  #client: RedisClient | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(connect: () => RedisClient, options: EarOptions) {
    this.#connect = connect;
    this.#options = options;
    void this.#listen();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#drop();
  }

  async #listen(): Promise<void> {
    const { channel, timeoutMs, onMessage, onListening } = this.#options;
    const client = this.#connect();
    this.#client = client;
    const onEnd = (): void => this.#lost(client);
    for (const event of ["error", "end", "terminated"] as const) client.on(event, onEnd);
    this.#timer = setTimeout(onEnd, timeoutMs);
    try {
      await client.connect();
      if (this.#client === client) await client.subscribe(channel, onMessage);
    } catch {
      this.#lost(client); // cut, or not allowed
    }
    if (this.#client !== client) {
      client.destroy(); // where it was still connecting, the driver has gone on with that
      return;
    }
    clearTimeout(this.#timer);
    this.#pauseMs = FIRST_PAUSE_MS;
    onListening();
  }

  /** Listens again, after a pause that grows and that is not the same for all who were cut off at once. */
  #lost(client: RedisClient): void {
    if (client !== this.#client) return;
    clearTimeout(this.#timer);
    this.#drop();
    this.#timer = setTimeout(() => void this.#listen(), this.#pauseMs * (0.5 + Math.random() / 2));
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * this.#pauseMs);
  }

  #drop(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.destroy();
  }
}
